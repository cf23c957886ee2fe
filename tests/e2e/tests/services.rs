//! The services of the main server's project, each as its plugin deploys it. What came of it is seen with docker. Those with
//! secrets are in `secrets`.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use e2e::{Behaviour, Run, Running, SERVICE, SampleImage, Settings, Snapshot, Stage, commit};
use lab::http;
use lab::image::SOURCE;
use lab::project::{BACKEND_CORE, CODE_QUEUE_MGR, FRONTEND, OA_EVENT_FLOW, Service, TODO_NOTE};
use serde_json::{Value, json};

/// Todo Note has a repository of its own.
const TODO_NOTE_SOURCE: &str = "https://gitee.com/Lyon1998/todo_note";

/// An image of Todo Note as CI makes it.
fn todo_note(name: &str) -> (String, SampleImage) {
    let commit = commit(name);
    let image = SampleImage::new(TODO_NOTE.name, &commit).label(SOURCE, TODO_NOTE_SOURCE);
    (commit, image)
}

fn deploy(stage: &Stage, service: &Service, commit: &str) -> Run {
    stage.deploy_as(service.name, "prod", commit, &["--run-now"])
}

fn snapshot(stage: &Stage, service: &Service) -> Snapshot {
    Snapshot::of_service(stage.project(), service).expect("a snapshot")
}

/// What was verified of the service's health, in order: where, and what stands there.
fn health(run: &Run) -> Vec<(String, Value)> {
    let report = run.json();
    let verified = report["verification"].as_array().expect("verification").iter();
    let health = verified.filter(|one| one["what"] == "health");
    let target = |one: &Value| one["target"].as_str().unwrap_or_default().to_owned();
    health.map(|one| (target(one), one["expectations"].clone())).collect()
}

#[test]
fn each_plain_service_goes_live_under_its_own_names() {
    let stage = Stage::new();
    for service in [OA_EVENT_FLOW, FRONTEND, BACKEND_CORE] {
        let commit = commit(&format!("{} goes live", service.name));
        stage.publish(&SampleImage::new(service.name, &commit));

        let run = deploy(&stage, &service, &commit);

        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
        let running = Running::of_service(stage.project(), &service).expect("what runs");
        assert!(running.is(&commit), "{running:?}");
        let container = stage.project().docker().container(service.container).expect("docker");
        let container = container.expect("a container");
        assert_eq!(container["Config"]["Image"], service.image);
        assert_eq!(container["HostConfig"]["PortBindings"], json!({}), "no port is published");
    }
    let running = stage.project().docker().run(&["ps", "--format", "{{.Names}}"]).expect("docker");
    assert_eq!(running.lines().count(), 3, "nothing else runs: {running}");
}

#[test]
fn todo_note_is_proved_by_its_health_and_its_containers_stamp_together() {
    let stage = Stage::new();
    let (commit, image) = todo_note("todo note goes live");
    stage.publish(&image);

    let run = deploy(&stage, &TODO_NOTE, &commit);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let address = stage.project().docker().address(TODO_NOTE.container).expect("its address");
    let own = http::get(&format!("{address}:8080"), "/api/health").expect("an answer");
    let own: Value = serde_json::from_str(&own.body).expect("JSON");
    assert_eq!(own, json!({ "ok": true, "service": "todo-note" }), "it knows nothing of deploys");
    let [(target, expectations)] = &health(&run)[..] else { panic!("one verification: {run:?}") };
    assert_eq!(target, "main-server/todo-note-backend:8080/api/health with UNIDESK_TODO_NOTE_DEPLOY_*");
    let found =
        |pointer: &str| json!({ "pointer": pointer, "equals": commit, "absent": false, "found": commit });
    assert_eq!(*expectations, json!([found("/deploy/commit"), found("/deploy/requestedCommit")]));
}

