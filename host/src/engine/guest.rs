//! One run of a component: describe, or deploy over one pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use super::fault::{PluginFault, Which};
use super::limiter::{Exhausted, Limiter};
use super::{Engine, Loaded};
use crate::capability::bindings::Consumer;
use crate::capability::bindings::exports::deploy::consumer::plugin as wit;
use crate::capability::{Asked, Guest};
use crate::gate::Gate;
use crate::gate::halt::Halt;
use crate::names::{Environment, RuntimeName, ServiceName, Shape};
use crate::words::plain;

/// Frames of a guest backtrace that are shown.
const FRAMES: usize = 8;
/// Longest text a plugin may say of itself or of its end, in characters.
const LONGEST: usize = 1000;
/// Most environments, or names in one list, of a description.
const MOST: usize = 50;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The service it knows how to deploy.
    pub service: ServiceName,
    /// Its own version.
    pub version: String,
    /// Where the artifact comes from.
    pub source: SourceFacts,
    /// Where it can be deployed.
    pub environments: Vec<EnvironmentFacts>,
}

/// Where an artifact comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    /// The repository as people name it.
    pub repository: String,
    /// In that repository; nothing where the specification is silent.
    pub dockerfile: Option<String>,
    /// The CI command that publishes the artifact.
    pub producer: String,
}

/// What can be said about a deploy to one environment without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFacts {
    /// `dev`, `prod`.
    pub name: Environment,
    /// How it is deployed there.
    pub shape: Shape,
    /// Where.
    pub runtime: RuntimeName,
    /// What it touches beyond its own target.
    pub affects: Vec<String>,
    /// What it never touches.
    pub excludes: Vec<String>,
    /// Where a commit is tried before it comes here.
    pub after: Option<Environment>,
}

/// The plugin's own words about an end that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What happened.
    pub message: String,
    /// What to do.
    pub recommended_action: String,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

/// How the plugin says that it ended. The host believes it only where its own record agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All done.
    Deployed,
    /// Deployed, but not whole.
    Degraded(Ending),
    /// Not deployed.
    Failed(Ending),
    /// Not to be deployed now.
    Refused(Ending),
    /// Not a thing this plugin does.
    Unsupported(Ending),
}

/// Why a pass has no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The gate ended it.
    Halt(Halt),
    /// The plugin went wrong.
    Plugin(PluginFault),
}

/// What a store holds.
pub struct Running {
    guest: Guest,
    limiter: Limiter,
}

/// Everything a component may import.
pub fn linker(wasm: &wasmtime::Engine) -> wasmtime::Result<Linker<Running>> {
    let mut linker = Linker::new(wasm);
    Consumer::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |running: &mut Running| &mut running.guest)?;
    Ok(linker)
}

impl Engine {
    /// Asks the plugin what it is. It may call nothing meanwhile.
    pub fn describe(
        &self,
        loaded: &Loaded,
        runtime: tokio::runtime::Handle,
    ) -> Result<Descriptor, PluginFault> {
        let guest = Guest::mute(runtime, &self.limits);
        let (described, _) =
            self.call(loaded, guest, |world, store| world.deploy_consumer_plugin().call_describe(store));
        let text = described.map_err(|stop| match stop {
            Stop::Plugin(fault) => fault,
            Stop::Halt(halt) => {
                PluginFault::Description { which: loaded.which.clone(), why: halt.to_string() }
            }
        })?;
        descriptor(&loaded.which, text)
    }

    /// Runs the plugin once; every call it makes passes `gate`. Blocks the calling thread.
    pub fn deploy(
        &self,
        loaded: &Loaded,
        gate: Gate,
        runtime: tokio::runtime::Handle,
        asked: Asked,
        environment: &Environment,
    ) -> (Result<Outcome, Stop>, Option<Gate>) {
        let request = wit::Request {
            service: asked.service.to_string(),
            environment: environment.to_string(),
            commit: asked.commit.to_string(),
        };
        let guest = Guest::new(gate, runtime, asked, &self.limits);
        let (outcome, guest) = self
            .call(loaded, guest, |world, store| world.deploy_consumer_plugin().call_deploy(store, &request));
        (outcome.map(self::outcome), guest.and_then(Guest::into_gate))
    }

