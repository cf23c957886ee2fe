//! `host doctor`: is everything that a deploy goes through as it has to be?
//!
//! It only looks. What is this program's own (configuration, policies, plugins, journal, cache) is read from disk without
//! creating anything. What is outside is asked through the gate, like everything that a plugin does: the principal is
//! `BuiltIn::"doctor"`, the backend the observing one, and its log keeps nothing. All checks run at the same time, each
//! with a deadline of its own.

mod answer;
mod catalogue;
mod configuration;
mod plugins;
mod policies;
mod state;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

pub use answer::{Check, Diagnosis, Health};

use crate::answer::{Answer, CallError};
use crate::backend::live::{Connections, FarSides};
use crate::config::Config;
use crate::diagnosis::{FarSide, Finding};
use crate::fault::Fault;
use crate::gate::built_in::Asking;
use crate::journal::Log;
use crate::operation::{Activate, Operation};
use crate::policy::{BuiltIn, Policy};
use crate::run::circumstances;
use crate::words::seconds;

/// Longest that looking at files may take: a network file system that hangs must not keep the other answers back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be looked at by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Area {
    /// host.toml and its limits
    Configuration,
    /// Rules, entities and their tests
    Policies,
    /// Components, and what policy lets them do
    Plugins,
    /// The artifact registry
    Registry,
    /// The Docker Engine of each runtime
    Engine,
    /// Compose and the project of each runtime
    Compose,
    /// The controlled env file of each runtime, and the locks beside it
    EnvFile,
    /// The API server of each Kubernetes runtime
    Cluster,
    /// Health endpoints of the configuration
    Health,
    /// The journal
    State,
    /// Compiled components
    Cache,
}

/// What is still being waited for.
#[derive(Debug, Default)]
pub struct Pending(Mutex<BTreeSet<String>>);

impl Pending {
    /// Names of checks, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    async fn during<T>(&self, name: String, work: impl Future<Output = T>) -> T {
        let pending = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending().insert(name.clone());
        let result = work.await;
        pending().remove(&name);
        result
    }
}

/// Looks at everything in `only`, or at everything there is.
///
/// # Errors
/// If the host's own policy schema cannot be read.
pub async fn examine(
    config: &Arc<Config>,
    requester: &str,
    only: &[Area],
    pending: &Pending,
) -> Result<Diagnosis, Fault> {
    let loaded = {
        let config = Arc::clone(config);
        blocking("policies", pending, move || Policy::load(&config.policies)).await.unwrap_or_else(|late| {
            Err(Fault::internal(
                "policy-unreadable",
                late.evidence,
                "see whether the disk of the policies answers",
            ))
        })
    };
    let broken = loaded.as_ref().err().cloned();
    let policy = Arc::new(loaded.or_else(|_| Policy::unusable())?);
    let doctor = Doctor {
        config: Arc::clone(config),
        far: Arc::new(FarSides::new(Arc::new(Connections::new(config)))),
        requester: requester.to_owned(),
        broken,
        policy,
        only: only.to_vec(),
        pending,
    };
    Ok(Diagnosis::new(doctor.checks().await))
}

struct Doctor<'a> {
    config: Arc<Config>,
    far: Arc<FarSides>,
    requester: String,
    /// Why the policies cannot be used, if they cannot: `policy` permits nothing then.
    broken: Option<Fault>,
    policy: Arc<Policy>,
    only: Vec<Area>,
    pending: &'a Pending,
}

