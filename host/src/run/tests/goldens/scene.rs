//! A host whose far sides are told what to answer; gate, policies, recording and report are the real ones.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::answer::{Answer, Check, Expectation, Literal, Retained};
use crate::artifact::{Artifact, Identity, Pair, REVISION_LABEL};
use crate::backend::Backend;
use crate::backend::live::{Connections, FarSides};
use crate::config::{Chosen, Config};
use crate::engine::{Descriptor, EnvironmentFacts, SourceFacts};
use crate::gate::{Audience, Gate, Subject};
use crate::journal::{Begin, Deployed, Journal, RunLog};
use crate::names::{
    Commit, ComposeService, ContainerName, Digest, EnvKey, Environment, ImageName, LabelKey, PlainValue,
    Pointer, RuntimeName, ServiceName, Shape, UrlPath,
};
use crate::operation::{
    Activate, ArtifactRef, Deliver, ExpectContainer, ExpectHealth, HealthTarget, Operation, Resolve,
    stamp_prefix,
};
use crate::policy::{Approvers, BuiltIn, Context, Principal, Weekday};
use crate::progress::{Interrupt, Unwatched, Watcher};
use crate::provenance::{Mark, Provenance};
use crate::recording::Recording;
use crate::report::{Facts, Mode, PluginPart, Report, RunPart, RunResult, build};
use crate::run::retain;
use crate::run::{Host, OnFailure, Request, pairs_of};
use crate::step::{Pass, Step};

/// The commit that ran before.
pub const PREVIOUS: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// One that ran long ago.
const OLD: &str = "dddddddddddddddddddddddddddddddddddddddd";
/// The step that asks for the health.
pub const HEALTH: usize = 4;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const RUN: &str = "20261120T225931Z-0a1b2c";
const SOURCE: &str = "https://github.com/pikasTech/unidesk";
/// The number of the step after a deploy whose failure path nobody asked for.
const AFTERWARDS: u32 = 6;
/// Milliseconds that the steps of a deploy take.
const DURATIONS: [u64; 5] = [4, 812, 1890, 31, 2300];

/// Where nothing listens: a registry that is gone.
const CONFIGURATION: &str = r#"
state = "state"
cache = "cache"
[registry]
url = "http://127.0.0.1:1"
[runtimes.main-server]
kind = "compose"
project = "unidesk"
project-directory = "/srv/unidesk"
env-file = "/srv/unidesk/.state/compose.env"
[limits]
registry-seconds = 1
"#;

pub struct Scene {
    pub host: Host,
    pub request: Request,
    pub descriptor: Descriptor,
    far: Arc<FarSides>,
    _folder: TempDir,
}

struct Nobody;

impl Audience for Nobody {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(Unwatched)
    }
    fn ended(&self, _: Pass, _: &Step) {}
    fn says(&self, _: Pass, _: &str) {}
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

fn pair<K: std::str::FromStr<Err: std::fmt::Debug>>(key: &str, value: &str) -> Pair<K> {
    Pair { key: parsed(key), value: parsed::<PlainValue>(value) }
}