#[test]
fn todo_note_without_a_stamp_or_without_health_is_not_deployed() {
    let stage = Stage::new();
    let (first, image) = todo_note("todo note first");
    stage.publish(&image);
    assert_eq!(deploy(&stage, &TODO_NOTE, &first).outcome(), (0, "deployed".to_owned()));
    let (ill, image) = todo_note("todo note ill");
    stage.publish(&image.behaviour(Behaviour::Status500));

    let run = stage.deploy_as(TODO_NOTE.name, "prod", &ill, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("/api/health"), "{run:?}");
    assert!(run.text("/error/message").contains("500"), "{run:?}");

    // A Compose file that hands its container something else than the stamp: no deploy could be proved.
    let (second, image) = todo_note("todo note second");
    stage.publish(&image);
    let file = stage.folder().join("docker-compose.yml");
    let shipped = fs::read_to_string(&file).expect("the Compose file");
    let key = "UNIDESK_TODO_NOTE_DEPLOY_COMMIT";
    let line = format!("      {key}: ${{{key}:-}}\n");
    let before = snapshot(&stage, &TODO_NOTE);
    for instead in [String::new(), format!("      {key}: {first}\n")] {
        let changed = shipped.replace(&line, &instead);
        assert_ne!(changed, shipped, "the line is there");
        fs::write(&file, changed).expect("the Compose file");
        let run = deploy(&stage, &TODO_NOTE, &second);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
        assert!(run.text("/error/message").contains(key), "{run:?}");
        assert_eq!(before.differences(&snapshot(&stage, &TODO_NOTE)), [""; 0], "{run:?}");
    }
    fs::write(&file, shipped).expect("the Compose file");

    // The requested image, started by hand with an old stamp: its health alone would not show it.
    assert_eq!(deploy(&stage, &TODO_NOTE, &second).outcome(), (0, "deployed".to_owned()));
    let docker = stage.project().docker();
    docker.run(&["rm", "--force", TODO_NOTE.container]).expect("it is gone");
    let (old, image) = (format!("{key}={first}"), format!("todo-note:{second}"));
    let by_hand = ["run", "--detach", "--name", TODO_NOTE.container, "--env", &old, &image];
    docker.run(&by_hand).expect("a container");
    let plan = ["deploy", "plan", "--env", "prod", "--service", TODO_NOTE.name, "--commit", &second];
    let plan = stage.host(&[&plan[..], &["--output", "json"]].concat());
    assert_eq!(plan.text("/services/0/state/state"), "drifted", "{plan:?}");
}

/// Something that could be asked, and never answers; whoever asked it is seen.
struct Ears {
    registry: TcpListener,
    engine: UnixListener,
}

impl Ears {
    /// Puts them where this stage's registry and engine are.
    fn of(stage: &Stage) -> Self {
        let registry = TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = stage.folder().join("engine.sock");
        let engine = UnixListener::bind(&socket).expect("a socket");
        registry.set_nonblocking(true).expect("a mode");
        engine.set_nonblocking(true).expect("a mode");
        let address = format!("http://{}", registry.local_addr().expect("its address"));
        let endpoint = stage.project().docker().endpoint().expect("an endpoint");
        let file = stage.project().host_toml();
        let toml = fs::read_to_string(&file).expect("host.toml");
        let moved = toml
            .replace(&stage.registry_url(), &address)
            .replace(&endpoint, &format!("unix://{}", socket.display()));
        assert!(moved.contains(&address) && moved.contains("engine.sock"), "{moved}");
        fs::write(&file, moved).expect("host.toml");
        Self { registry, engine }
    }

    /// How many connections were made to either since this was asked last.
    fn heard(&self) -> usize {
        let none = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        let registry = std::iter::from_fn(|| self.registry.accept().map_err(none).ok()).count();
        registry + std::iter::from_fn(|| self.engine.accept().map_err(none).ok()).count()
    }
}

#[test]
fn code_queue_mgr_waits_for_a_supervisor_before_anybody_is_asked() {
    let tables = "\n[limits]\nregistry-seconds = 1\ndocker-seconds = 1\n".to_owned();
    let stage = Stage::with(Settings { tables, ..Settings::default() });
    let commit = commit("code queue mgr waits");
    stage.publish(&SampleImage::new(CODE_QUEUE_MGR.name, &commit));
    let before = snapshot(&stage, &CODE_QUEUE_MGR);
    let at_hand = deploy(&stage, &CODE_QUEUE_MGR, &commit);
    let ears = Ears::of(&stage);

    let live = deploy(&stage, &CODE_QUEUE_MGR, &commit);
    assert_eq!(ears.heard(), 0, "{live:?}");
    for run in [&at_hand, &live] {
        assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
        assert!(run.text("/error/message").contains("supervisor"), "{run:?}");
    }
    assert_eq!(before.differences(&snapshot(&stage, &CODE_QUEUE_MGR)), [""; 0]);
    let other = stage.deploy_as(SERVICE, "prod", &commit, &["--run-now"]);
    assert!(ears.heard() > 0, "another service's deploy is heard: {other:?}");

    let dry = stage.deploy_as(CODE_QUEUE_MGR.name, "prod", &commit, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    let report = dry.json();
    assert_eq!(report["requiresSupervisorApproval"], true);
    assert_eq!(report["selfBootstrapGuard"]["applies"], true);
    let excluded = report["excludedTargets"].to_string();
    for words in ["scheduler", "runner", "queued tasks", "interrupt", "cancel"] {
        assert!(excluded.contains(words), "{words}: {excluded}");
    }
    let (target, expectations) = health(&dry).pop().expect("the last verification");
    assert!(target.ends_with("code-queue-mgr-backend:8080/api/tasks/stats"), "{target}");
    assert_eq!(
        expectations,
        json!([{ "pointer": "/skipped", "equals": null, "absent": true, "found": null }])
    );
}
