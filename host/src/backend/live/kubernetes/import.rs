//! `image.deliver` into the containerd of a node: the registry's image comes by its digest, out of the registry on the
//! node's own loopback, and gets the name that Deployments use last. The name by digest stays in the same repository:
//! without it pods say of their image no more than its configuration.

mod containerd;
mod cri;
mod ctr;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cluster, nodes};
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::backend::change::{Change, Unmade};
use crate::backend::live::channels::Channels;
use crate::backend::live::delivery::{also, identity};
use crate::config::{Config, Limits, RegistryConfig};
use crate::names::ConfigName;
use crate::operation::Deliver;
use crate::progress::{Interrupt, Watcher};
use crate::words::plain;

pub use containerd::Containerd;

/// Longest digest of another image that a message repeats, in characters.
const SHOWN: usize = 80;

/// What the name of a commit means in containerd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// The name that Deployments use, with the commit as its tag.
    pub name: String,
    /// The digest of what has this name; nothing where nothing has it.
    pub image: Option<String>,
    /// Whether the image also has its name by digest in the same repository.
    pub by_digest: bool,
    /// Whether it also has the name that Kubernetes gives it by itself, after its configuration. Nothing is done about
    /// that but to remove it with the others, where it came with them.
    pub by_config: bool,
}

/// The import of one artifact.
pub struct Import<'a> {
    cluster: &'a Cluster,
    channels: &'a Channels,
    limits: &'a Limits,
    identity: &'a Identity,
    /// `127.0.0.1:5000/unidesk/decision-center`.
    repository: String,
    /// With the commit.
    name: String,
}

impl<'a> Import<'a> {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// `Invalid` where the artifact was not looked up in the registry, and for a registry that is not the node's.
    pub fn new(
        cluster: &'a Cluster,
        channels: &'a Channels,
        config: &'a Config,
        artifact: &'a Artifact,
        call: &Deliver,
    ) -> Result<Self, CallError> {
        let registry = &config.registry;
        beside(registry, cluster)?;
        let repository = format!("{}/{}", registry.url.authority, call.name);
        Ok(Self {
            cluster,
            channels,
            limits: &config.limits,
            identity: identity(artifact)?,
            name: format!("{repository}:{}", artifact.commit),
            repository,
        })
    }

    fn name_by_digest(&self) -> String {
        format!("{}@{}", self.repository, self.identity.served())
    }

    async fn containerd(&self) -> Result<&Containerd, CallError> {
        self.cluster.containerd(self.channels).await
    }

    /// What the names mean now.
    async fn now(&self, containerd: &Containerd) -> Result<Imported, CallError> {
        let (by_digest, by_config) = (self.name_by_digest(), self.identity.config.as_str());
        let targets = containerd.targets(&[&self.name, &by_digest, by_config]).await?;
        Ok(self.found(&targets))
    }

    fn found(&self, targets: &BTreeMap<String, String>) -> Imported {
        let served = |name: &str| targets.get(name).is_some_and(|digest| self.identity.is_called(digest));
        Imported {
            name: self.name.clone(),
            image: targets.get(&self.name).cloned(),
            by_digest: served(&self.name_by_digest()),
            by_config: served(self.identity.config.as_str()),
        }
    }

    /// Refuses a name that means something else: a commit's name never moves.
    fn fits(&self, found: &Imported, containerd: &Containerd) -> Result<(), CallError> {
        match &found.image {
            Some(other) if !self.identity.is_called(other) => Err(CallError::Mismatch(format!(
                "{} is already {} in the containerd of {}, where the registry's is {}; a commit's name never moves. Find out \
                 where that image came from; `{}` there makes way for the registry's",
                self.name,
                plain(other, SHOWN),
                containerd.place(),
                self.identity.served(),
                containerd.command(&["images", "rm", &self.name])
            ))),
            _ => Ok(()),
        }
    }

    /// Brings the image, checks it and names it; the name of the commit comes last.
    async fn brought(&self, containerd: &Containerd, interrupt: &Interrupt) -> Result<Imported, CallError> {
        let by_digest = self.name_by_digest();
        let within = Duration::from_secs(self.limits.delivery_seconds);
        containerd.pull(&by_digest, within, interrupt).await?;
        if interrupt.is_raised() {
            return Err(CallError::Other(format!(
                "interrupted after {by_digest} was pulled; nothing got the name {}",
                self.name
            )));
        }
        // Refused where somebody gave the name meanwhile: what it means then is looked at all the same.
        let tagged = containerd.tag(&by_digest, &self.name).await;
        let now = self.now(containerd).await?;
        self.fits(&now, containerd)?;
        if now.image.is_none() {
            tagged?;
        }
        match &now {
            Imported { image: Some(_), by_digest: true, .. } => Ok(now),
            _ => Err(CallError::Other(format!(
                "the containerd of {} said that {by_digest} was pulled and named, but does not have both names; see \
                 `{}` there, and what removes images",
                containerd.place(),
                containerd.command(&["images", "ls"])
            ))),
        }
    }

