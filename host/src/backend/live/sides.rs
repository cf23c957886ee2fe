//! How each change reaches what it changes.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::activation::Activation;
use super::delivery::{Delivery, Way};
use super::kubernetes::{Import, Lease, Loss, Patching};
use super::machine::Lock;
use super::{FarSides, artifact};
use crate::answer::CallError;
use crate::gate::ask::Ask;
use crate::names::ServiceName;
use crate::operation::{Activate, Deliver, Operation, PatchDeployments};
use crate::step::Step;

impl FarSides {
    pub(super) async fn delivery<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a Deliver,
    ) -> Result<Delivery<'a>, CallError> {
        let engine = self.to.engine(&call.runtime).await?;
        let site = self.to.site(&call.runtime)?;
        let via = site.runtime.via.as_ref().or(self.to.config.registry.via.as_ref());
        let way = Way { channels: &self.to.channels, via, authority: self.to.authority_for(site).await? };
        let registry = self.to.registry().await?;
        Delivery::new(engine, registry, way, artifact(ask)?, call, &self.to.config.limits)
    }

    pub(super) fn import<'a>(&'a self, ask: &Ask<'a>, call: &'a Deliver) -> Result<Import<'a>, CallError> {
        let cluster = self.to.cluster(&call.runtime)?;
        Import::new(cluster, &self.to.channels, &self.to.config, artifact(ask)?, call)
    }

    pub(super) async fn activation<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a Activate,
    ) -> Result<Activation<'a>, CallError> {
        let engine = self.to.engine(&call.runtime).await?;
        let site = self.to.site(&call.runtime)?;
        let env_file = site.env_file(&self.to.channels).await?.to_owned();
        let machine = site.machine(&self.to.channels).await?.clone();
        let new = Activation::new(
            engine,
            machine,
            &site.runtime,
            env_file,
            artifact(ask)?,
            call,
            &self.to.config.limits,
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
            let connected =
                self.to.cluster(runtime)?.connected(&self.to.channels, &self.to.config.limits).await?;
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
        let connected = self.to.connected(&call.runtime).await?;
        // The node's own containerd has the image under the name that it has in the registry there.
        let registry = &self.to.config.registry.url.authority;
        let new = Patching::new(connected, registry, artifact(ask)?, call, self.mark.as_ref())?;
        Ok(new.restarting(|namespace| self.restart_annotations(&call.runtime, namespace)))
    }
}
