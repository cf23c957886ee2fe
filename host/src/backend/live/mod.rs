//! The far sides themselves. Only this folder does I/O on the world that is deployed to, and only the gate reaches it.

mod activation;
mod channels;
mod compose;
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
mod inside;
pub(super) mod json;
mod kubernetes;
mod machine;
pub(super) mod process;
mod registry;
mod retention;
mod site;
pub mod ssh;
#[cfg(test)]
mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::change::{Change, Unmade};
use super::secrets::Sources;
use crate::answer::{Answer, CallError, Check};
use crate::artifact::Artifact;
use crate::config::Config;
use crate::gate::ask::Ask;
use crate::names::{ConfigName, ContainerName, RuntimeName, ServiceName};
use crate::operation::{Activate, Deliver, ExpectHealth, HealthTarget, Operation, stamp_prefix};
use crate::provenance::{Mark, Provenance};
use crate::step::Step;
use activation::{Activation, EarlyCheck, Started};
use channels::Channels;
use delivery::{Delivery, Way};
use docker::Engine;
use health::HealthSource;
use inside::Inside;
pub use machine::Lock;
use machine::Machine;
use registry::RegistryClient;
use site::Site;

/// Everything that a run can reach. Nothing is connected before it is asked.
pub struct FarSides {
    config: Config,
    channels: Channels,
    registry: OnceCell<RegistryClient>,
    secrets: Arc<Sources>,
    sites: BTreeMap<RuntimeName, Site>,
    /// The containers that this run started: they must still be the same ones when their health is good.
    started: Mutex<BTreeMap<(RuntimeName, ContainerName), Started>>,
    /// What changes leave on their targets.
    mark: Option<Mark>,
    /// Checks that were begun while an image was delivered.
    early: Mutex<Vec<(Activate, EarlyCheck)>>,
}