    /// Removes the names that `before` does not have and `now` has.
    async fn removed(
        &self,
        containerd: &Containerd,
        before: &Imported,
        now: &Imported,
    ) -> Result<(), CallError> {
        let by_digest = self.name_by_digest();
        let names = [
            (before.image.is_none() && now.image.is_some(), self.name.as_str()),
            (!before.by_digest && now.by_digest, &by_digest),
            (!before.by_config && now.by_config, self.identity.config.as_str()),
        ];
        let names: Vec<&str> = names.into_iter().filter_map(|(made, name)| made.then_some(name)).collect();
        if names.is_empty() { Ok(()) } else { containerd.remove(&names).await }
    }

    /// Takes back what a failed import did.
    async fn cleaned(&self, containerd: &Containerd, before: &Imported, cause: CallError) -> Unmade {
        let removed = async {
            let now = self.now(containerd).await?;
            // Of another image, the name is somebody else's.
            let foreign = now.image.as_deref().is_some_and(|image| !self.identity.is_called(image));
            let image = now.image.clone().filter(|_| !foreign);
            self.removed(containerd, before, &Imported { image, ..now }).await
        };
        match removed.await {
            Ok(()) => cause.into(),
            Err(error) => {
                let more = format!("{} and {} may be left behind: {error}", self.name, self.name_by_digest());
                Unmade { error: also(cause, &more), left: true }
            }
        }
    }
}

impl Change for Import<'_> {
    type State = Imported;

    async fn probe(&self) -> Result<Imported, CallError> {
        let connected = self.cluster.connected(self.channels, self.limits).await?;
        let names = async {
            let containerd = self.containerd().await?;
            let found = self.now(containerd).await?;
            self.fits(&found, containerd)?;
            Ok(found)
        };
        let ((), found) = futures_util::try_join!(nodes::one(self.cluster, connected), names)?;
        Ok(found)
    }

    fn desired(&self, before: &Imported) -> Imported {
        let image = before.image.clone().unwrap_or_else(|| self.identity.served().to_string());
        Imported { image: Some(image), by_digest: true, ..before.clone() }
    }

    async fn apply(
        &self,
        before: &Imported,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<Imported, Unmade> {
        if self.desired(before) == *before {
            watcher.note("already there");
            return Ok(before.clone());
        }
        let containerd = self.containerd().await?;
        watcher.note(&format!("{} pulls it into its containerd ({})", containerd.place(), containerd.way()));
        match self.brought(containerd, interrupt).await {
            Ok(now) => {
                watcher.bytes(self.identity.size, self.identity.size);
                Ok(now)
            }
            Err(cause) => Err(self.cleaned(containerd, before, cause).await),
        }
    }

    async fn undo(
        &self,
        before: &Imported,
        after: Option<&Imported>,
        _watcher: &dyn Watcher,
    ) -> Result<(), CallError> {
        let containerd = self.containerd().await?;
        let now = self.now(containerd).await?;
        if let Some(after) = after
            && before.image.is_none()
            && now.image.is_some()
            && now.image != after.image
        {
            return Err(CallError::Mismatch(format!(
                "not taken back: the image name {} was changed by somebody else since: it was {}; now it is {}",
                self.name,
                after.image.as_deref().unwrap_or("no image"),
                plain(now.image.as_deref().unwrap_or_default(), SHOWN)
            )));
        }
        self.removed(containerd, before, &now).await
    }
}

/// The node pulls from its own loopback, and so do its pods: the registry must be there.
fn beside(registry: &RegistryConfig, cluster: &Cluster) -> Result<(), CallError> {
    let place = |via: Option<&ConfigName>| via.map_or_else(|| "this machine".to_owned(), ToString::to_string);
    let (there, node) = (registry.via.as_ref(), cluster.runtime.via.as_ref());
    if there == node {
        return Ok(());
    }
    Err(CallError::Invalid(format!(
        "the node of {} is {}, and its pods pull {} from their own loopback, but host.toml says that this registry is on {}; \
         make registry.via and runtimes.{}.via the same machine",
        cluster.name,
        place(node),
        registry.url.authority,
        place(there),
        cluster.name
    )))
}

#[cfg(test)]
mod tests;
