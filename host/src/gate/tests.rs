//! The gate lets nothing through that was not decided and written down.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::backend::live::{Connections, FarSides};
use crate::config::{Chosen, Config};
use crate::journal::{Begin, Deployed, Journal, OnFailure, RunLog};
use crate::names::{
    Commit, ConfigName, Digest, Environment, ImageName, KubernetesName, RuntimeName, ServiceName,
};
use crate::operation::{Deliver, ObjectKind, Resolve, SyncObject};
use crate::policy::{Approvers, Weekday};
use crate::progress::{InterruptSender, Unwatched};
use crate::recording::Recording;

struct Nobody;

impl Audience for Nobody {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(Unwatched)
    }
    fn ended(&self, _: Pass, _: &Step) {}
    fn says(&self, _: Pass, _: &str) {}
}

/// A gate over a far side that only counts who knocks.
struct Scene {
    gate: Gate,
    knocks: Arc<AtomicUsize>,
    state: tempfile::TempDir,
    run: String,
    sender: InterruptSender,
}

impl Scene {
    async fn new(backend: impl FnOnce(Arc<FarSides>) -> Backend) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let knocks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&knocks);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            }
        });
        let state = tempfile::tempdir().expect("a folder");
        let toml = state.path().join("host.toml");
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
        let content = format!(
            "policies = {policies:?}\nstate = \"state\"\ncache = \"cache\"\n\
             [registry]\nurl = \"http://127.0.0.1:{port}\"\n[limits]\nregistry-seconds = 1\n"
        );
        std::fs::write(&toml, content).expect("a configuration");
        let config = Config::load(&Chosen { file: Some(toml), base: state.path().to_path_buf() })
            .expect("a configuration");
        let policy = Arc::new(Policy::load(&config.policies).expect("the release's policies"));
        let log = journal(&state.path().join("state"), &policy);
        let (sender, interrupt) = Interrupt::pair();
        let run = log.id();
        let gate = Gate::new(
            policy,
            subject(),
            log,
            backend(Arc::new(FarSides::new(Arc::new(Connections::new(&config))))),
            Arc::new(Nobody),
            interrupt,
            10,
        );
        Self { gate, knocks, state, run, sender }
    }

    fn knocks(&self) -> usize {
        self.knocks.load(Ordering::SeqCst)
    }

    /// From now on no intent can be written down.
    fn break_journal(&self) {
        let journal = Journal::open(&self.state.path().join("state")).expect("the journal");
        journal.drop_operations();
    }

    fn written(&self) -> Vec<crate::journal::OperationRow> {
        let journal = Journal::open(&self.state.path().join("state")).expect("the journal");
        journal.show(&self.run).expect("the journal").expect("the run").operations
    }
}

fn journal(state: &Path, policy: &Policy) -> RunLog {
    let begin = Begin {
        command: "deploy",
        deployed: Some(Deployed {
            service: &name("project-manager"),
            environment: &Environment::parse("prod").expect("an environment"),
            commit: &commit(),
        }),
        mode: "live",
        batched: false,
        requester: "tester",
        on_failure: OnFailure::Leave,
        policy: policy.digest(),
    };
    Journal::open(state).expect("a journal").begin(&begin).expect("a run")
}

fn subject() -> Subject {
    Subject {
        principal: Principal::Plugin { plugin: name("project-manager"), digest: Digest::of(b"plugin") },
        context: Context {
            environment: Environment::parse("prod").ok(),
            operator: "tester".to_owned(),
            weekday: Weekday::Monday,
            minute_of_day: 600,
            verified_before: true,
            approvers: Approvers::default(),
        },
    }
}

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).expect("a service")
}

fn commit() -> Commit {
    Commit::parse(&"a".repeat(40)).expect("a commit")
}

fn resolve(service: &str) -> Operation {
    Operation::Resolve(Resolve {
        service: name(service),
        commit: commit(),
        repository: ImageName::parse(&format!("unidesk/{service}")).expect("a repository"),
        required_labels: Vec::new(),
    })
}

