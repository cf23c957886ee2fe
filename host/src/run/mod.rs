//! One deploy, from the request to the report. This file is the whole flow; everything else is detail.

mod back;
mod before;
mod bound;
mod catalogue;
mod circumstances;
mod compare;
mod conclude;
mod desired;
mod evidence;
mod inquiry;
mod live;
mod proof;
mod retain;
mod services;
mod several;
#[cfg(test)]
mod tests;
mod trial;
mod wait;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::backend::Backend;
use crate::backend::live::{Connections, FarSides};
use crate::capability::Asked;
use crate::config::{Catalogue, Config, Desired, Summary};
use crate::engine::{Descriptor, Engine, EnvironmentFacts, Loaded, Outcome, Stop};
use crate::fault::Fault;
use crate::gate::built_in::Asking;
use crate::gate::halt::Halt;
use crate::gate::{Audience, Gate, Subject, Unheard};
use crate::journal::{Begin, Deployed, Journal, Log, OnFailure, RunLog};
use crate::names::{Commit, Environment, RuntimeName, ServiceName};
use crate::plan::ServicePlan;
use crate::policy::{BuiltIn, Policy, Principal};
use crate::progress::Interrupt;
use crate::provenance::Mark;
use crate::recording::Recording;
use crate::report::{
    Decision, Facts, Mode, PluginPart, Report, RunResult, SupportedPart, VerifiedPart, build, deploy_command,
    way_back_flag,
};
use crate::step::Step;
use crate::timing;
use crate::who;

use back::Undone;
pub use bound::Agreed;
use catalogue::republished;
pub use catalogue::{repository, sourced};
pub use circumstances::circumstances;
use conclude::{conclude_observed, faulted, unidentified, unsupported_environment, unsupported_service};
use services::pairs_of;

pub use inquiry::{Inquiries, Inquiry};
pub use services::{EnvironmentRow, GateKind, GateRow, ServiceRow, components};
pub use several::{One, Order};
pub use trial::Trial;

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
    /// Whether another deploy of the same service is waited for.
    pub wait: bool,
    /// What happens to done changes when a later step fails.
    pub on_failure: OnFailure,
    /// Why this commit is deployed though the desired state names another one.
    pub override_desired: Option<String>,
    /// What CI says that it published, where that is to be held against the registry.
    pub artifact: Option<Summary>,
    /// Whether what runs is held against it, and nothing is done.
    pub compare: bool,
    /// Whether the plan is kept: it is bound to where it would be applied, and holds what policy permits once it is approved.
    pub keep: bool,
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
    /// Flags that every advised command needs, so that it means the same host: ` --config FILE`, or nothing.
    pub flags: String,
    /// Opened by the first run.
    journal: Mutex<Option<Journal>>,
    /// The component that was loaded while the policies were.
    ahead: Mutex<Option<Loaded>>,
    /// Read when it is first needed.
    desired: OnceLock<Result<Option<Desired>, Fault>>,
    /// Likewise.
    catalogue: OnceLock<Result<Option<Catalogue>, Fault>>,
}

/// A run that came to a report.
pub struct Done {
    /// What came of it.
    pub report: Report,
    /// What was looked at; of a live run nothing.
    pub recording: Option<Recording>,
    /// The same as it can be kept, where a live run could be bound to it.
    pub plan: Option<Box<ServicePlan>>,
    /// Why the report is not in the journal, if it is not.
    pub journal: Option<Fault>,
}

/// What a run comes to.
struct Looked {
    report: Report,
    recording: Option<Recording>,
    plan: Option<Box<ServicePlan>>,
}

impl From<Report> for Looked {
    fn from(report: Report) -> Self {
        Self { report, recording: None, plan: None }
    }
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
    /// Whether the commit was verified in the environment that goes before.
    verified: Option<VerifiedPart>,
    /// Who signed that this program runs elsewhere, where nobody can tell.
    vouched: BTreeSet<String>,
    log: RunLog,
    far: Arc<FarSides>,
    audience: Arc<dyn Audience>,
    interrupt: Interrupt,
}

impl Host {
    /// Loads policy and engine for a configuration.
    ///
    /// # Errors
    /// A [`Fault`] for policies that cannot be used.
    pub fn open(config: Config, flags: String, requester: String) -> Result<Self, Fault> {
        Self::open_for(config, flags, requester, None)
    }