impl Scene {
    pub fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let toml = folder.path().join("host.toml");
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
        std::fs::write(&toml, format!("policies = {policies:?}{CONFIGURATION}")).expect("a configuration");
        let config = Config::load(&Chosen { file: Some(toml), base: folder.path().to_path_buf() })
            .expect("a configuration");
        let far = Arc::new(FarSides::new(Arc::new(Connections::new(&config))));
        let host = Host::open(config, String::new(), "operator".to_owned()).expect("a host");
        let service: ServiceName = parsed("project-manager");
        let request = Request {
            service: service.clone(),
            environment: parsed("prod"),
            commit: parsed(COMMIT),
            mode,
            wait: false,
            on_failure: OnFailure::Leave,
            override_desired: None,
            artifact: None,
            compare: false,
            keep: false,
        };
        let environment = EnvironmentFacts {
            name: parsed("prod"),
            shape: parsed::<Shape>("main-server-compose"),
            runtime: parsed("main-server"),
            affects: Vec::new(),
            excludes: vec!["every other service of the project".to_owned()],
            after: None,
        };
        let source = SourceFacts {
            repository: "UniDesk".to_owned(),
            dockerfile: Some("src/components/microservices/project-manager/Dockerfile".to_owned()),
            producer: "ci publish-user-service".to_owned(),
        };
        let descriptor =
            Descriptor { service, version: "0.1.0".to_owned(), source, environments: vec![environment] };
        Self { host, request, descriptor, far, _folder: folder }
    }

    fn environment(&self) -> &Environment {
        &self.request.environment
    }

    fn identity() -> Identity {
        Identity {
            index: None,
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: vec![Digest::of(b"layer")],
            size: 1,
        }
    }

    fn artifact(&self) -> ArtifactRef {
        ArtifactRef { service: self.request.service.clone(), commit: parsed(COMMIT), digest: None }
    }

    /// What the project manager's plugin asks for, in its order.
    pub fn operations(&self) -> Vec<Operation> {
        let runtime: RuntimeName = parsed("main-server");
        let container: ContainerName = parsed("project-manager-backend");
        let labels: Vec<Pair<LabelKey>> =
            vec![pair(REVISION_LABEL, COMMIT), pair("org.opencontainers.image.source", SOURCE)];
        let stamp: Vec<Pair<EnvKey>> = [("COMMIT", COMMIT), ("REQUESTED_COMMIT", COMMIT)]
            .map(|(key, value)| pair(&(stamp_prefix(&self.request.service) + key), value))
            .to_vec();
        let expect = |pointer, equals| Expectation { pointer: parsed::<Pointer>(pointer), equals };
        vec![
            Operation::Resolve(Resolve {
                service: self.request.service.clone(),
                commit: parsed::<Commit>(COMMIT),
                repository: parsed("unidesk/project-manager"),
                required_labels: labels.clone(),
            }),
            Operation::Deliver(Deliver {
                artifact: self.artifact(),
                runtime: runtime.clone(),
                name: parsed("unidesk/project-manager"),
            }),
            Operation::Activate(Activate {
                artifact: self.artifact(),
                runtime: runtime.clone(),
                delivered: parsed("unidesk/project-manager"),
                service: parsed::<ComposeService>("project-manager"),
                container: container.clone(),
                stable_names: vec![parsed::<ImageName>("project-manager")],
                stamp: stamp.clone(),
            }),
            Operation::ExpectContainer(ExpectContainer {
                artifact: self.artifact(),
                runtime: runtime.clone(),
                container: container.clone(),
                labels,
                env: stamp,
            }),
            Operation::ExpectHealth(ExpectHealth {
                service: self.request.service.clone(),
                target: HealthTarget::Container {
                    runtime,
                    container,
                    port: 8080,
                    path: parsed::<UrlPath>("/health"),
                    with_stamp: false,
                },
                expectations: vec![
                    expect("/deploy/commit", Literal::Text(COMMIT.to_owned())),
                    expect("/deploy/requestedCommit", Literal::Text(COMMIT.to_owned())),
                    expect("/ok", Literal::Flag(true)),
                ],
                within_seconds: 60,
            }),
        ]
    }

    /// One of each gate that needs nothing of this machine.
    pub fn gates() -> Vec<Operation> {
        vec![
            Operation::RequireApproval { roles: vec![parsed("supervisor")] },
            Operation::RequirePinned,
            Operation::Hold {
                reason: "the registered Dockerfile and the service contract disagree".to_owned(),
            },
        ]
    }

    /// The steps of an offline pass, and its failure path.
    pub async fn predicted(&self, operations: Vec<Operation>) -> (Vec<Step>, Vec<Step>) {
        self.passed(Backend::Predicting(Arc::clone(self.far.secrets())), operations).await
    }

    /// The steps of a pass that really looks.
    pub async fn looked(&self, operations: Vec<Operation>) -> Vec<Step> {
        let mut steps = self.passed(Backend::Observing(Arc::clone(&self.far)), operations).await.0;
        for step in &mut steps {
            step.duration_ms = 1000;
        }
        steps
    }

    async fn passed(&self, backend: Backend, operations: Vec<Operation>) -> (Vec<Step>, Vec<Step>) {
        let subject = Subject {
            principal: Principal::Plugin {
                plugin: self.request.service.clone(),
                digest: Digest::of(b"component"),
            },
            context: Context {
                environment: Some(self.environment().clone()),
                operator: "operator".to_owned(),
                weekday: Weekday::Monday,
                minute_of_day: 600,
                verified_before: true,
                approvers: Approvers::default(),
            },
        };
        let (_sender, interrupt) = Interrupt::pair();
        let policy = Arc::clone(&self.host.policy);
        let mut gate = Gate::new(policy, subject, self.log(), backend, Arc::new(Nobody), interrupt, 20);
        for operation in operations {
            let _ = gate.perform(operation).await.expect("no halt");
        }
        let changes: Vec<Step> = Recording::undo_order(gate.steps()).cloned().collect();
        for change in &changes {
            gate.foresee(change).expect("a journal");
        }
        for operation in retain::operations(gate.steps(), self.host.config.limits.images_kept) {
            gate.foresee_for(BuiltIn::Retention, operation).expect("a journal");
        }
        let foreseen = gate.foreseen().to_vec();
        let mut steps = gate.into_steps();
        for step in &mut steps {
            step.duration_ms = 0;
        }
        (steps, foreseen)
    }

    fn log(&self) -> RunLog {
        let begin = Begin {
            command: "deploy",
            deployed: Some(Deployed {
                service: &self.request.service,
                environment: self.environment(),
                commit: &self.request.commit,
            }),
            mode: self.request.mode.as_str(),
            batched: false,
            requester: "operator",
            on_failure: self.request.on_failure,
            policy: self.host.policy.digest(),
        };
        Journal::open(&self.host.config.state).expect("a journal").begin(&begin).expect("a run")
    }

    /// The far sides answered the questions of the pass that only looks.
    pub fn observed(&self, steps: &mut [Step]) {
        for step in steps {
            step.pass = Pass::Observing;
            match &step.operation {
                Operation::Resolve(_) => (step.outcome, step.duration_ms) = (Ok(self.resolved()), 4),
                Operation::Deliver(_) => {
                    (step.before, step.desired) = (Some(json!(null)), Some(json!("image")));
                }
                Operation::Activate(_) => {
                    (step.before, step.desired) = (Some(state(PREVIOUS)), Some(state(COMMIT)));
                }
                _ => {}
            }
        }
    }

    /// The steps of a live pass in which everything went well.
    pub async fn deployed(&self) -> Vec<Step> {
        let (mut steps, _) = self.predicted(self.operations()).await;
        self.observed(&mut steps);
        for (step, duration) in steps.iter_mut().zip(DURATIONS) {
            (step.pass, step.duration_ms) = (Pass::Live, duration);
            step.after.clone_from(&step.desired);
            if matches!(step.operation, Operation::ExpectContainer(_) | Operation::ExpectHealth(_)) {
                step.outcome = Ok(Self::satisfied(&step.operation));
            }
        }
        steps
    }

    /// What a deploy of the requested commit leaves on its target.
    pub fn provenance(&self) -> Provenance {
        let mark = Mark {
            run: RUN.to_owned(),
            environment: self.environment().clone(),
            by: "operator".to_owned(),
            on: "build-box".to_owned(),
            at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        };
        Provenance::new(&mark, &self.request.commit, &Self::identity())
    }

    fn resolved(&self) -> Answer {
        Answer::Artifact(Box::new(Artifact {
            service: self.request.service.clone(),
            commit: parsed(COMMIT),
            repository: parsed("unidesk/project-manager"),
            identity: Some(Self::identity()),
            labels: Vec::new(),
        }))
    }

    /// The answer of a far side that holds everything that `operation` expects.
    pub fn satisfied(operation: &Operation) -> Answer {
        let image = match operation {
            Operation::ExpectContainer(_) => {
                Some(("/image".to_owned(), Literal::Text(Self::identity().config.to_string())))
            }
            _ => None,
        };
        let check = |(pointer, value): (String, Literal)| Check {
            pointer: parsed(&pointer),
            found: Some(value),
            satisfied: true,
        };
        Answer::Checks(image.into_iter().chain(operation.expected()).map(check).collect())
    }

    /// What was done about old images: each name that is looked at lost one.
    pub async fn retained(&self) -> Vec<Step> {
        let (_, foreseen) = self.predicted(self.operations()).await;
        let retain = |mut step: Step| {
            let Operation::Retain(call) = &step.operation else { return None };
            let removed = call.names.iter().map(|name| format!("{name}:{OLD}")).collect();
            let retained = Retained { removed, left: None };
            step.after = Some(serde_json::to_value(retained).expect("JSON"));
            (step.pass, step.seq, step.duration_ms) = (Pass::Live, AFTERWARDS, 45);
            Some(step)
        };
        foreseen.into_iter().filter_map(retain).collect()
    }

    /// The report of a run, with what differs from run to run made the same.
    pub fn report(&self, steps: &[Step], foreseen: &[Step], result: RunResult) -> Report {
        let policy = Digest::of(b"policies");
        let facts = Facts {
            mode: self.request.mode,
            service: &self.request.service,
            environment: self.environment(),
            commit: &self.request.commit,
            described: Some((&self.descriptor, &self.descriptor.environments[0])),
            plugin: Some(PluginPart {
                name: "project-manager".to_owned(),
                version: self.descriptor.version.clone(),
                digest: Digest::of(b"component"),
                imports: vec!["deploy:consumer/registry@0.1.0".to_owned()],
            }),
            policy: &policy,
            run: Some(RUN.to_owned()),
            registry: &self.host.config.registry,
            registry_warning: None,
            flags: "",
            desired: None,
            verified: None,
            on_failure: self.request.on_failure,
            argv: &|operation| self.far.argv(operation),
        };
        build(&facts, steps, foreseen, result)
    }

    /// The report of a request that no plugin took.
    pub fn bare_report(&self, result: RunResult) -> Report {
        let supported = pairs_of(&self.descriptor);
        let mut report = self.host.bare_report(&self.request, Some(&self.log()), result, supported);
        report.policy.digest = Digest::of(b"policies");
        report.run = Some(RunPart { id: RUN.to_owned() });
        report
    }
}

/// What an activation finds or wants.
fn state(commit: &str) -> Value {
    json!({ "container": { "commit": commit } })
}
