//! The far sides themselves. Only this folder does I/O on the world that is deployed to, and only the gate reaches it.

mod activation;
mod ahead;
mod changing;
mod channels;
mod compose;
mod connections;
mod container;
mod delivery;
mod diagnose;
mod docker;
pub(super) mod env_file;
#[cfg(any(fuzzing, test))]
pub mod fuzzing {
    //! What [`crate::fuzzing`] feeds here.
    pub use super::compose::fuzzing::{compose_config, compose_said};
    pub use super::env_file::fuzzing::{env_file, secrets};
    pub use super::health::fuzzing::health;
    pub use super::registry::fuzzing::{image_config, manifest};
}
mod health;
mod http;
mod identify;
#[cfg(test)]
pub mod imagined;
mod inside;
mod installation;
mod installing;
pub(super) mod json;
mod kubernetes;
mod machine;
pub(super) mod process;
mod registry;
mod retention;
mod sides;
pub mod signing;
mod site;
pub mod ssh;
#[cfg(test)]
mod testing;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::Notify;

use super::change::Unmade;
use super::secrets::Sources;
use crate::answer::{Answer, CallError, Check};
use crate::artifact::Artifact;
use crate::config::Limits;
use crate::gate::ask::Ask;
use crate::names::{ConfigName, ContainerName, RuntimeName, ServiceName};
use crate::operation::{Activate, ExpectHealth, HealthTarget, Operation, stamp_prefix};
use crate::provenance::{Mark, Provenance};
use crate::step::Step;
use activation::{EarlyCheck, Started};
use changing::{Changing, value};
pub use connections::Connections;
use inside::Inside;
use installing::Installing;
use kubernetes::{Loss, Proxied, Synced};
pub use machine::Lock;
pub(super) use whereabouts::located_offline;

/// Longest that a look at what was there before waits for it to be well, in seconds.
const BRIEF: u64 = 3;

/// Everything that a run can reach, and what it knows of what it did there.
pub struct FarSides {
    to: Arc<Connections>,
    /// What the synchronised objects of this run hold now, and held before.
    synced: Synced,
    /// The containers that this run started: they must still be the same ones when their health is good.
    started: Mutex<BTreeMap<(RuntimeName, ContainerName), Started>>,
    /// What changes leave on their targets.
    mark: Option<Mark>,
    /// What says that a Lease of this run is lost.
    losses: Mutex<Vec<Loss>>,
    /// Checks that were begun while an image was delivered.
    early: Mutex<Vec<(Activate, EarlyCheck)>>,
    /// That the registry is asked for an artifact.
    asks_registry: Notify,
}

impl FarSides {
    /// Of a run that reaches them by these ways.
    #[must_use]
    pub fn new(to: Arc<Connections>) -> Self {
        Self {
            to,
            synced: Synced::default(),
            started: Mutex::new(BTreeMap::new()),
            mark: None,
            losses: Mutex::default(),
            early: Mutex::new(Vec::new()),
            asks_registry: Notify::new(),
        }
    }

    /// The same; changes leave this mark.
    #[must_use]
    pub fn marking(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// How the registry itself is, where that was looked at and should be looked at by somebody.
    #[must_use]
    pub fn registry_warning(&self) -> Option<String> {
        self.to.registry_warning.get().cloned().flatten()
    }

    /// Has it looked at by `look` as soon as the registry is asked for an artifact; once for all that share these ways.
    pub async fn look_at_registry(&self, look: impl Future<Output = Option<String>>) {
        self.asks_registry.notified().await;
        self.to.registry_warning.get_or_init(|| look).await;
    }

    /// Where the values of secrets are.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Sources> {
        &self.to.secrets
    }

    /// The argument vector of the program that a change runs, if it runs one; nothing where the configuration does not
    /// say yet what it would be.
    #[must_use]
    pub fn argv(&self, operation: &Operation) -> Option<Vec<String>> {
        self.to.argv(operation)
    }

    /// Takes the lock of `service` wherever the changes of a recording go, for the whole of a live run: nobody else may
    /// deploy it between a change and its verification or its way back.
    ///
    /// # Errors
    /// Who holds it.
    pub async fn lock(
        &self,
        steps: &[Step],
        service: &ServiceName,
        holder: &str,
    ) -> Result<Vec<Lock>, CallError> {
        #[cfg(test)]
        if self.imagined().is_some() {
            return Ok(Vec::new());
        }
        let runtimes: BTreeSet<&RuntimeName> = steps
            .iter()
            .filter_map(|step| match &step.operation {
                // That of a cluster is where its Deployments are.
                Operation::Deliver(call) => {
                    Some(&call.runtime).filter(|runtime| !self.to.is_cluster(runtime))
                }
                Operation::Activate(call) => Some(&call.runtime),
                _ => None,
            })
            .collect();
        let mut locks = self.leases(steps, service, holder).await?;
        for runtime in runtimes {
            let site = self.to.site(runtime)?;
            let env_file = site.env_file(&self.to.channels).await?;
            locks.push(site.machine(&self.to.channels).await?.lock_service(env_file, service, holder).await?);
        }
        Ok(locks)
    }

