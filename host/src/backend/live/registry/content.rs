//! Everything that an image is made of, as the registry keeps it: small documents whole, layers piece by piece.

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::RegistryClient;
use super::document::{Descriptor, Document};
use super::fetch::{Repository, path, refusal};
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::backend::live::http::{self, Opened, Request};
use crate::names::Digest;
use crate::progress::Watcher;

/// The documents of one image, and where its layers are.
pub struct Content {
    /// The manifest's media type, as served.
    pub media_type: String,
    /// The manifest, byte for byte.
    pub manifest: Bytes,
    /// The image configuration, byte for byte.
    pub config: Bytes,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

impl RegistryClient {
    /// The documents of an artifact that was looked up: read by their digests, so that they are the ones that were proved.
    ///
    /// # Errors
    /// As for [`RegistryClient::resolve`].
    pub async fn content(
        &self,
        artifact: &Artifact,
        identity: &Identity,
        watcher: &dyn Watcher,
    ) -> Result<Content, CallError> {
        let repository = self.repository(&artifact.repository, http::deadline(self.within), watcher);
        let (media_type, manifest) = repository.served(&identity.manifest).await?;
        let document = Document::parse(&media_type, &manifest);
        let Ok(Document::Manifest(parsed)) = document else {
            return Err(CallError::Mismatch(format!(
                "the manifest {} of {} is no image's any more",
                identity.manifest, artifact.repository
            )));
        };
        let config = repository.blob(&parsed.config).await?;
        Ok(Content { media_type, manifest, config, layers: parsed.layers })
    }

    /// One layer of an artifact, from its beginning on.
    ///
    /// # Errors
    /// As for [`RegistryClient::resolve`].
    pub async fn layer(
        &self,
        artifact: &Artifact,
        layer: &Descriptor,
        watcher: &dyn Watcher,
    ) -> Result<Blob, CallError> {
        let repository = self.repository(&artifact.repository, http::deadline(self.within), watcher);
        repository.open(layer).await
    }
}

impl Repository<'_> {
    async fn open(&self, layer: &Descriptor) -> Result<Blob, CallError> {
        let path = path(self.reader.registry, self.name, "blobs", layer.digest.as_str());
        let authority = &self.reader.registry.url.authority;
        let request = Request { method: Method::GET, authority, path: &path, accept: "*/*" };
        let opened =
            http::open(&request, self.reader.left()).await.map_err(|error| self.reader.no_answer(&error))?;
        let status = opened.head().status();
        if status != StatusCode::OK {
            let mut response = Response::new(Bytes::new());
            response.headers_mut().clone_from(opened.head().headers());
            return Err(refusal(&request, &response, status, 1));
        }
        Ok(Blob {
            opened,
            url: self.reader.url(&path),
            hash: Sha256::new(),
            left: layer.size,
            expected: layer.digest.clone(),
        })
    }
}

/// A blob that is still coming. It is hashed on its way, and its last piece is given only when all of it is what its digest
/// says.
pub struct Blob {
    opened: Opened,
    url: String,
    hash: Sha256,
    left: u64,
    expected: Digest,
}

impl Blob {
    /// The next piece; nothing after the last one. Its caller sets the deadline.
    ///
    /// # Errors
    /// `Unavailable` where it breaks off, `Mismatch` where it is not what its descriptor says.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let piece = self.opened.next().await.map_err(|error| {
            CallError::Unavailable(format!("{error}; check that the registry still runs"))
        })?;
        let length = piece.as_ref().map_or(0, Bytes::len) as u64;
        let Some(left) = self.left.checked_sub(length) else {
            return Err(self.contradicts("is longer than its manifest says"));
        };
        self.left = left;
        if let Some(piece) = &piece {
            self.hash.update(piece);
        } else if left > 0 {
            return Err(self.contradicts(&format!("ends {left} bytes before its manifest says")));
        }
        if left == 0 {
            let found = Digest::from_hash(self.hash.clone());
            if found != self.expected {
                return Err(self.contradicts(&format!("has the digest {found}, not {}", self.expected)));
            }
        }
        Ok(piece)
    }

    fn contradicts(&self, how: &str) -> CallError {
        CallError::Mismatch(format!("{} {how}: the content was damaged or replaced", self.url))
    }
}