    /// The same; where it is known which `service` is deployed next, its component and the journal are opened while the
    /// policies are read, on another core.
    ///
    /// # Errors
    /// As for [`Host::open`]: what else cannot be opened is told by the run that needs it.
    pub fn open_for(
        config: Config,
        flags: String,
        requester: String,
        service: Option<&ServiceName>,
    ) -> Result<Self, Fault> {
        let (policy, opened) = std::thread::scope(|threads| {
            let policy = threads.spawn(|| {
                let _phase = timing::phase("policies");
                Policy::load(&config.policies)
            });
            let opened = open_rest(&config, service);
            (policy.join(), opened)
        });
        let lost = |_| Fault::internal("policy", "the policies' thread ended early", "report this as a bug");
        let policy = Arc::new(policy.map_err(lost)??.counting(&config.approvals.roles));
        let (engine, ahead, journal) = opened?;
        Ok(Self {
            config,
            policy,
            engine: Arc::new(engine),
            requester,
            flags,
            journal: Mutex::new(journal),
            ahead: Mutex::new(ahead),
            desired: OnceLock::new(),
            catalogue: OnceLock::new(),
        })
    }

    fn journal(&self) -> Result<Journal, Fault> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*journal {
            return Ok(open.clone());
        }
        let open = Journal::open(&self.config.state)?;
        Ok(journal.insert(open).clone())
    }

    /// Deploys, or shows what a deploy would do. A report means that the question was understood; its decision says what
    /// came of it. Where somebody said yes to a plan, `agreed` is that plan: the run refuses to do anything else.
    ///
    /// # Errors
    /// A [`Fault`] for a missing or broken plugin and for a journal that cannot be written.
    pub async fn deploy(
        &self,
        request: &Request,
        agreed: Option<&Agreed>,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
    ) -> Result<Done, Fault> {
        self.deploy_by(self.connections(), request, agreed, audience, interrupt).await
    }

    /// New ways to the far sides.
    fn connections(&self) -> Arc<Connections> {
        Arc::new(Connections::new(&self.config))
    }

    async fn deploy_by(
        &self,
        to: Arc<Connections>,
        request: &Request,
        agreed: Option<&Agreed>,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
    ) -> Result<Done, Fault> {
        let log = self.begin(request)?;
        let ended = self.run(to, request, agreed, &log, audience, interrupt).await;
        let Looked { report, recording, plan } = match ended {
            Ok(looked) => looked,
            Err(fault) => {
                if let Err(journal) = log.abandon(&fault) {
                    tracing::warn!(%journal, "this run is not in the journal");
                }
                return Err(fault);
            }
        };
        // The report of what was done is worth more than its copy in the journal.
        let journal = keep(&log, &report).err();
        Ok(Done { report, recording, plan, journal })
    }

    fn begin(&self, request: &Request) -> Result<RunLog, Fault> {
        self.journal()?.begin(&Begin {
            command: "deploy",
            deployed: Some(Deployed {
                service: &request.service,
                environment: &request.environment,
                commit: &request.commit,
            }),
            mode: request.mode.as_str(),
            batched: request.mode == Mode::DryRun,
            requester: &self.requester,
            on_failure: request.on_failure,
            policy: self.policy.digest(),
        })
    }

    async fn run(
        &self,
        to: Arc<Connections>,
        request: &Request,
        agreed: Option<&Agreed>,
        log: &RunLog,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
    ) -> Result<Looked, Fault> {
        let run = match self.prepared(Arc::clone(&to), request, log, audience, interrupt.clone())? {
            Ok(run) => run.approved(agreed)?.after_what_goes_before(&to, &interrupt).await?,
            Err(report) => return Ok((*report).into()),
        };
        drop(to);
        match request.mode {
            Mode::DryRun => run.look(Backend::Predicting(Arc::clone(run.far.secrets()))).await,
            Mode::Plan | Mode::Live if request.compare => Ok(run.compare().await?.into()),
            Mode::Plan => run.look(Backend::Observing(Arc::clone(&run.far))).await,
            Mode::Live => Ok(run.live(agreed).await?.into()),
        }
    }

    /// Everything that a run needs, or what there is to say where it cannot begin.
    fn prepared<'a>(
        &'a self,
        to: Arc<Connections>,
        request: &'a Request,
        log: &RunLog,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
    ) -> Result<Result<Run<'a>, Box<Report>>, Fault> {
        let Some(loaded) = self.plugin(&request.service)? else {
            let result = unsupported_service(self, request);
            return Ok(Err(Box::new(self.bare_report(request, Some(log), result, self.pairs()?))));
        };
        let describe = timing::phase("describe");
        let mut descriptor = self.engine.describe(&loaded, tokio::runtime::Handle::current())?;
        drop(describe);
        log.plugin(&loaded.which.digest, &descriptor.version, &loaded.bytes)?;
        let known = descriptor.environments.iter().find(|one| one.name == request.environment).cloned();
        let Some(environment) = known else {
            let result = unsupported_environment(request, &descriptor);
            return Ok(Err(Box::new(self.bare_report(request, Some(log), result, pairs_of(&descriptor)))));
        };
        self.catalogued(&request.service, &mut descriptor)?;
        self.summarised(request, &descriptor)?;
        let run = Run {
            host: self,
            request,
            subject: self.subject(&loaded, request),
            verified: None,
            vouched: BTreeSet::new(),
            loaded: Arc::new(loaded),
            descriptor,
            environment,
            log: log.clone(),
            far: Arc::new(FarSides::new(to).marking(self.mark(request, log))),
            audience,
            interrupt,
        };
        if let Some(result) = self.undesired(request)? {
            return Ok(Err(Box::new(run.report(&[], &[], result))));
        }
        Ok(Ok(run))
    }

    /// The component of a service; nothing where nobody knows the service.
    fn plugin(&self, service: &ServiceName) -> Result<Option<Loaded>, Fault> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(loaded) = ahead.filter(|loaded| loaded.which.name == *service) {
            return Ok(Some(loaded));
        }
        let path = self.config.component(service);
        if !path.exists() && !self.policy.knows(service) {
            return Ok(None);
        }
        Ok(Some(self.engine.load(service, &path)?))
    }

    fn subject(&self, loaded: &Loaded, request: &Request) -> Subject {
        Subject {
            principal: Principal::Plugin {
                plugin: loaded.which.name.clone(),
                digest: loaded.which.digest.clone(),
            },
            context: circumstances(&self.config.zone, &self.requester, Some(&request.environment), true),
        }
    }

    /// What a live run leaves on its targets.
    fn mark(&self, request: &Request, log: &RunLog) -> Mark {
        Mark {
            run: log.id(),
            environment: request.environment.clone(),
            by: self.requester.clone(),
            on: who::machine(),
            at: jiff::Timestamp::now(),
        }
    }

    /// The command that deploys `commit` of the same service to the same environment with the same configuration.
    fn command(&self, request: &Request, commit: &str) -> String {
        let wanted = self.wanted(request).ok().flatten();
        let flags = format!("{}{}", self.flags, way_back_flag(wanted.as_ref()));
        deploy_command(&request.service, &request.environment, commit, &flags)
    }

    /// `docker`, pointed at the engine of a runtime where that is not the default one.
    fn docker(&self, runtime: &RuntimeName) -> String {
        match self.config.runtimes.get(runtime) {
            Some(runtime) if runtime.docker != "unix:///var/run/docker.sock" => {
                format!("docker -H {}", runtime.docker)
            }
            _ => "docker".to_owned(),
        }
    }

    /// A request that came to no report of its own, as one among several.
    #[must_use]
    pub fn fault_report(&self, request: &Request, fault: &Fault) -> Report {
        self.bare_report(request, None, faulted(fault), Vec::new())
    }

    /// A report about a request that no plugin took.
    fn bare_report(
        &self,
        request: &Request,
        log: Option<&RunLog>,
        result: RunResult,
        supported: Vec<SupportedPart>,
    ) -> Report {
        let facts = Facts {
            mode: request.mode,
            service: &request.service,
            environment: &request.environment,
            commit: &request.commit,
            described: None,
            plugin: None,
            policy: self.policy.digest(),
            run: log.map(RunLog::id),
            registry: &self.config.registry,
            registry_warning: None,
            flags: &self.flags,
            desired: None,
            verified: None,
            on_failure: request.on_failure,
            argv: &|_| None,
        };
        Report { supported, ..build(&facts, &[], &[], result) }
    }
}