    /// Answers a read.
    pub(super) async fn read(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        #[cfg(test)]
        if let Some(world) = self.imagined() {
            self.asks_registry.notify_one();
            return world.read(ask);
        }
        match ask.operation {
            Operation::Resolve(call) => {
                self.asks_registry.notify_one();
                let resolved = Box::pin(async {
                    let registry = self.to.registry().await?;
                    let near = registry.authority();
                    let via = self.to.config.registry.via.as_ref();
                    self.to.channels.through(via, near, registry.resolve(call, ask.watcher)).await
                });
                let artifact = stoppable(ask, resolved).await?;
                Ok(Answer::Artifact(Box::new(artifact)))
            }
            Operation::InspectContainer(call) => {
                let engine = self.to.engine(&call.runtime).await?;
                Ok(Answer::Container(container::inspect(engine, call).await?))
            }
            Operation::InspectWorkload(call) => {
                let inspected =
                    async { kubernetes::inspect(self.to.connected(&call.runtime).await?, call).await };
                Ok(Answer::Workload(stoppable(ask, inspected).await?))
            }
            Operation::InspectRegistry { evidence } => {
                let found = stoppable(ask, Box::pin(installation::observe(&self.to, *evidence))).await?;
                Ok(Answer::Installation(Box::new(found)))
            }
            Operation::ListArtifacts(call) => {
                let listed = Box::pin(async {
                    let registry = self.to.registry().await?;
                    let via = self.to.config.registry.via.as_ref();
                    let listing = registry.list(call, ask.watcher);
                    self.to.channels.through(via, registry.authority(), listing).await
                });
                Ok(Answer::Artifacts(Box::new(stoppable(ask, listed).await?)))
            }
            Operation::ReadRuns { runtime, services, deployments } => {
                let told = async {
                    if self.to.is_cluster(runtime) {
                        kubernetes::runs(self.to.connected(runtime).await?, deployments).await
                    } else {
                        self.runs(runtime, services).await
                    }
                };
                Ok(Answer::Runs(stoppable(ask, told).await?))
            }
            Operation::Identify(scope) => {
                let found = stoppable(ask, identify::identify(&self.to, scope).boxed()).await?;
                Ok(Answer::Identities(Box::new(found)))
            }
            Operation::Diagnose(far_side) => {
                let found = stoppable(ask, Box::pin(self.diagnose(far_side))).await?;
                Ok(Answer::Diagnosis(found))
            }
            other => Err(misplaced(other)),
        }
    }

    /// Looks at what a change would write to, and refuses what it could not be made on: (before, desired). Nothing for old
    /// images: which of them are in nobody's use is looked up when they are removed.
    pub(super) async fn probe(&self, ask: &Ask<'_>) -> Result<Option<(Value, Value)>, CallError> {
        if matches!(ask.operation, Operation::Retain(_)) {
            return Ok(None);
        }
        #[cfg(test)]
        if let Some(world) = self.imagined() {
            return world.probe(ask).map(Some);
        }
        let probed = async { self.changing(ask, ask.operation).await?.probed().await.map(Some) };
        stoppable(ask, Box::pin(probed)).await
    }

    /// Makes a change; answers with what is there now.
    pub(super) async fn apply(&self, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
        #[cfg(test)]
        if let Some(world) = self.imagined() {
            return world.apply(ask, before);
        }
        if let Operation::Retain(call) = ask.operation {
            let engine = self.to.engine(&call.runtime).await?;
            return Ok(value(&retention::retain(engine, call, ask).await?)?);
        }
        self.still_locked()?;
        let change = self.changing(ask, ask.operation).await?;
        let after = change.applied(ask, before).await?;
        if let (Operation::Activate(call), Changing::Activation(change)) = (ask.operation, &change)
            && let Some(started) = change.started()
        {
            let key = (call.runtime.clone(), call.container.clone());
            self.started().insert(key, started.clone());
        }
        Ok(after)
    }

    /// Takes back what `done` did.
    pub(super) async fn undo(&self, ask: &Ask<'_>, change: &Operation, done: &Step) -> Result<(), CallError> {
        #[cfg(test)]
        if let Some(world) = self.imagined() {
            return world.undo(ask, change);
        }
        self.still_locked()?;
        self.changing(ask, change).await?.undone(ask, done).await
    }

