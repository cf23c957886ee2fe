//! What `host doctor` asks each far side. Everything is looked at, nothing is changed, and nobody is waited for longer than
//! an operator would.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::FarSides;
use super::compose::Compose;
use super::machine::{Entry, Looked};
use super::site::Site;
use super::{docker, env_file, health, kubernetes, registry};
use crate::answer::CallError;
use crate::diagnosis::{FarSide, Finding};
use crate::operation::Activate;
use crate::words::seconds;

/// What to do where a machine cannot be reached.
const BY_HAND: &str = "see that `ssh` reaches that machine by hand, with the destination of host.toml";
/// Longest that a far side may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl FarSides {
    /// What is to be said of `far_side`; the first finding says what is there.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] for one that the configuration does not name.
    pub(super) async fn diagnose(&self, far_side: &FarSide) -> Result<Vec<Finding>, CallError> {
        let limits = &self.to.config.limits;
        Ok(match far_side {
            FarSide::Registry => {
                let action =
                    "see what the registry is doing (`docker logs`, `journalctl`), and start it again";
                let url = self.to.config.registry.url.to_string();
                let registry = &self.to.config.registry;
                let work = async {
                    match self.to.channels.authority(registry.via.as_ref(), &registry.url.authority).await {
                        Ok(authority) => registry::diagnose(registry, &authority).await,
                        Err(error) => vec![Finding::told(error.message(), BY_HAND)],
                    }
                };
                patient(&url, action, work).await
            }
            FarSide::Engine { runtime } => {
                let site = self.to.site(runtime)?;
                let runtime = &site.runtime;
                let action = "see what the engine is doing (`journalctl -u docker`), and start it again";
                let work = async {
                    match &runtime.via {
                        None => docker::diagnose(&runtime.docker, limits).await,
                        Some(_) => docker::diagnose_there(site.engine(&self.to.channels, limits).await).await,
                    }
                };
                patient(&runtime.docker, action, work).await
            }
            FarSide::Compose { runtime, services } => self.compose(self.to.site(runtime)?, services).await,
            FarSide::EnvFile { runtime } => self.env_file(self.to.site(runtime)?).await,
            FarSide::Cluster { runtime } => {
                kubernetes::diagnose(self.to.cluster(runtime)?, &self.to.channels, limits).await
            }
            FarSide::Health { endpoint } => {
                let source = self.to.endpoint(endpoint).ok_or_else(|| {
                    CallError::Unavailable(format!("host.toml names no health endpoint {endpoint}"))
                })?;
                let action = "see what the service is doing, and whether the address is right";
                let url = format!("http://{}{}", source.authority, source.path);
                patient(&url, action, health::diagnose(&source, limits.health_bytes)).await
            }
        })
    }

    /// Compose is a program of its own, which ends itself at its deadline: nothing of it is left behind.
    async fn compose(&self, site: &Site, services: &[Activate]) -> Vec<Finding> {
        let machine = match site.machine(&self.to.channels).await {
            Ok(machine) => machine.clone(),
            Err(error) => return vec![Finding::told(error.message(), BY_HAND)],
        };
        let path = site.env_file(&self.to.channels).await.map(Path::to_owned).unwrap_or_default();
        let looked = machine.look(&path, 0).await;
        let is_there = matches!(looked, Ok(Looked { entry: Entry::File(_) | Entry::Symlink, .. }));
        let compose = Compose::new(machine, &site.runtime, &path, &self.to.config.limits).hurried();
        compose.diagnose(is_there, services).await
    }

    async fn env_file(&self, site: &Site) -> Vec<Finding> {
        if site.runtime.via.is_none() {
            return env_file::diagnose(&site.runtime.env_file).await;
        }
        let found = async {
            let path = site.env_file(&self.to.channels).await?.to_owned();
            Ok::<_, CallError>((site.machine(&self.to.channels).await?.clone(), path))
        };
        match found.await {
            Ok((machine, path)) => env_file::diagnose_there(machine, path).await,
            Err(error) => vec![Finding::told(error.message(), BY_HAND)],
        }
    }
}

async fn patient(who: &str, action: &str, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let late = |_| {
        let evidence = format!(
            "{who} gave no answer within {}, the longest that `host doctor` waits",
            seconds(PATIENCE)
        );
        vec![Finding::problem(evidence, action)]
    };
    timeout(PATIENCE, Box::pin(work)).await.unwrap_or_else(late)
}