#[tokio::test]
async fn a_plugin_is_heard_out_offline_and_nowhere_else() {
    let offline = |far: Arc<FarSides>| Backend::Predicting(Arc::clone(far.secrets()));
    let mut scene = Scene::new(offline).await;
    scene.gate = scene.gate.hearing_out();
    let answer = scene.gate.perform(resolve("somebody-elses")).await.expect("no halt");
    assert!(matches!(answer, Ok(Answer::Artifact(_))), "as where it is permitted: {answer:?}");
    assert!(!scene.gate.steps()[0].verdict.allowed, "and known to be denied");

    let mut scene = Scene::new(Backend::Observing).await;
    scene.gate = scene.gate.hearing_out();
    let answer = scene.gate.perform(resolve("somebody-elses")).await.expect("no halt");
    assert!(matches!(answer, Err(CallError::Denied { .. })), "{answer:?}");
    assert_eq!(scene.knocks(), 0);
}

#[tokio::test]
async fn a_denied_operation_reaches_no_backend_and_is_written_down() {
    let mut scene = Scene::new(Backend::Observing).await;

    let answer = scene.gate.perform(resolve("somebody-elses")).await.expect("no halt");

    assert!(matches!(answer, Err(CallError::Denied { .. })), "{answer:?}");
    assert_eq!(scene.knocks(), 0);
    let written = scene.written();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].verdict["allowed"], false);
}

#[tokio::test]
async fn a_permitted_operation_reaches_it() {
    let mut scene = Scene::new(Backend::Observing).await;

    let answer = scene.gate.perform(resolve("project-manager")).await.expect("no halt");

    assert!(matches!(answer, Err(CallError::Unavailable(_))), "this far side only hangs up: {answer:?}");
    assert!(scene.knocks() > 0, "so the test above can fail");
}

#[tokio::test]
async fn a_dry_run_reaches_nothing_even_where_it_may() {
    let mut scene = Scene::new(|far| Backend::Predicting(Arc::clone(far.secrets()))).await;

    let answer = scene.gate.perform(resolve("project-manager")).await.expect("no halt").expect("an answer");

    assert!(matches!(answer, Answer::Artifact(artifact) if artifact.identity.is_none()));
    assert_eq!(scene.knocks(), 0);
}

#[tokio::test]
async fn after_a_gate_that_is_not_met_a_live_run_asks_nobody_and_a_plan_goes_on() {
    for enforcing in [true, false] {
        let mut scene = Scene::new(Backend::Observing).await;
        scene.gate.enforcing = enforcing;
        let held = Operation::Hold { reason: "not today".to_owned() };

        let gate = scene.gate.perform(held).await.expect("no halt").expect("an answer");
        let answer = scene.gate.perform(resolve("project-manager")).await.expect("no halt");

        assert!(matches!(gate, Answer::Gate(state) if !state.met), "the plugin goes on to be planned");
        assert_eq!((answer.is_ok(), scene.knocks() == 0), (enforcing, enforcing), "{answer:?}");
    }
}

#[tokio::test]
async fn a_bound_pass_refuses_what_was_not_recorded_and_writes_that_down() {
    let mut scene = Scene::new(|far| Backend::Live(far, Recording::new(Vec::new()))).await;

    let halt = scene.gate.perform(resolve("project-manager")).await.expect_err("a halt");

    assert!(matches!(halt, Halt::Diverged { seq: 1, .. }), "{halt}");
    assert_eq!(scene.knocks(), 0);
    let written = scene.written();
    assert!(written[0].step.as_ref().is_some_and(|step| step["outcome"]["Err"].is_object()), "{written:?}");
}