    /// The change that an operation asks for.
    async fn changing<'a>(
        &'a self,
        ask: &Ask<'a>,
        operation: &'a Operation,
    ) -> Result<Changing<'a>, CallError> {
        Ok(match operation {
            Operation::Deliver(call) if self.to.is_cluster(&call.runtime) => {
                Changing::Import(self.import(ask, call)?)
            }
            Operation::Deliver(call) => Changing::Delivery(self.delivery(ask, call).await?),
            Operation::Activate(call) => {
                let early = self.take_early(call);
                let activation = self.activation(ask, call).await?.with_check(early);
                Changing::Activation(Box::new(activation))
            }
            Operation::PatchDeployments(call) => Changing::Patch(self.patching(ask, call).await?),
            Operation::SyncObject(call) => Changing::Synchronisation(self.synchronisation(ask, call).await?),
            Operation::InstallRegistry => Changing::Installation(Installing::new(&self.to)),
            other => return Err(misplaced(other)),
        })
    }

    /// Holds what is there now against what is expected, until it fits or the time is up.
    pub(super) async fn verify(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        self.verify_within(ask, &self.to.config.limits).await
    }

    /// The same of something that was there before: what is well answers at once, and nothing else is waited for long.
    pub(super) async fn look(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        let Limits { health_seconds, rollout_seconds, .. } = self.to.config.limits;
        let brief = Limits {
            health_seconds: health_seconds.min(BRIEF),
            rollout_seconds: rollout_seconds.min(BRIEF),
            ..self.to.config.limits.clone()
        };
        self.verify_within(ask, &brief).await
    }

    async fn verify_within(&self, ask: &Ask<'_>, limits: &Limits) -> Result<Answer, CallError> {
        #[cfg(test)]
        if let Some(world) = self.imagined() {
            return world.verify(ask);
        }
        match ask.operation {
            Operation::InspectContainer(_) | Operation::InspectWorkload(_) => self.read(ask).await,
            Operation::ExpectContainer(call) => {
                let engine = self.to.engine(&call.runtime).await?;
                let checks = container::expect(engine, call, artifact(ask)?).await?;
                Ok(Answer::Checks(checks))
            }
            Operation::ExpectWorkload(call) => {
                let connected = self.to.connected(&call.runtime).await?;
                Ok(Answer::Checks(kubernetes::expect(connected, call, artifact(ask)?).await?))
            }
            Operation::AwaitRollout(call) => {
                let connected = self.to.connected(&call.runtime).await?;
                let awaited = kubernetes::await_rollout(connected, call, limits, ask.watcher, ask.interrupt);
                Box::pin(awaited).await.map(Answer::Pods)
            }
            Operation::ExpectHealth(call) => self.health(ask, call, limits).await.map(Answer::Checks),
            Operation::InspectRegistry { .. } => {
                let within = Duration::from_secs(limits.health_seconds);
                let settled = installation::settled(&self.to, within, ask.watcher, ask.interrupt).await?;
                Ok(Answer::Installation(Box::new(settled)))
            }
            other => Err(misplaced(other)),
        }
    }

    async fn health(
        &self,
        ask: &Ask<'_>,
        call: &ExpectHealth,
        limits: &Limits,
    ) -> Result<Vec<Check>, CallError> {
        let checks = match &call.target {
            HealthTarget::Endpoint { name } => {
                let source = self.to.endpoint(name).ok_or_else(|| {
                    CallError::Unavailable(format!(
                        "host.toml names no health endpoint {name}: add [health.{name}] with its url"
                    ))
                })?;
                health::expect(call, &source, limits, ask.watcher, ask.interrupt).await?
            }
            HealthTarget::Service { runtime, namespace, service, port, path } => {
                let connected = self.to.connected(runtime).await?;
                let proxied = Proxied { connected, namespace, service, port, path };
                Box::pin(health::expect(call, &proxied, limits, ask.watcher, ask.interrupt)).await?
            }
            HealthTarget::Container { runtime, container, port, path, with_stamp } => {
                let engine = self.to.engine(runtime).await?;
                let prefix = with_stamp.then(|| stamp_prefix(&call.service));
                let configured =
                    ConfigName::parse(container.as_str()).ok().and_then(|name| self.to.endpoint(&name));
                let way = inside::Way {
                    channels: &self.to.channels,
                    via: self.to.site(runtime)?.runtime.via.as_ref(),
                };
                let inside =
                    Inside { engine, way, container, port: *port, path: path.as_str(), prefix, configured };
                health::expect(call, &inside, limits, ask.watcher, ask.interrupt).await?
            }
        };
        // Whatever answered: what this run started must have stayed up meanwhile.
        let started = self.started().clone();
        for ((runtime, container), started) in &started {
            activation::still_same(self.to.engine(runtime).await?, container, started).await?;
        }
        Ok(checks)
    }

    async fn runs(
        &self,
        runtime: &RuntimeName,
        services: &[ServiceName],
    ) -> Result<Vec<(ServiceName, Provenance)>, CallError> {
        let site = self.to.site(runtime)?;
        let env_file = site.env_file(&self.to.channels).await?;
        env_file::runs(site.machine(&self.to.channels).await?, env_file, services).await
    }

    fn started(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RuntimeName, ContainerName), Started>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a read that an interrupt should not have to wait for.
pub(super) async fn stoppable<T>(
    ask: &Ask<'_>,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        () = ask.interrupt.raised() => Err(CallError::Other("interrupted".to_owned())),
        result = work => result,
    }
}

fn artifact<'a>(ask: &Ask<'a>) -> Result<&'a Artifact, CallError> {
    ask.artifact.ok_or_else(|| CallError::Other("the artifact was not resolved in this run".to_owned()))
}

/// No operation comes here that is of another kind than the pass asks for.
fn misplaced(operation: &Operation) -> CallError {
    CallError::Other(format!(
        "{} of {} is no operation that can be asked for here; report this as a bug",
        operation.name(),
        operation.target()
    ))
}
