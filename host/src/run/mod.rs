//! One deploy, from the request to the report. This file is the whole flow; everything else is detail.

mod conclude;
mod proof;
mod services;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::access::Action;
use crate::backend::Backend;
use crate::backend::live::FarSides;
use crate::capability::Asked;
use crate::config::Config;
use crate::engine::{Descriptor, Engine, EnvironmentFacts, Loaded, Outcome, Stop};
use crate::fault::Fault;
use crate::gate::{Audience, Gate, Subject};
use crate::journal::{Begin, Journal, OnFailure, RunLog};
use crate::names::{Commit, Environment, ServiceName};
use crate::operation::Operation;
use crate::policy::{Context, Policy, Principal, Weekday};
use crate::progress::Interrupt;
use crate::recording::Recording;
use crate::report::{Facts, Mode, PluginPart, Report, RunResult, build};
use crate::step::Step;

use conclude::{Failing, conclude_live, conclude_observed, unsupported_environment, unsupported_service};
use proof::Shortfall;

pub use services::{EnvironmentRow, ServiceRow};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which service.
    pub service: ServiceName,
    /// Where.
    pub environment: Environment,
    /// Which commit.
    pub commit: Commit,
    /// Look, or do.
    pub mode: Mode,
    /// What happens to done changes when a later step fails.
    pub on_failure: OnFailure,
}

/// Everything a run works with.
pub struct Host {
    /// The operator's configuration.
    pub config: Config,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Runs plugins.
    pub engine: Arc<Engine>,
    /// Who asks.
    pub requester: String,
}

/// One pass of the plugin over one backend.
struct Passed {
    outcome: Result<Outcome, Stop>,
    gate: Gate,
}

/// What does not change between the passes of one run.
struct Run<'a> {
    host: &'a Host,
    request: &'a Request,
    loaded: Arc<Loaded>,
    descriptor: Descriptor,
    environment: EnvironmentFacts,
    subject: Subject,
    log: RunLog,
    far: Arc<FarSides>,
    audience: Arc<dyn Audience>,
    interrupt: Interrupt,
}

impl Host {
    /// Loads policy and engine for a configuration.
    pub fn open(config: Config, requester: String) -> Result<Self, Fault> {
        let policy = Arc::new(Policy::load(&config.policies)?);
        let engine = Arc::new(Engine::new(&config.state, &config.cache, &config.limits)?);
        Ok(Self { config, policy, engine, requester })
    }

    /// Deploys, or shows what a deploy would do. A report means that the question was understood; its decision says what
    /// came of it.
    ///
    /// # Errors
    /// A [`Fault`] for a missing or broken plugin and for a journal that cannot be written.
    pub async fn deploy(
        &self,
        request: &Request,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
    ) -> Result<Report, Fault> {
        let Some(loaded) = self.plugin(&request.service)? else {
            return Ok(self.bare_report(request, unsupported_service(self, request)));
        };
        let loaded = Arc::new(loaded);
        let descriptor = self.engine.describe(&loaded, tokio::runtime::Handle::current())?;
        let known = descriptor.environments.iter().find(|one| one.name == request.environment).cloned();
        let Some(environment) = known else {
            return Ok(self.bare_report(request, unsupported_environment(request, &descriptor)));
        };
        let log = Journal::open(&self.config.state)?.begin(&Begin {
            service: &request.service,
            environment: &request.environment,
            commit: &request.commit,
            mode: request.mode.as_str(),
            batched: request.mode == Mode::DryRun,
            requester: &self.requester,
            on_failure: request.on_failure,
            plugin: (&loaded.which.digest, &descriptor.version, &loaded.bytes),
            policy: self.policy.digest(),
        })?;
        let run = Run {
            host: self,
            request,
            subject: self.subject(&loaded, request),
            loaded,
            descriptor,
            environment,
            log,
            far: Arc::new(FarSides::new(&self.config)),
            audience,
            interrupt,
        };
        let report = match request.mode {
            Mode::DryRun => run.look(Backend::Predicting).await?,
            Mode::Plan => run.look(Backend::Observing(Arc::clone(&run.far))).await?,
            Mode::Live => run.live().await?,
        };
        let text = serde_json::to_string(&report).map_err(|error| {
            Fault::internal(
                "report",
                format!("the report cannot be written: {error}"),
                "report this as a bug",
            )
        })?;
        run.log.finish(report.decision.as_str(), report.decision.exit_code(), &text)?;
        Ok(report)
    }

    /// The component of a service; nothing where nobody knows the service.
    fn plugin(&self, service: &ServiceName) -> Result<Option<Loaded>, Fault> {
        let path = self.config.component(service);
        if !path.exists() && !self.policy.knows(service) {
            return Ok(None);
        }
        Ok(Some(self.engine.load(service, &path)?))
    }

    fn asked(&self, service: &ServiceName, commit: &Commit) -> Asked {
        Asked {
            service: service.clone(),
            commit: commit.clone(),
            namespace: self.config.registry.namespace.clone(),
        }
    }

    fn subject(&self, loaded: &Loaded, request: &Request) -> Subject {
        let now = jiff::Timestamp::now().to_zoned(self.config.zone.clone());
        Subject {
            principal: Principal { plugin: loaded.which.name.clone(), digest: loaded.which.digest.clone() },
            context: Context {
                environment: request.environment.clone(),
                operator: self.requester.clone(),
                weekday: weekday(now.weekday()),
                minute_of_day: u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute()))
                    .unwrap_or(0),
            },
        }
    }

    /// A report about a request that no plugin took.
    fn bare_report(&self, request: &Request, result: RunResult) -> Report {
        let facts = Facts {
            mode: request.mode,
            service: &request.service,
            environment: &request.environment,
            commit: &request.commit,
            described: None,
            plugin: None,
            policy: self.policy.digest(),
            run: None,
            registry: &self.config.registry,
            argv: &|_| None,
        };
        build(&facts, &[], result)
    }
}

