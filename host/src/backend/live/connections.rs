//! The far sides of a configuration, each connected to once, when it is first asked. Those who only look share them: a machine
//! is reached by one connection, however many services on it are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::channels::Channels;
use super::compose::Compose;
use super::docker::Engine;
use super::health::HealthSource;
use super::kubernetes::{Cluster, Connected};
use super::machine::Machine;
use super::registry::RegistryClient;
use super::site::Site;
use crate::answer::CallError;
use crate::backend::secrets::Sources;
use crate::config::Config;
use crate::names::{ConfigName, RuntimeName};
use crate::operation::Operation;

/// The ways to everything that `host.toml` names; all of them end with this value.
pub struct Connections {
    pub(super) config: Config,
    pub(super) channels: Channels,
    pub(super) secrets: Arc<Sources>,
    registry: OnceCell<RegistryClient>,
    sites: BTreeMap<RuntimeName, Site>,
    clusters: BTreeMap<RuntimeName, Cluster>,
    /// How the registry itself is, where that should be looked at; looked at once.
    pub(super) registry_warning: OnceCell<Option<String>>,
    /// What answers in place of all of them.
    #[cfg(test)]
    pub(super) imagined: Option<Arc<dyn super::imagined::World>>,
}

impl Connections {
    /// Nothing is connected before it is asked.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let site = |(name, runtime): (&RuntimeName, &_)| (name.clone(), Site::new(Clone::clone(runtime)));
        let cluster = |(name, runtime): (&RuntimeName, &_)| {
            (name.clone(), Cluster::new(name.clone(), Clone::clone(runtime)))
        };
        Self {
            channels: Channels::new(config),
            secrets: Arc::new(Sources::new(config)),
            registry: OnceCell::new(),
            sites: config.runtimes.iter().map(site).collect(),
            clusters: config.clusters.iter().map(cluster).collect(),
            registry_warning: OnceCell::new(),
            #[cfg(test)]
            imagined: None,
            config: config.clone(),
        }
    }

    /// Whether Kubernetes runs there.
    pub(super) fn is_cluster(&self, runtime: &RuntimeName) -> bool {
        self.clusters.contains_key(runtime)
    }

    /// The registry as this machine reaches it.
    pub(super) async fn registry(&self) -> Result<&RegistryClient, CallError> {
        let connect = || async {
            let mut registry = self.config.registry.clone();
            let via = registry.via.as_ref();
            registry.url.authority = self.channels.authority(via, &registry.url.authority).await?;
            Ok::<_, CallError>(RegistryClient::new(&registry, &self.config.limits))
        };
        self.registry.get_or_try_init(connect).await
    }

    /// The registry's host and port as the engine of `site` reaches it: on the loopback that both are on, or through this
    /// machine's. Nothing for the engine of a third machine.
    pub(super) async fn authority_for(&self, site: &Site) -> Result<Option<String>, CallError> {
        let registry = &self.config.registry;
        match &site.runtime.via {
            via if *via == registry.via => Ok(Some(registry.url.authority.clone())),
            None => self.channels.authority(registry.via.as_ref(), &registry.url.authority).await.map(Some),
            Some(_) => Ok(None),
        }
    }

    pub(super) fn site(&self, name: &RuntimeName) -> Result<&Site, CallError> {
        self.sites.get(name).ok_or_else(|| {
            if self.clusters.contains_key(name) {
                return CallError::Unavailable(format!(
                    "host.toml says that {name} runs Kubernetes, and what the plugin asks for is done by Compose: the plugin means \
                     another runtime, or runtimes.{name} is of another kind"
                ));
            }
            CallError::Unavailable(format!("host.toml does not say where {name} is: add [runtimes.{name}]"))
        })
    }

    pub(super) async fn engine(&self, name: &RuntimeName) -> Result<&Engine, CallError> {
        self.site(name)?.engine(&self.channels, &self.config.limits).await
    }

    pub(super) fn endpoint(&self, name: &ConfigName) -> Option<HealthSource> {
        let url = self.config.health.get(name)?;
        Some(HealthSource { authority: url.authority.clone(), path: url.path.clone(), deploy: None })
    }

    /// The argument vector of the program that a change runs, if it runs one; nothing where the configuration does not
    /// say yet what it would be.
    pub(super) fn argv(&self, operation: &Operation) -> Option<Vec<String>> {
        let Operation::Activate(call) = operation else { return None };
        let site = self.sites.get(&call.runtime)?;
        let env_file = site.known_env_file()?;
        // The words are the same on every machine.
        let compose = Compose::new(Machine::Here, &site.runtime, &env_file, &self.config.limits);
        Some(
            compose
                .recreate_argv(&call.service)
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        )
    }

    /// The API server of a runtime.
    pub(super) async fn connected(&self, name: &RuntimeName) -> Result<&Connected, CallError> {
        self.cluster(name)?.connected(&self.channels, &self.config.limits).await
    }

    pub(super) fn cluster(&self, name: &RuntimeName) -> Result<&Cluster, CallError> {
        self.clusters.get(name).ok_or_else(|| {
            if self.sites.contains_key(name) {
                return CallError::Unavailable(format!(
                    "host.toml says that Compose runs on {name}, and what the plugin asks for is done in Kubernetes: the \
                     plugin means another runtime, or runtimes.{name} is of another kind"
                ));
            }
            CallError::Unavailable(format!(
                "host.toml does not say where {name} is: add [runtimes.{name}] with kind = \"kubernetes\""
            ))
        })
    }
}