impl Run<'_> {
    /// One pass that changes nothing.
    async fn look(&self, backend: Backend) -> Result<Looked, Fault> {
        let mut passed = self.observing(backend).await?;
        let mut result = self.observed(&mut passed)?;
        let foreseen = passed.gate.foreseen().to_vec();
        let steps = passed.gate.into_steps();
        let mut plan = None;
        if result.decision == Decision::Planned && self.request.keep {
            match self.identified(&steps, steps.len() + foreseen.len()).await {
                Ok(where_it_is) => plan = Some(Box::new(self.kept(&steps, &foreseen, where_it_is))),
                Err(error) => result = unidentified(&error),
            }
        }
        let report = self.report(&steps, &foreseen, result);
        Ok(Looked { report, recording: Some(Recording::new(steps)), plan })
    }

    /// What a pass that changed nothing comes to. The failure path is decided here, before the first change, like
    /// everything else, and so is what comes after a proved deploy.
    fn observed(&self, passed: &mut Passed) -> Result<RunResult, Fault> {
        let unwritten = |halt| match halt {
            Halt::Journal(fault) => fault,
            other => Fault::internal("gate", other.to_string(), "report this as a bug"),
        };
        if self.request.on_failure == OnFailure::Rollback {
            let changes: Vec<Step> = Recording::undo_order(passed.gate.steps()).cloned().collect();
            for change in &changes {
                passed.gate.foresee(change).map_err(unwritten)?;
            }
        }
        // What runs otherwise than it will is no reason against a deploy.
        let steps: Vec<Step> = passed.gate.steps().to_vec();
        let steps: Vec<Step> =
            steps.into_iter().filter(|step| !(step.verdict.allowed && step.differs())).collect();
        let result = conclude_observed(self.request, &passed.outcome, &steps, passed.gate.foreseen());
        if let Some(refused) = republished(self.request, passed.gate.steps()) {
            return Ok(refused);
        }
        if result.decision == Decision::Planned {
            self.foresee_retention(passed).map_err(unwritten)?;
        }
        Ok(result)
    }

    /// A question of the host's own beside this run, and in its record.
    fn asking(&self, built_in: BuiltIn) -> Asking<'_> {
        Asking {
            policy: &self.host.policy,
            built_in,
            context: circumstances(&self.host.config.zone, &self.host.requester, None, true),
            far: &self.far,
            log: self.log.clone().into(),
        }
    }

    /// What a pass tells that reaches nothing; nobody hears of it, and no journal keeps it.
    async fn predicted(&self) -> Result<Passed, Fault> {
        let predicting = Backend::Predicting(Arc::clone(self.far.secrets()));
        self.pass_before(predicting, Arc::new(Unheard), Log::Unkept).await
    }

    async fn pass(&self, backend: Backend) -> Result<Passed, Fault> {
        self.pass_before(backend, Arc::clone(&self.audience), self.log.clone().into()).await
    }

    /// Runs the plugin once, on a thread of its own: it waits for answers like any program.
    async fn pass_before(
        &self,
        backend: Backend,
        audience: Arc<dyn Audience>,
        log: Log,
    ) -> Result<Passed, Fault> {
        let _phase = timing::phase("run");
        let gate = Gate::new(
            Arc::clone(&self.host.policy),
            self.subject.clone(),
            log,
            backend,
            audience,
            self.interrupt.clone(),
            self.host.config.limits.host_calls,
        );
        let gate = if self.request.mode == Mode::Live { gate.enforcing() } else { gate };
        let gate = gate.pinned(self.host.pinned(self.request)?).vouched(self.vouched.clone());
        let gate = if self.request.keep { gate.supposing(self.suppositions()) } else { gate };
        let (engine, loaded) = (Arc::clone(&self.host.engine), Arc::clone(&self.loaded));
        let asked = Asked {
            service: self.request.service.clone(),
            commit: self.request.commit.clone(),
            namespace: self.host.config.registry.namespace.clone(),
            runtime: self.environment.runtime.clone(),
        };
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

    fn report(&self, steps: &[Step], foreseen: &[Step], result: RunResult) -> Report {
        let _phase = timing::phase("report");
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
            registry_warning: self.far.registry_warning(),
            flags: &self.host.flags,
            desired: self.host.wanted(self.request).ok().flatten(),
            verified: self.verified.clone(),
            on_failure: self.request.on_failure,
            argv: &|operation| self.far.argv(operation),
        };
        build(&facts, steps, foreseen, result)
    }
}

/// What can be opened without the policies.
fn open_rest(
    config: &Config,
    service: Option<&ServiceName>,
) -> Result<(Engine, Option<Loaded>, Option<Journal>), Fault> {
    let phase = timing::phase("engine");
    let engine = Engine::new(&config.state, &config.cache, &config.limits)?;
    drop(phase);
    let Some(service) = service else { return Ok((engine, None, None)) };
    // Whatever fails here is tried again, and then told, by the run.
    let ahead = engine.load(service, &config.component(service)).ok();
    Ok((engine, ahead, Journal::open(&config.state).ok()))
}

/// Puts the report into the journal.
fn keep(log: &RunLog, report: &Report) -> Result<(), Fault> {
    let report_phase = timing::phase("report");
    let text = serde_json::to_string(report).map_err(|error| {
        Fault::internal("report", format!("the report cannot be written: {error}"), "report this as a bug")
    })?;
    drop(report_phase);
    log.finish(report.decision.as_str(), report.decision.exit_code(), &text)
}
