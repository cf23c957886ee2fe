//! `image.deliver`: the registry's image comes into an engine by its digest, is held against what it must be, and gets
//! its immutable name last. Whoever sees `<name>:<commit>` sees a checked image.
//!
//! The engine pulls it, where it reaches the registry by itself or through a forwarded port. Otherwise this host sends it.

mod archive;
mod progress;
mod pull;
mod stream;

use std::time::Duration;

use futures_util::TryFutureExt;
use serde::{Deserialize, Serialize};

use self::stream::Stream;
use super::channels::Channels;
use super::docker::{Engine, Unpulled};
use super::registry::RegistryClient;
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::backend::change::{Change, Unmade};
use crate::config::Limits;
use crate::names::ConfigName;
use crate::operation::Deliver;
use crate::progress::{Interrupt, Watcher};
use crate::words::plain;

/// Longest part of an engine's image id that a message repeats, in characters: the store decides what an id looks like.
const SHOWN: usize = 80;

/// What `<name>:<commit>` means in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The name, with the commit as its tag.
    pub name: String,
    /// What the engine calls the image that has this name; nothing where no image has it.
    pub image: Option<String>,
    /// Whether the engine also has the name by which the image is pulled. A delivery leaves that as it found it: somebody
    /// else may hold on to the image by it.
    #[serde(default)]
    pub passing: bool,
}

/// What a delivery goes through.
pub struct Way<'a> {
    /// The ways to other machines.
    pub channels: &'a Channels,
    /// The machine that the engine is on, or else that of the registry; nothing where both are here.
    pub via: Option<&'a ConfigName>,
    /// The registry's host and port as the engine reaches it; nothing where it does not.
    pub authority: Option<String>,
}

/// The delivery of one artifact into one engine.
pub struct Delivery<'a> {
    engine: &'a Engine,
    registry: &'a RegistryClient,
    artifact: &'a Artifact,
    identity: &'a Identity,
    /// Where the engine pulls from, without the digest: `127.0.0.1:5000/unidesk/project-manager`. Nothing where it reaches
    /// no registry.
    source: Option<String>,
    way: Way<'a>,
    call: &'a Deliver,
    within: Duration,
}

impl<'a> Delivery<'a> {
    /// The way is found already.
    ///
    /// # Errors
    /// `Invalid` where the artifact was not looked up in the registry: without its digest nothing can be pulled.
    pub fn new(
        engine: &'a Engine,
        registry: &'a RegistryClient,
        way: Way<'a>,
        artifact: &'a Artifact,
        call: &'a Deliver,
        limits: &Limits,
    ) -> Result<Self, CallError> {
        Ok(Self {
            engine,
            registry,
            artifact,
            identity: identity(artifact)?,
            source: way.authority.as_ref().map(|authority| format!("{authority}/{}", artifact.repository)),
            way,
            call,
            within: Duration::from_secs(limits.delivery_seconds),
        })
    }

    /// The immutable name.
    fn name(&self) -> String {
        format!("{}:{}", self.call.name, self.artifact.commit)
    }

    /// The image that has the immutable name, whichever it is.
    async fn named(&self) -> Result<Option<String>, CallError> {
        Ok(self.engine.image(&self.name()).await?.map(|image| image.id))
    }

    /// Gives `image` the immutable name, or nothing at all: an engine that gave no answer may have given the name.
    async fn name_it(&self, image: &str) -> Result<Option<String>, Unmade> {
        let named = async {
            self.engine.tag(image, self.call.name.as_str(), self.artifact.commit.as_str()).await?;
            self.named().await
        };
        let cause = match named.await {
            Ok(image) => return Ok(image),
            Err(cause) => cause,
        };
        match self.engine.untag(&self.name()).await {
            Ok(()) => Err(cause.into()),
            Err(error) => {
                let more = format!("the name {} may be left behind: {error}", self.name());
                Err(Unmade { error: also(cause, &more), left: true })
            }
        }
    }

    /// Sends the image to the engine. It has no name on its way, so only its id can be left behind.
    async fn send(
        &self,
        before: Delivered,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<Delivered, Unmade> {
        let called = self.engine.id_loaded(self.identity).as_str();
        if let Some(known) = self.engine.image(called).await? {
            let image = self.name_it(&known.id).await?;
            return Ok(Delivered { image, ..before });
        }
        let stream = Stream {
            registry: self.registry,
            engine: self.engine,
            artifact: self.artifact,
            identity: self.identity,
            name: &self.call.name,
            within: self.within,
        };
        let sent = Box::pin(stream.send(watcher, interrupt));
        let image = self.way.channels.through(self.way.via, self.registry.authority(), sent).await?;
        let cause = match self.name_it(&image).await {
            Ok(image) => return Ok(Delivered { image, ..before }),
            Err(cause) => cause,
        };
        match self.engine.untag(&image).await {
            Ok(()) => Err(cause),
            Err(error) => {
                let more = format!("the image {image} may be left behind without a name: {error}");
                Err(Unmade { error: also(cause.error, &more), left: true })
            }
        }
    }
}

impl Change for Delivery<'_> {
    type State = Delivered;

