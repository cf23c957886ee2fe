//! An image that the host itself reads from the registry and hands to an engine that does not reach it: of another machine,
//! in another network. What is held of it at a time are some pieces of 64 KiB, however large it is.

use std::time::Duration;

use tokio::time::timeout_at;

use super::archive::{self, Part};
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::backend::live::docker::{Engine, Feed};
use crate::backend::live::http::deadline;
use crate::backend::live::registry::RegistryClient;
use crate::names::ImageName;
use crate::progress::{Interrupt, Watcher};
use crate::words::seconds;

/// One artifact on its way through this host.
pub struct Stream<'a> {
    /// Where it comes from.
    pub registry: &'a RegistryClient,
    /// Where it goes.
    pub engine: &'a Engine,
    /// What it is.
    pub artifact: &'a Artifact,
    /// By which it is known.
    pub identity: &'a Identity,
    /// Images with this name have some of its layers.
    pub name: &'a ImageName,
    /// How long it may take.
    pub within: Duration,
}

/// Why it did not arrive.
enum Unsent {
    /// The registry, or what it holds.
    Source(CallError),
    /// The engine.
    Engine(CallError),
}

impl Stream<'_> {
    /// Sends it; gives what the engine calls it. Nothing is left of one that failed.
    ///
    /// # Errors
    /// What failed; `Unavailable` where the time is up.
    pub async fn send(&self, watcher: &dyn Watcher, interrupt: &Interrupt) -> Result<String, CallError> {
        let called = self.engine.id_loaded(self.identity).as_str();
        let sent = timeout_at(deadline(self.within), self.sent(watcher));
        tokio::select! {
            biased;
            () = interrupt.raised() => {
                return Err(CallError::Other("interrupted while the image was sent; the engine keeps nothing of it".to_owned()));
            }
            sent = sent => sent.unwrap_or_else(|_| Err(CallError::Unavailable(format!(
                "sending the image took longer than {} (limits.delivery-seconds)", seconds(self.within)
            ))))?,
        }
        match self.engine.image(called).await? {
            Some(arrived) => Ok(arrived.id),
            None => Err(CallError::Mismatch(format!(
                "the Docker engine took the image {called} in, but has no such image now; look at the engine's log"
            ))),
        }
    }

    async fn sent(&self, watcher: &dyn Watcher) -> Result<(), CallError> {
        let content = self.registry.content(self.artifact, self.identity, watcher).await?;
        let mut known = self.engine.layers_of(self.name, self.identity).await?.min(content.layers.len());
        loop {
            let parts = archive::of(&content, self.identity, known)?;
            match self.attempt(parts, watcher).await {
                // Somebody may have removed a layer meanwhile.
                Err(Unsent::Engine(_)) if known > 0 => known = 0,
                Err(Unsent::Source(error) | Unsent::Engine(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn attempt(&self, parts: Vec<Part>, watcher: &dyn Watcher) -> Result<(), Unsent> {
        let (feed, taken) = self.engine.load();
        let (read, loaded) = tokio::join!(self.feed(parts, feed, watcher), taken);
        read.map_err(Unsent::Source)?;
        loaded.map_err(Unsent::Engine)
    }

    async fn feed(&self, parts: Vec<Part>, feed: Feed, watcher: &dyn Watcher) -> Result<(), CallError> {
        let total = parts.iter().map(Part::bytes_of_layer).sum();
        let mut done = 0;
        for part in parts {
            let layer = match part {
                Part::Layer(layer) => layer,
                Part::Bytes(bytes) => {
                    if feed.send(bytes).await {
                        continue;
                    }
                    // The engine says itself why it listens no more.
                    return Ok(());
                }
            };
            let sent = async {
                let mut blob = self.registry.layer(self.artifact, &layer, watcher).await?;
                while let Some(piece) = blob.next().await? {
                    done += piece.len() as u64;
                    if !feed.send(piece).await {
                        break;
                    }
                    watcher.bytes(done, total);
                }
                Ok(())
            };
            if let Err(error) = sent.await {
                feed.fail().await;
                return Err(error);
            }
        }
        watcher.note("unpacking");
        Ok(())
    }
}

impl Part {
    /// Compressed size of a layer, in bytes.
    fn bytes_of_layer(&self) -> u64 {
        match self {
            Self::Bytes(_) => 0,
            Self::Layer(layer) => layer.size,
        }
    }
}