impl Run<'_> {
    /// One pass that changes nothing.
    async fn look(&self, backend: Backend) -> Result<Report, Fault> {
        let passed = self.pass(backend).await?;
        let failing = self.failing(&passed);
        let result = conclude_observed(self.request, &passed.outcome, passed.gate.steps(), failing);
        Ok(self.report(passed.gate.steps(), result))
    }

    /// Observing, then live bound to it.
    async fn live(&self) -> Result<Report, Fault> {
        let observed = self.pass(Backend::Observing(Arc::clone(&self.far))).await?;
        let failing = self.failing(&observed);
        let result = conclude_observed(self.request, &observed.outcome, observed.gate.steps(), failing);
        if result.decision != crate::report::Decision::Planned {
            return Ok(self.report(observed.gate.steps(), result));
        }
        let recording = Recording::new(observed.gate.into_steps());
        let mut acted = self.pass(Backend::Live(Arc::clone(&self.far), recording)).await?;
        let verdict = proof::verdict(&acted.outcome, acted.gate.steps(), &self.request.commit);
        let mut undone = Vec::new();
        // Degraded is no failure: the requested commit runs and is proved.
        let failed = matches!(&verdict, Err(shortfall) if !matches!(shortfall, Shortfall::Degraded(_)));
        if failed && self.request.on_failure == OnFailure::Rollback {
            undone = take_back(&mut acted.gate).await;
        }
        let result = conclude_live(self.request, verdict, acted.gate.steps(), &undone);
        Ok(self.report(acted.gate.steps(), result))
    }

    /// Runs the plugin once, on a thread of its own: it waits for answers like any program.
    async fn pass(&self, backend: Backend) -> Result<Passed, Fault> {
        let gate = Gate::new(
            Arc::clone(&self.host.policy),
            self.subject.clone(),
            self.log.clone(),
            backend,
            Arc::clone(&self.audience),
            self.interrupt.clone(),
            self.host.config.limits.host_calls,
        );
        let (engine, loaded) = (Arc::clone(&self.host.engine), Arc::clone(&self.loaded));
        let asked = self.host.asked(&self.request.service, &self.request.commit);
        let environment = self.request.environment.clone();
        let runtime = tokio::runtime::Handle::current();
        let lost = |what: String| Fault::internal("engine", what, "report this as a bug");
        let (outcome, gate) =
            tokio::task::spawn_blocking(move || engine.deploy(&loaded, gate, runtime, asked, &environment))
                .await
                .map_err(|error| lost(format!("the plugin's thread ended early: {error}")))?;
        let gate = gate.ok_or_else(|| lost("the plugin's thread lost its gate".to_owned()))?;
        Ok(Passed { outcome, gate })
    }

    /// The failure path is decided before the first change, like everything else.
    fn failing(&self, passed: &Passed) -> Failing {
        if self.request.on_failure == OnFailure::Leave {
            return Failing::Allowed;
        }
        let denied = Recording::undoable(passed.gate.steps()).find_map(|step| {
            let undo = Operation::Undo { change: Box::new(step.operation.clone()) };
            passed.gate.verdict(&undo).reason
        });
        denied.map_or(Failing::Allowed, |reason| Failing::Denied { action: Action::Rollback, reason })
    }

    fn report(&self, steps: &[Step], result: RunResult) -> Report {
        let which = &self.loaded.which;
        let facts = Facts {
            mode: self.request.mode,
            service: &self.request.service,
            environment: &self.request.environment,
            commit: &self.request.commit,
            described: Some((&self.descriptor, &self.environment)),
            plugin: Some(PluginPart {
                name: which.name.to_string(),
                version: self.descriptor.version.clone(),
                digest: which.digest.clone(),
                imports: self.loaded.imports.clone(),
            }),
            policy: self.host.policy.digest(),
            run: Some(self.log.id()),
            registry: &self.host.config.registry,
            argv: &|operation| self.far.argv(operation),
        };
        build(&facts, steps, result)
    }
}

/// One change that was to be taken back.
struct Undone {
    target: String,
    result: Result<(), String>,
}

/// Takes the done changes back, last first. One that cannot be taken back does not keep the others from it.
async fn take_back(gate: &mut Gate) -> Vec<Undone> {
    let done: Vec<Step> = Recording::undo_order(gate.steps()).cloned().collect();
    let mut undone = Vec::with_capacity(done.len());
    for step in done {
        let result = match gate.undo(&step).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(halt) => Err(halt.to_string()),
        };
        undone.push(Undone {
            target: format!("{} of {}", step.operation.name(), step.operation.target()),
            result,
        });
    }
    undone
}

/// Who asks: the user of this process, by the name that the system's user table gives.
#[must_use]
pub fn requester() -> String {
    let id = rustix::process::getuid().as_raw();
    let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|table| {
        table.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
            (uid.parse() == Ok(id)).then(|| name.to_owned())
        })
    });
    name.unwrap_or_else(|| format!("uid-{id}"))
}

fn weekday(day: jiff::civil::Weekday) -> Weekday {
    use jiff::civil::Weekday as Day;
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}
