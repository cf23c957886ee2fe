//! Where each far side is, by its name in the configuration, and what is changed there.

use super::activation::Activation;
use super::delivery::{Delivery, Way};
use super::docker::Engine;
use super::health::HealthSource;
use super::kubernetes::Cluster;
use super::registry::RegistryClient;
use super::site::Site;
use super::{FarSides, artifact};
use crate::answer::CallError;
use crate::gate::ask::Ask;
use crate::names::{ConfigName, RuntimeName};
use crate::operation::{Activate, Deliver};

impl FarSides {
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
    async fn authority_for(&self, site: &Site) -> Result<Option<String>, CallError> {
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
                    "{name} is a Kubernetes runtime: this release deploys to none yet; it only asks its API server how it is"
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

    pub(super) async fn delivery<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a Deliver,
    ) -> Result<Delivery<'a>, CallError> {
        let engine = self.engine(&call.runtime).await?;
        let site = self.site(&call.runtime)?;
        let via = site.runtime.via.as_ref().or(self.config.registry.via.as_ref());
        let way = Way { channels: &self.channels, via, authority: self.authority_for(site).await? };
        let registry = self.registry().await?;
        Delivery::new(engine, registry, way, artifact(ask)?, call, &self.config.limits)
    }

    pub(super) async fn activation<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a Activate,
    ) -> Result<Activation<'a>, CallError> {
        let engine = self.engine(&call.runtime).await?;
        let site = self.site(&call.runtime)?;
        let env_file = site.env_file(&self.channels).await?.to_owned();
        let machine = site.machine(&self.channels).await?.clone();
        let new = Activation::new(
            engine,
            machine,
            &site.runtime,
            env_file,
            artifact(ask)?,
            call,
            &self.config.limits,
        )?;
        Ok(new.marking(self.mark.as_ref()))
    }

    pub(super) fn cluster(&self, name: &RuntimeName) -> Result<&Cluster, CallError> {
        self.clusters.get(name).ok_or_else(|| {
            CallError::Unavailable(format!(
                "host.toml does not say where {name} is: add [runtimes.{name}] with kind = \"kubernetes\""
            ))
        })
    }
}
