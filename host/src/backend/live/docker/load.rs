//! An image that is sent to the engine, where that cannot fetch it itself.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bollard::query_parameters::ListImagesOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use hyper::Request;
use hyper::body::{Body, Frame};
use hyper::header::CONTENT_TYPE;
use tokio::sync::mpsc;

use super::trouble::failed;
use super::{Engine, ImageStore, story};
use crate::answer::CallError;
use crate::artifact::Identity;
use crate::names::{Digest, ImageName};

/// Pieces that wait for the engine to take them: each is what the far side sent at once, some 64 KiB.
const WAITING: usize = 4;

/// Where the pieces of an archive go. Dropped without a word it ends the archive; [`Feed::fail`] breaks it off.
pub struct Feed(mpsc::Sender<io::Result<Bytes>>);

impl Feed {
    /// Waits until there is room. Whether the engine still listens.
    pub async fn send(&self, piece: Bytes) -> bool {
        self.0.send(Ok(piece)).await.is_ok()
    }

    /// Breaks the archive off: the engine keeps nothing of it.
    pub async fn fail(self) {
        // An engine that listens no more needs not be told.
        let _ = self.0.send(Err(io::Error::other("the archive was broken off"))).await;
    }
}

struct Archive(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Archive {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

impl Engine {
    /// Takes in an archive of images, whose pieces go into the [`Feed`]; the future ends when the engine has unpacked all of
    /// it, or refused. Its caller sets the deadline, and looks at what arrived.
    pub fn load(&self) -> (Feed, impl Future<Output = Result<(), CallError>> + Send) {
        let (feed, pieces) = mpsc::channel(WAITING);
        let version = self.docker.client_version();
        let path = format!("/v{}.{}/images/load?quiet=1", version.major_version, version.minor_version);
        let (socket, address) = (Arc::clone(&self.socket), self.address.clone());
        let taken = async move {
            let request = Request::post(path).header(CONTENT_TYPE, "application/x-tar").body(Archive(pieces));
            let told =
                story::of(socket, request).fold(Ok(()), |known, line| async { known.and(line.map(drop)) });
            told.await.map_err(|error| failed(&address, "loading an image", &error))
        };
        (Feed(feed), taken)
    }

    /// How many layers of the image, from the lowest on, need not be sent. The classic store keeps them by their content and
    /// what is below them, so any image that begins with the same ones has them; containerd's wants every file of an archive.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn layers_of(&self, name: &ImageName, identity: &Identity) -> Result<usize, CallError> {
        if matches!(self.store, ImageStore::Containerd) {
            return Ok(0);
        }
        let filters = HashMap::from([("reference", vec![name.as_str()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let what = format!("listing the images called {name}");
        let mut most = 0;
        for image in self.call(&what, self.docker.list_images(Some(options))).await? {
            let layers = self.image(&image.id).await?.map(|facts| facts.layers).unwrap_or_default();
            let known = layers.iter().zip(&identity.diff_ids);
            most = most.max(known.take_while(|(there, wanted)| *there == wanted.as_str()).count());
        }
        Ok(most)
    }

    /// What this engine calls an image that came in an archive with its manifest: never its index, which is not sent.
    #[must_use]
    pub fn id_loaded<'i>(&self, identity: &'i Identity) -> &'i Digest {
        match self.store {
            ImageStore::Classic => &identity.config,
            ImageStore::Containerd => &identity.manifest,
        }
    }
}