impl FarSides {
    /// Those that the configuration names.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            channels: Channels::new(config),
            registry: OnceCell::new(),
            secrets: Arc::new(Sources::new(config)),
            sites: config
                .runtimes
                .iter()
                .map(|(name, runtime)| (name.clone(), Site::new(runtime.clone())))
                .collect(),
            started: Mutex::new(BTreeMap::new()),
            mark: None,
            early: Mutex::new(Vec::new()),
            config: config.clone(),
        }
    }

    /// The same; changes leave this mark.
    #[must_use]
    pub fn marking(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// Where the values of secrets are.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Sources> {
        &self.secrets
    }

    /// The argument vector of the program that a change runs, if it runs one; nothing where the configuration does not
    /// say yet what it would be.
    #[must_use]
    pub fn argv(&self, operation: &Operation) -> Option<Vec<String>> {
        let Operation::Activate(call) = operation else { return None };
        let site = self.sites.get(&call.runtime)?;
        let env_file = site.known_env_file()?;
        // The words are the same on every machine.
        let compose = compose::Compose::new(Machine::Here, &site.runtime, &env_file, &self.config.limits);
        Some(
            compose
                .recreate_argv(&call.service)
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        )
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
        let runtimes: BTreeSet<&RuntimeName> = steps
            .iter()
            .filter_map(|step| match &step.operation {
                Operation::Deliver(call) => Some(&call.runtime),
                Operation::Activate(call) => Some(&call.runtime),
                _ => None,
            })
            .collect();
        let mut locks = Vec::new();
        for runtime in runtimes {
            let site = self.site(runtime)?;
            let env_file = site.env_file(&self.channels).await?;
            locks.push(site.machine(&self.channels).await?.lock_service(env_file, service, holder).await?);
        }
        Ok(locks)
    }

    /// Answers a read.
    pub(super) async fn read(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        match ask.operation {
            Operation::Resolve(call) => {
                let resolved = Box::pin(async {
                    let registry = self.registry().await?;
                    let near = registry.authority();
                    let via = self.config.registry.via.as_ref();
                    self.channels.through(via, near, registry.resolve(call, ask.watcher)).await
                });
                let artifact = stoppable(ask, resolved).await?;
                Ok(Answer::Artifact(Box::new(artifact)))
            }
            Operation::InspectContainer(call) => {
                let engine = self.engine(&call.runtime).await?;
                Ok(Answer::Container(container::inspect(engine, call).await?))
            }
            Operation::ReadRuns { runtime, services } => {
                Ok(Answer::Runs(stoppable(ask, self.runs(runtime, services)).await?))
            }
            Operation::Diagnose(far_side) => {
                let found = stoppable(ask, Box::pin(self.diagnose(far_side))).await?;
                Ok(Answer::Diagnosis(found))
            }
            other => Err(kubernetes::unavailable(other)),
        }
    }

    /// Looks at what a change would write to, and refuses what it could not be made on: (before, desired). Nothing where
    /// there is no live side to look at: then the change is recorded as it was asked, and a live pass refuses it.
    pub(super) async fn probe(&self, ask: &Ask<'_>) -> Result<Option<(Value, Value)>, CallError> {
        match ask.operation {
            Operation::Deliver(call) => {
                stoppable(ask, async { probed(&self.delivery(ask, call).await?).await }).await.map(Some)
            }
            Operation::Activate(call) => {
                let early = self.take_early(call);
                let probed = async { probed(&self.activation(ask, call).await?.with_check(early)).await };
                stoppable(ask, Box::pin(probed)).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Begins, beside the delivery `ask`, the reads of the activation that follows it in the same recording, which policy
    /// permitted when it was recorded. They take as long as a delivery whose layers are there.
    pub(super) async fn look_ahead(&self, ask: &Ask<'_>, recorded: &[Step]) {
        let Operation::Deliver(delivery) = ask.operation else { return };
        let next = recorded.iter().find_map(|step| match &step.operation {
            Operation::Activate(call)
                if step.verdict.allowed && call.runtime == delivery.runtime && step.seq > ask.seq =>
            {
                Some(call)
            }
            _ => None,
        });
        let Some(call) = next else { return };
        // What goes wrong here is told by the activation itself.
        if let Ok(activation) = self.activation(ask, call).await {
            self.early().push((call.clone(), activation.begin_check()));
        }
    }

    fn early(&self) -> std::sync::MutexGuard<'_, Vec<(Activate, EarlyCheck)>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_early(&self, call: &Activate) -> Option<EarlyCheck> {
        let mut early = self.early();
        let at = early.iter().position(|(begun, _)| begun == call)?;
        Some(early.swap_remove(at).1)
    }

    /// Makes a change; answers with what is there now.
    pub(super) async fn apply(&self, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
        match ask.operation {
            Operation::Deliver(call) => applied(&self.delivery(ask, call).await?, ask, before).await,
            Operation::Activate(call) => {
                let change = self.activation(ask, call).await?;
                let after = applied(&change, ask, before).await?;
                if let Some(started) = change.started() {
                    let key = (call.runtime.clone(), call.container.clone());
                    self.started().insert(key, started.clone());
                }
                Ok(after)
            }
            Operation::Retain(call) => {
                let engine = self.engine(&call.runtime).await?;
                Ok(value(&retention::retain(engine, call, ask).await?)?)
            }
            other => Err(kubernetes::unavailable(other).into()),
        }
    }

    /// Takes back what `done` did.
    pub(super) async fn undo(&self, ask: &Ask<'_>, change: &Operation, done: &Step) -> Result<(), CallError> {
        match change {
            Operation::Deliver(call) => undone(&self.delivery(ask, call).await?, ask, done).await,
            Operation::Activate(call) => undone(&self.activation(ask, call).await?, ask, done).await,
            other => Err(kubernetes::unavailable(other)),
        }
    }

    /// Holds what is there now against what is expected, until it fits or the time is up.
    pub(super) async fn verify(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        match ask.operation {
            Operation::InspectContainer(_) => self.read(ask).await,
            Operation::ExpectContainer(call) => {
                let engine = self.engine(&call.runtime).await?;
                let checks = container::expect(engine, call, artifact(ask)?).await?;
                Ok(Answer::Checks(checks))
            }
            Operation::ExpectHealth(call) => self.health(ask, call).await.map(Answer::Checks),
            other => Err(kubernetes::unavailable(other)),
        }
    }

    async fn health(&self, ask: &Ask<'_>, call: &ExpectHealth) -> Result<Vec<Check>, CallError> {
        let limits = &self.config.limits;
        let checks = match &call.target {
            HealthTarget::Endpoint { name } => {
                let source = self.endpoint(name).ok_or_else(|| {
                    CallError::Unavailable(format!(
                        "host.toml names no health endpoint {name}: add [health.{name}] with its url"
                    ))
                })?;
                health::expect(call, &source, limits, ask.watcher, ask.interrupt).await?
            }
            HealthTarget::Service { .. } => return Err(kubernetes::unavailable(ask.operation)),
            HealthTarget::Container { runtime, container, port, path, with_stamp } => {
                let engine = self.engine(runtime).await?;
                let prefix = with_stamp.then(|| stamp_prefix(&call.service));
                let configured =
                    ConfigName::parse(container.as_str()).ok().and_then(|name| self.endpoint(&name));
                let way =
                    inside::Way { channels: &self.channels, via: self.site(runtime)?.runtime.via.as_ref() };
                let inside =
                    Inside { engine, way, container, port: *port, path: path.as_str(), prefix, configured };
                health::expect(call, &inside, limits, ask.watcher, ask.interrupt).await?
            }
        };
        // Whatever answered: what this run started must have stayed up meanwhile.
        let started = self.started().clone();
        for ((runtime, container), started) in &started {
            activation::still_same(self.engine(runtime).await?, container, started).await?;
        }
        Ok(checks)
    }

    fn endpoint(&self, name: &ConfigName) -> Option<HealthSource> {
        let url = self.config.health.get(name)?;
        Some(HealthSource { authority: url.authority.clone(), path: url.path.clone(), deploy: None })
    }

    async fn delivery<'a>(&'a self, ask: &Ask<'a>, call: &'a Deliver) -> Result<Delivery<'a>, CallError> {
        let engine = self.engine(&call.runtime).await?;
        let site = self.site(&call.runtime)?;
        let via = site.runtime.via.as_ref().or(self.config.registry.via.as_ref());
        let way = Way { channels: &self.channels, via, authority: self.authority_for(site).await? };
        let registry = self.registry().await?;
        Delivery::new(engine, registry, way, artifact(ask)?, call, &self.config.limits)
    }

    async fn activation<'a>(
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

    async fn runs(
        &self,
        runtime: &RuntimeName,
        services: &[ServiceName],
    ) -> Result<Vec<(ServiceName, Provenance)>, CallError> {
        let site = self.site(runtime)?;
        let env_file = site.env_file(&self.channels).await?;
        env_file::runs(site.machine(&self.channels).await?, env_file, services).await
    }

    /// The registry as this machine reaches it.
    async fn registry(&self) -> Result<&RegistryClient, CallError> {
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

    fn site(&self, name: &RuntimeName) -> Result<&Site, CallError> {
        self.sites.get(name).ok_or_else(|| {
            CallError::Unavailable(format!("host.toml does not say where {name} is: add [runtimes.{name}]"))
        })
    }

    async fn engine(&self, name: &RuntimeName) -> Result<&Engine, CallError> {
        self.site(name)?.engine(&self.channels, &self.config.limits).await
    }

    fn started(&self) -> std::sync::MutexGuard<'_, BTreeMap<(RuntimeName, ContainerName), Started>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a read that an interrupt should not have to wait for.
async fn stoppable<T>(
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

async fn applied<C: Change>(change: &C, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
    let after = change.apply(&state(before)?, ask.watcher, ask.interrupt).await?;
    // The change is made: whatever goes wrong from here on, something of it is there.
    value(&after).map_err(|error| Unmade { error, left: true })
}

async fn undone<C: Change>(change: &C, ask: &Ask<'_>, done: &Step) -> Result<(), CallError> {
    let after = done.after.as_ref().map(|after| state(Some(after))).transpose()?;
    change.undo(&state(done.before.as_ref())?, after.as_ref(), ask.watcher).await
}

async fn probed<C: Change>(change: &C) -> Result<(Value, Value), CallError> {
    let before = change.probe().await?;
    let desired = change.desired(&before);
    Ok((value(&before)?, value(&desired)?))
}

fn value<T: serde::Serialize>(state: &T) -> Result<Value, CallError> {
    serde_json::to_value(state)
        .map_err(|error| CallError::Other(format!("a state cannot be written down: {error}")))
}

fn state<T: serde::de::DeserializeOwned>(value: Option<&Value>) -> Result<T, CallError> {
    T::deserialize(value.unwrap_or(&Value::Null))
        .map_err(|error| CallError::Other(format!("a state cannot be read back: {error}")))
}