impl Doctor<'_> {
    fn wants(&self, area: Area) -> bool {
        self.only.is_empty() || self.only.contains(&area)
    }

    /// In the order in which they are shown.
    async fn checks(&self) -> Vec<Check> {
        let (own, with_plugins, rest) =
            tokio::join!(join_all(self.own()), self.plugins_and_compose(), join_all(self.rest()));
        let (plugins, compose) = with_plugins;
        let mut checks: Vec<Check> = own;
        checks.extend(plugins);
        checks.extend(rest.into_iter().chain(compose));
        // Stable: what belongs together stays in its order.
        checks.sort_by_key(|check| check.area as u8);
        checks
    }

    /// What is read from disk.
    fn own(&self) -> Vec<BoxFuture<'_, Check>> {
        let mut all: Vec<BoxFuture<'_, Check>> = Vec::new();
        for (area, name, look) in [
            (Area::Configuration, "configuration", configuration::look as fn(&Config) -> Vec<Finding>),
            (Area::State, "state", state::look),
            (Area::Cache, "cache", state::look_at_cache),
        ] {
            if self.wants(area) {
                let config = Arc::clone(&self.config);
                all.push(Box::pin(async move {
                    let found = blocking(name, self.pending, move || look(&config)).await;
                    Check::new(area, name, found.unwrap_or_else(|late| vec![late]))
                }));
            }
        }
        if self.wants(Area::Policies) {
            let (config, broken) = (Arc::clone(&self.config), self.broken.clone());
            all.push(Box::pin(async move {
                let found =
                    blocking("policies", self.pending, move || policies::look(&config, broken.as_ref()))
                        .await;
                Check::new(Area::Policies, "policies", found.unwrap_or_else(|late| vec![late]))
            }));
        }
        all
    }

    /// Whether a Compose project fits is seen with what the plugins would do to it.
    async fn plugins_and_compose(&self) -> (Vec<Check>, Vec<Check>) {
        let (plugins, compose) = (self.wants(Area::Plugins), self.wants(Area::Compose));
        if !plugins && !compose {
            return (Vec::new(), Vec::new());
        }
        let bench = plugins::Bench {
            config: Arc::clone(&self.config),
            secrets: Arc::clone(self.far.secrets()),
            policy: Arc::clone(&self.policy),
            judged: self.broken.is_none(),
            requester: self.requester.clone(),
            runtime: tokio::runtime::Handle::current(),
        };
        let looked = blocking("plugins", self.pending, move || bench.look()).await;
        let (checks, activations) = looked
            .unwrap_or_else(|late| (vec![Check::new(Area::Plugins, "plugins", vec![late])], Vec::new()));
        let mut projects = Vec::new();
        if compose {
            for runtime in self.config.runtimes.keys() {
                let services: Vec<Activate> =
                    activations.iter().filter(|call| call.runtime == *runtime).cloned().collect();
                let far_side = FarSide::Compose { runtime: runtime.clone(), services };
                projects.push(self.ask(Area::Compose, far_side));
            }
        }
        (if plugins { checks } else { Vec::new() }, join_all(projects).await)
    }

    /// Far sides that nothing else has to be known for. A new kind of far side, such as a source of secrets, is one more
    /// loop here, a variant of [`FarSide`] and of [`Area`], and a file beside the backend that reads it.
    fn rest(&self) -> Vec<BoxFuture<'_, Check>> {
        let mut far_sides = vec![(Area::Registry, FarSide::Registry)];
        for runtime in self.config.runtimes.keys() {
            far_sides.push((Area::Engine, FarSide::Engine { runtime: runtime.clone() }));
            far_sides.push((Area::EnvFile, FarSide::EnvFile { runtime: runtime.clone() }));
        }
        for runtime in self.config.clusters.keys() {
            far_sides.push((Area::Cluster, FarSide::Cluster { runtime: runtime.clone() }));
        }
        for endpoint in self.config.health.keys() {
            far_sides.push((Area::Health, FarSide::Health { endpoint: endpoint.clone() }));
        }
        far_sides
            .into_iter()
            .filter(|(area, _)| self.wants(*area))
            .map(|(area, far_side)| Box::pin(self.ask(area, far_side)) as BoxFuture<'_, Check>)
            .collect()
    }

    /// One question to one far side, through a gate of its own.
    async fn ask(&self, area: Area, far_side: FarSide) -> Check {
        let name = far_side.id();
        let asking = Asking {
            policy: &self.policy,
            built_in: BuiltIn::Doctor,
            context: circumstances(&self.config.zone, &self.requester, None, true),
            far: &self.far,
            log: Log::Unkept,
        };
        let asked = asking.ask(Operation::Diagnose(far_side));
        let found = match self.pending.during(name.clone(), Box::pin(asked)).await {
            Ok(Ok(Answer::Diagnosis(found))) => found,
            Ok(Ok(_)) => vec![Finding::problem("it answered something else", "report this as a bug")],
            Ok(Err(CallError::Denied { reason, .. })) => vec![self.denied(reason)],
            Ok(Err(error)) => vec![Finding::told(error.message(), "see host.toml")],
            Err(halt) => vec![Finding::problem(halt.to_string(), "report this as a bug")],
        };
        Check::new(area, &name, found)
    }

    fn denied(&self, reason: String) -> Finding {
        let action = if self.broken.is_some() {
            "mend the policies first: see `policies` above"
        } else {
            "let a rule permit it, as doctor.cedar of the release does; nobody was asked"
        };
        Finding::problem(reason, action)
    }
}

/// Looks at files on a thread of its own.
async fn blocking<T: Send + 'static>(
    name: &str,
    pending: &Pending,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Finding> {
    let looked = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(look));
    match pending.during(name.to_owned(), looked).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Finding::problem(format!("this check broke: {error}"), "report this as a bug")),
        Err(_) => Err(Finding::problem(
            format!("no answer within {}", seconds(PATIENCE)),
            "see whether the disk that holds it answers (`df`)",
        )),
    }
}