#[tokio::test]
async fn after_an_interrupt_nothing_begins() {
    let mut scene = Scene::new(Backend::Observing).await;
    scene.sender.raise();

    let halt = scene.gate.perform(resolve("project-manager")).await.expect_err("a halt");

    assert_eq!((halt, scene.knocks()), (Halt::Interrupted, 0));
}

#[tokio::test]
async fn calls_end_at_the_limit() {
    let mut scene = Scene::new(|far| Backend::Predicting(Arc::clone(far.secrets()))).await;
    for _ in 0..10 {
        let _ = scene.gate.perform(resolve("project-manager")).await.expect("within the limit");
    }
    let halt = scene.gate.perform(resolve("project-manager")).await.expect_err("a halt");
    assert_eq!(halt, Halt::Calls { limit: 10 });
}

#[tokio::test]
async fn nothing_happens_that_cannot_be_written_down() {
    let mut scene = Scene::new(Backend::Observing).await;
    scene.break_journal();

    let halt = scene.gate.perform(resolve("project-manager")).await.expect_err("a halt");

    assert!(matches!(halt, Halt::Journal(_)), "{halt}");
    assert_eq!(scene.knocks(), 0);
}

#[tokio::test]
async fn what_is_not_written_down_is_a_look_and_nothing_more() {
    let mut scene = Scene::new(Backend::Observing).await;
    scene.gate.log = Log::Unkept;
    let change = Operation::Deliver(Deliver {
        artifact: ArtifactRef { service: name("project-manager"), commit: commit(), digest: None },
        runtime: RuntimeName::parse("main-server").expect("a runtime"),
        name: ImageName::parse("unidesk/project-manager").expect("an image"),
    });

    let halt = scene.gate.perform(change).await.expect_err("a halt");

    let Halt::Journal(fault) = halt else { panic!("{halt}") };
    assert_eq!((fault.code, scene.knocks()), ("journal-unkept", 0));
    let answer = scene.gate.perform(resolve("project-manager")).await.expect("no halt");
    assert!(matches!(answer, Err(CallError::Unavailable(_))), "a look is one: {answer:?}");
    assert!(scene.knocks() > 0 && scene.written().is_empty());
}

#[tokio::test]
async fn the_way_back_goes_on_without_a_journal() {
    let mut scene = Scene::new(|far| Backend::Live(far, Recording::new(Vec::new()))).await;
    scene.break_journal();
    let change = Operation::SyncObject(SyncObject {
        runtime: RuntimeName::parse("d601-k3s").expect("a runtime"),
        kind: ObjectKind::Secret,
        namespace: KubernetesName::parse("unidesk").expect("a namespace"),
        name: KubernetesName::parse("x").expect("a name"),
        source: ConfigName::parse("x").expect("a source"),
        entries: Vec::new(),
    });
    let done = scene.gate.step(1, Kind::Change, change, Decision::permitted(Vec::new()), Ok(Answer::Done));

    let answer = scene.gate.undo(&done).await.expect("no halt");

    assert!(matches!(answer, Err(CallError::Denied { .. })), "policy still decides: {answer:?}");
    assert_eq!(scene.gate.steps().len(), 1);
}

/// The compiler keeps everything else from asking a backend: [`Ask`] can be made in this module only, and what the far
/// sides can do is visible inside `backend` only. What it cannot see is a door beside the gate: I/O of its own.
#[test]
fn only_the_far_sides_open_connections_or_start_programs() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let doors = [
        "TcpStream",
        "UnixStream",
        "process::Command",
        "Command::new",
        "hyper",
        "bollard",
        "kube::",
        "tonic",
    ];
    let mut files = vec![source.clone()];
    let mut beside = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|entry| entry.path()));
        } else if !path.starts_with(source.join("backend/live")) && !path.ends_with("gate/tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a file");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            beside.extend(doors.iter().filter(|door| text.contains(*door)).map(|door| (path.clone(), *door)));
        }
    }
    assert_eq!(beside, Vec::<(PathBuf, &str)>::new());
}