    fn call<T>(
        &self,
        loaded: &Loaded,
        guest: Guest,
        call: impl FnOnce(&Consumer, &mut Store<Running>) -> wasmtime::Result<T>,
    ) -> (Result<T, Stop>, Option<Guest>) {
        let mut store = Store::new(&self.wasm, Running { guest, limiter: Limiter::new(&self.limits) });
        let work = || {
            let world = self.instantiate(loaded, &mut store)?;
            call(&world, &mut store).map_err(|error| self.stop(&loaded.which, &error))
        };
        // A bug in the host ends the pass and no more: the gate knows what was done, and the failure path needs it.
        let result =
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Stop::Halt(Halt::bug(&*panic))));
        (result, Some(store.into_data().guest))
    }

    fn instantiate(&self, loaded: &Loaded, store: &mut Store<Running>) -> Result<Consumer, Stop> {
        let contract = |error: wasmtime::Error| {
            // Memories are made and start functions run here; everything else is a misfit.
            match self.stop(&loaded.which, &error) {
                limit @ Stop::Plugin(PluginFault::Limit { .. }) => limit,
                own if error.is::<Trap>() || matches!(own, Stop::Halt(_)) => own,
                _ => Stop::Plugin(PluginFault::Contract {
                    which: loaded.which.clone(),
                    why: shortened(&format!("{error:#}")),
                }),
            }
        };
        store.limiter(|running| &mut running.limiter);
        store.set_fuel(self.limits.fuel).map_err(contract)?;
        store.set_hostcall_fuel(self.limits.call_bytes);
        let allowed = Duration::from_secs(self.limits.guest_seconds);
        let begun = Instant::now();
        store.epoch_deadline_callback(move |store| {
            // The guest's own time only: waiting for a far side is bounded by that far side's deadline.
            let computing = begun.elapsed().saturating_sub(store.data().guest.outside());
            Ok(if computing > allowed { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        loaded.linked.instantiate(store).map_err(contract)
    }

    fn stop(&self, which: &Which, error: &wasmtime::Error) -> Stop {
        let limit = |why: String| Stop::Plugin(PluginFault::Limit { which: which.clone(), why });
        match error.downcast_ref::<Halt>() {
            Some(Halt::Calls { limit: calls }) => {
                return limit(format!(
                    "it made more than {calls} capability calls in one run (limits.host-calls)"
                ));
            }
            Some(halt) => return Stop::Halt(halt.clone()),
            None => {}
        }
        if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
            return limit(exhausted.to_string());
        }
        let root = error.root_cause().to_string();
        // The engine's own type for this is not public; the text is held by a test.
        if root.starts_with("too much data is being copied") {
            let bytes = self.limits.call_bytes;
            return limit(format!("one call carried more than {bytes} bytes (limits.call-bytes)"));
        }
        // Its type for this is a text as well.
        if root.starts_with("resource limit exceeded") {
            let most = self.limits.instances;
            return limit(format!(
                "it has more than {most} instances, memories or tables (limits.instances)"
            ));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => {
                limit(format!("it computed more than {} instructions (limits.fuel)", self.limits.fuel))
            }
            Some(Trap::Interrupt) => limit(format!(
                "it computed longer than {} s (limits.guest-seconds)",
                self.limits.guest_seconds
            )),
            Some(Trap::StackOverflow) => limit("its calls are nested too deep for the stack".to_owned()),
            trap => Stop::Plugin(PluginFault::Trap {
                which: which.clone(),
                why: trap.map_or_else(|| shortened(&root), ToString::to_string),
                backtrace: backtrace(error),
            }),
        }
    }
}

/// The engine's own rendering, demangled, one frame a line; only the frames nearest to the trap.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let text = backtrace.to_string();
    let frames = text.lines().filter(|line| line.contains(" - ")).take(FRAMES);
    frames.fold(String::new(), |shown, line| shown + "\n  " + &shortened(line))
}

/// Text from a plugin: safe for a terminal, and not longer than anybody reads.
fn shortened(text: &str) -> String {
    plain(text, LONGEST)
}

fn outcome(text: wit::Outcome) -> Outcome {
    let ending = |ending: wit::Ending| Ending {
        message: shortened(&ending.message),
        recommended_action: shortened(&ending.recommended_action),
        retryable: ending.retryable,
    };
    match text {
        wit::Outcome::Deployed => Outcome::Deployed,
        wit::Outcome::Degraded(text) => Outcome::Degraded(ending(text)),
        wit::Outcome::Failed(text) => Outcome::Failed(ending(text)),
        wit::Outcome::Refused(text) => Outcome::Refused(ending(text)),
        wit::Outcome::Unsupported(text) => Outcome::Unsupported(ending(text)),
    }
}

fn descriptor(which: &Which, text: wit::Descriptor) -> Result<Descriptor, PluginFault> {
    let wrong = |why: String| PluginFault::Description { which: which.clone(), why };
    let service = ServiceName::parse(&text.service).map_err(|error| wrong(error.to_string()))?;
    if service != which.name {
        return Err(wrong(format!("its file is named for {}, it says it is for {service}", which.name)));
    }
    if text.environments.is_empty() || text.environments.len() > MOST {
        let found = text.environments.len();
        return Err(wrong(format!("it names {found} environments; there must be 1 to {MOST}")));
    }
    let environments = text
        .environments
        .into_iter()
        .map(|one| {
            Ok(EnvironmentFacts {
                name: Environment::parse(&one.name).map_err(|error| wrong(error.to_string()))?,
                shape: Shape::parse(&one.shape).map_err(|error| wrong(error.to_string()))?,
                runtime: RuntimeName::parse(&one.runtime).map_err(|error| wrong(error.to_string()))?,
                affects: one.affects.iter().take(MOST).map(|name| shortened(name)).collect(),
                excludes: one.excludes.iter().take(MOST).map(|name| shortened(name)).collect(),
                after: one
                    .after
                    .map(|name| Environment::parse(&name).map_err(|error| wrong(error.to_string())))
                    .transpose()?,
            })
        })
        .collect::<Result<Vec<_>, PluginFault>>()?;
    Ok(Descriptor {
        service,
        version: shortened(&text.version),
        source: SourceFacts {
            repository: shortened(&text.source.repository),
            dockerfile: text.source.dockerfile.map(|file| shortened(&file)),
            producer: shortened(&text.source.producer),
        },
        environments,
    })
}
