//! One verification of a plugin on its own: through policy, journal and the live backend, as the program asks it.

use std::sync::{Arc, Mutex};

use e2e::Stage;
use e2e::cluster::{DEPLOYMENT, NAMESPACE, SERVICE};
use host::answer::{Answer, CallError, Expectation, Literal};
use host::backend::Backend;
use host::backend::live::{Connections, FarSides};
use host::config::{Chosen, Config};
use host::gate::{Audience, Gate, Subject};
use host::journal::{Begin, Deployed, Journal, OnFailure};
use host::names::{Commit, Digest, Environment, KubernetesName, Pointer, RuntimeName, ServiceName, UrlPath};
use host::operation::{AwaitRollout, Deployment, ExpectHealth, HealthTarget, Operation};
use host::policy::Principal;
use host::progress::{Interrupt, Watcher};
use host::recording::Recording;
use host::report::Mode;
use host::run::{Host, circumstances};
use host::step::{Pass, Step};

/// Asks as the plugin of the service in dev.
pub struct Asking {
    host: Host,
    far: Arc<FarSides>,
    runtime: tokio::runtime::Runtime,
    notes: Notes,
    interrupt: Interrupt,
}

/// What a person who watches is told.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Asking {
    /// With the stage's configuration and policies.
    pub fn of(stage: &Stage) -> Self {
        let chosen = Chosen { file: Some(stage.project().host_toml()), base: stage.folder().to_path_buf() };
        let config = Config::load(&chosen).expect("a configuration");
        let far = Arc::new(FarSides::new(Arc::new(Connections::new(&config))));
        let host = Host::open(config, String::new(), "somebody".to_owned()).expect("a host");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (_, interrupt) = Interrupt::pair();
        Self { host, far, runtime: runtime.expect("a runtime"), notes: Notes::default(), interrupt }
    }

    /// What a person was told since this was asked last.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.0.lock().expect("notes"))
    }

    /// The answer to one verification.
    pub fn verified(&self, operation: &Operation) -> Result<Answer, CallError> {
        let kept = self.asked(Backend::Observing(Arc::clone(&self.far)), operation);
        assert_eq!(kept.0, Ok(Answer::NotAsked), "nothing is verified before anything changed");
        let recording = Recording::new(kept.1);
        self.asked(Backend::Live(Arc::clone(&self.far), recording), operation).0
    }

    /// Waits for the rollout of the service.
    pub fn rolled_out(&self, within_seconds: u32) -> Result<Answer, CallError> {
        self.verified(&Operation::AwaitRollout(AwaitRollout {
            runtime: RuntimeName::parse("d601-k3s").expect("a name"),
            deployment: Deployment {
                namespace: name(NAMESPACE),
                name: name(DEPLOYMENT),
                container: name(DEPLOYMENT),
            },
            within_seconds,
        }))
    }

    /// Holds the health payload of the service against a commit.
    pub fn healthy(&self, commit: &str, port: &str, path: &str) -> Result<Answer, CallError> {
        self.verified(&Operation::ExpectHealth(ExpectHealth {
            service: ServiceName::parse(SERVICE).expect("a name"),
            target: HealthTarget::Service {
                runtime: RuntimeName::parse("d601-k3s").expect("a name"),
                namespace: name(NAMESPACE),
                service: name(DEPLOYMENT),
                port: name(port),
                path: UrlPath::parse(path).expect("a path"),
            },
            expectations: vec![Expectation {
                pointer: Pointer::parse("/deploy/commit").expect("a pointer"),
                equals: Literal::Text(commit.to_owned()),
            }],
            within_seconds: 3,
        }))
    }

    fn asked(&self, backend: Backend, operation: &Operation) -> (Result<Answer, CallError>, Vec<Step>) {
        let service = ServiceName::parse(SERVICE).expect("a name");
        let environment = Environment::parse("dev").expect("a name");
        let begin = Begin {
            command: "deploy",
            deployed: Some(Deployed {
                service: &service,
                environment: &environment,
                commit: &Commit::parse(&"a".repeat(40)).expect("a commit"),
            }),
            mode: Mode::Live.as_str(),
            batched: false,
            requester: &self.host.requester,
            on_failure: OnFailure::Leave,
            policy: self.host.policy.digest(),
        };
        let journal = Journal::open(&self.host.config.state).expect("a journal");
        let log = journal.begin(&begin).expect("a run in the journal");
        let subject = Subject {
            context: circumstances(&self.host.config.zone, &self.host.requester, Some(&environment), true),
            principal: Principal::Plugin { plugin: service, digest: Digest::of(b"") },
        };
        let policy = Arc::clone(&self.host.policy);
        let audience = Arc::new(self.notes.clone());
        let mut gate = Gate::new(policy, subject, log, backend, audience, self.interrupt.clone(), 1);
        let answer = self.runtime.block_on(gate.perform(operation.clone()));
        (answer.map_err(|halt| halt.to_string()).expect("an answer"), gate.into_steps())
    }
}

/// A name of Kubernetes.
fn name(text: &str) -> KubernetesName {
    KubernetesName::parse(text).expect("a name")
}

impl Audience for Notes {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(self.clone())
    }
    fn ended(&self, _: Pass, _: &Step) {}
    fn says(&self, _: Pass, _: &str) {}
}

impl Watcher for Notes {
    fn bytes(&self, _: u64, _: u64) {}
    fn note(&self, text: &str) {
        self.0.lock().expect("notes").push(text.to_owned());
    }
}