    async fn probe(&self) -> Result<Delivered, CallError> {
        let name = self.name();
        match self.named().await? {
            Some(other) if !self.identity.is_called(&other) => {
                Err(foreign(self.engine, &name, &other, self.identity))
            }
            // Nothing is pulled, so nothing is to be known of the other name.
            Some(image) => Ok(Delivered { name, image: Some(image), passing: false }),
            None => {
                let passing = match &self.source {
                    Some(source) => self.engine.image(&self.passing_name(source)).await?.is_some(),
                    None => false,
                };
                Ok(Delivered { name, image: None, passing })
            }
        }
    }

    fn desired(&self, before: &Delivered) -> Delivered {
        // An engine that has the image keeps the id by which it got it, whichever of its digests that is.
        let image = before.image.clone().unwrap_or_else(|| self.engine.id_of(self.identity).to_string());
        Delivered { name: self.name(), image: Some(image), passing: before.passing }
    }

    async fn apply(
        &self,
        _before: &Delivered,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<Delivered, Unmade> {
        let now = self.probe().await?;
        if now.image.is_some() {
            watcher.note("already there");
            return Ok(now);
        }
        let Some(source) = &self.source else {
            return self.send(now, watcher, interrupt).await;
        };
        let near = self.way.authority.as_deref().unwrap_or_default();
        let mut no_way = false;
        let pulled = self.pull(source, watcher, interrupt).map_err(|Unpulled { error, unreached }| {
            no_way = unreached;
            error
        });
        match self.way.channels.through(self.way.via, near, pulled).await {
            // A way that is broken is broken for this host, too; otherwise it has just read from that registry.
            Err(error) if no_way && !matches!(error, CallError::Unreachable { .. }) => {
                watcher.note("the engine does not reach the registry: sending the image through this host");
                self.send(now, watcher, interrupt).await.map_err(|unmade| Unmade {
                    error: also(
                        unmade.error,
                        &format!("it was sent because the engine could not pull: {error}"),
                    ),
                    ..unmade
                })
            }
            pulled => self.settle(source, pulled, now, watcher).await,
        }
    }

    async fn undo(
        &self,
        before: &Delivered,
        after: Option<&Delivered>,
        _watcher: &dyn Watcher,
    ) -> Result<(), CallError> {
        if before.image.is_some() {
            return Ok(());
        }
        if let Some(after) = after
            && let Some(now) = self.named().await?
            && after.image.as_ref() != Some(&now)
        {
            return Err(CallError::Mismatch(format!(
                "not taken back: the image name {} was changed by somebody else since: it was {}; now it is {}",
                self.name(),
                after.image.as_deref().unwrap_or("no image"),
                plain(&now, SHOWN)
            )));
        }
        self.engine.untag(&self.name()).await?;
        match &self.source {
            Some(source) if !before.passing && after.is_none_or(|after| after.passing) => {
                self.engine.untag(&self.passing_name(source)).await
            }
            _ => Ok(()),
        }
    }
}

/// What makes `artifact` the image that it is.
pub(super) fn identity(artifact: &Artifact) -> Result<&Identity, CallError> {
    artifact.identity.as_ref().ok_or_else(|| {
        CallError::Invalid(format!(
            "{} was not looked up in the registry, so nothing says which image it is",
            artifact.commit_name()
        ))
    })
}

/// The refusal of a name that must never move and means something else already.
pub(super) fn foreign(engine: &Engine, name: &str, other: &str, identity: &Identity) -> CallError {
    CallError::Mismatch(format!(
        "{name} is already image {} in this engine, where the registry's is {}; a commit's name never moves. Find out \
         where that image came from; `{} image rm {name}` makes way for the registry's",
        plain(other, SHOWN),
        engine.id_of(identity),
        engine.command()
    ))
}

/// `cause` with one more sentence.
pub(super) fn also(mut cause: CallError, more: &str) -> CallError {
    let (CallError::Denied { reason: text, .. }
    | CallError::NotFound(text)
    | CallError::Unavailable(text)
    | CallError::Unreachable { text, .. }
    | CallError::Mismatch(text)
    | CallError::Invalid(text)
    | CallError::Other(text)) = &mut cause;
    text.push_str("; ");
    text.push_str(more);
    cause
}
