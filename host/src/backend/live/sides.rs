//! Where each far side is, by its name in the configuration, and what is changed there.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::activation::Activation;
use super::delivery::{Delivery, Way};
use super::docker::Engine;
use super::health::HealthSource;
use super::kubernetes::{Cluster, Connected, Import, Lease, Loss, Patching};
use super::machine::Lock;
use super::registry::RegistryClient;
use super::site::Site;
use super::{FarSides, artifact};
use crate::answer::CallError;
use crate::gate::ask::Ask;
use crate::names::{ConfigName, RuntimeName, ServiceName};
use crate::operation::{Activate, Deliver, Operation, PatchDeployments};
use crate::step::Step;

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

    pub(super) fn import<'a>(&'a self, ask: &Ask<'a>, call: &'a Deliver) -> Result<Import<'a>, CallError> {
        let cluster = self.cluster(&call.runtime)?;
        Import::new(cluster, &self.channels, &self.config, artifact(ask)?, call)
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

    /// Takes the Leases of `service` in all namespaces that `steps` change.
    pub(super) async fn leases(
        &self,
        steps: &[Step],
        service: &ServiceName,
        holder: &str,
    ) -> Result<Vec<Lock>, CallError> {
        let mut places = BTreeSet::new();
        for step in steps {
            match &step.operation {
                Operation::PatchDeployments(call) => {
                    places.extend(call.deployments.iter().map(|one| (&call.runtime, &one.namespace)));
                }
                Operation::SyncObject(call) => {
                    places.insert((&call.runtime, &call.namespace));
                }
                _ => {}
            }
        }
        let mut locks = Vec::new();
        for (runtime, namespace) in places {
            let connected = self.cluster(runtime)?.connected(&self.channels, &self.config.limits).await?;
            let lease = Lease::take(connected, runtime, namespace, service, holder).await?;
            self.losses().push(lease.loss());
            locks.push(Lock::Cluster(lease));
        }
        Ok(locks)
    }

    /// Refuses to change anything after a lock was lost: somebody else may deploy now.
    pub(super) fn still_locked(&self) -> Result<(), CallError> {
        match self.losses().iter().find_map(|loss| loss.get().cloned()) {
            None => Ok(()),
            Some(why) => Err(CallError::Mismatch(format!(
                "the Lease that this deploy held is lost: {why}; nothing more is changed, because another deploy may be in \
                 progress. See what runs, then run the same command again"
            ))),
        }
    }

    fn losses(&self) -> std::sync::MutexGuard<'_, Vec<Loss>> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn patching<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a PatchDeployments,
    ) -> Result<Patching<'a>, CallError> {
        let connected = self.connected(&call.runtime).await?;
        // The node's own containerd has the image under the name that it has in the registry there.
        let registry = &self.config.registry.url.authority;
        let new = Patching::new(connected, registry, artifact(ask)?, call, self.mark.as_ref())?;
        Ok(new.restarting(|namespace| self.restart_annotations(&call.runtime, namespace)))
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
