//! Who deploys from inside a container of what would be deployed, or of what steers it, is refused; who does from inside another
//! one is not. The program really runs in containers of the engine.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::path::PathBuf;

use e2e::people::People;
use e2e::{Run, SampleImage, Settings, Stage, commit};
use serde_json::{Value, json};

/// Nobody deploys it from inside Code Queue.
const SERVICE: &str = "code-queue-mgr";
/// In which it is not deployed.
const INSIDE: &str = "code-queue-runner";
/// Where its containers have addresses of their own.
const NETWORK: &str = "host-e2e-inside";
/// In which it may be.
const ELSEWHERE: &str = "another-service";

struct Scene {
    stage: Stage,
    people: People,
    commit: String,
    plan: String,
}

impl Scene {
    /// A plan of the service that a supervisor has approved, and two containers that see this machine's programs and files.
    fn set() -> Self {
        let tables = format!("\n[catalog]\ndesired = \"deploy.json\"\n{}", People::TABLE);
        let stage = Stage::with(Settings { tables, ..Settings::default() });
        let commit = commit("approved and asked for from inside");
        stage.publish(&SampleImage::new(SERVICE, &commit));
        let desired = json!({ "prod": { SERVICE: commit } }).to_string();
        fs::write(stage.folder().join("deploy.json"), desired).expect("deploy.json");
        let people = People::at(stage.folder());
        let plan = stage.folder().join("mgr.plan").display().to_string();
        let planned = ["deploy", "plan", "--service", SERVICE, "--out", &plan, "--key", &people.key("ann")];
        let run = stage.host(&[&planned[..], &["--output", "json"]].concat());
        assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
        let scene = Self { stage, people, commit, plan };
        scene.approve("supervisor");
        let image = scene.stage.pushed(&SampleImage::new("bystander", &scene.commit));
        for name in [INSIDE, ELSEWHERE] {
            scene.start(name, &image.reference);
        }
        scene
    }

    fn approve(&self, role: &str) {
        let key = self.people.key("bob");
        let run = self.stage.host(&["deploy", "approve", &self.plan, "--role", role, "--key", &key]);
        assert_eq!(run.code, 0, "{run:?}");
    }

    fn start(&self, name: &str, image: &str) {
        let docker = self.stage.project().docker();
        let socket = docker.endpoint().expect("the engine's address").replace("unix://", "");
        let seen = ["/usr", "/lib", "/lib64", "/bin", "/etc/passwd"].map(PathBuf::from).into_iter().chain([
            PathBuf::from(socket).parent().expect("a folder").to_owned(),
            lab::paths::root(),
            lab::paths::host().expect("the program").parent().expect("a folder").to_owned(),
            self.stage.folder().to_owned(),
        ]);
        let mounts: Vec<String> =
            seen.flat_map(|path| ["-v".to_owned(), format!("{0}:{0}", path.display())]).collect();
        let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
        let _ = docker.run(&["rm", "--force", name]);
        let run = ["run", "--detach", "--name", name, "--network", "host", "--cap-add", "SYS_ADMIN"];
        docker.run(&[&run[..], &mounts, &["--env", "PORT=0", image]].concat()).expect("a container");
    }

    /// The program in a container, begun by `before` in a shell there.
    fn in_container(&self, name: &str, before: &str, arguments: &[&str]) -> Run {
        let program = lab::paths::host().expect("the program");
        let toml = self.stage.project().host_toml();
        let line = format!("{before} exec {} --config {} \"$@\"", program.display(), toml.display());
        let path = "PATH=/usr/local/bin:/usr/bin:/bin";
        let mut command = self.stage.project().docker().command();
        command.args(["exec", "--env", path, "--env", "HOME=/tmp", name, "/bin/sh", "-c", &line, "sh"]);
        Run::of(command.args(arguments).args(["--output", "json"]))
    }

    /// What the guard says there, to somebody who plans.
    fn guard(&self, name: &str, before: &str) -> Value {
        let plan = ["deploy", "plan", "--offline", "--service", SERVICE];
        let online = ["deploy", "plan", "--service", SERVICE];
        let offline = self.in_container(name, before, &plan).json();
        assert_ne!(offline["services"][0]["selfBootstrapGuard"]["result"], "outside", "nobody was asked");
        let run = self.in_container(name, before, &online);
        run.json()["services"][0]["selfBootstrapGuard"].clone()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for name in [INSIDE, ELSEWHERE] {
            let _ = self.stage.project().docker().run(&["rm", "--force", "--volumes", name]);
        }
        let _ = self.stage.project().docker().run(&["network", "rm", NETWORK]);
    }
}

/// Takes away what tells a process which container it is in.
const HIDDEN: &str = "for what in cgroup mountinfo; do mount --bind /dev/null /proc/$$/$what; done;";

#[test]
fn nobody_deploys_code_queue_manager_from_inside_code_queue() {
    let scene = Scene::set();
    let inside = scene.guard(INSIDE, "");
    assert_eq!(inside["result"], "inside", "{inside}");
    let shown = format!("that is container {INSIDE} of main-server");
    assert!(inside["evidence"].as_array().expect("evidence").contains(&json!(shown)), "{inside}");
    let run = scene.in_container(INSIDE, "", &["deploy", "apply", &scene.plan, "--run-now"]);
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "an approval does not help: {run:?}");
    let error = &run.json()["services"][0]["error"];
    assert_eq!(error["step"], "guard.require-outside", "{run:?}");
    assert!(error["message"].as_str().unwrap_or_default().contains(&shown), "{run:?}");

    let elsewhere = scene.guard(ELSEWHERE, "");
    assert_eq!(elsewhere["result"], "outside", "{elsewhere}");
    let hidden = scene.guard(ELSEWHERE, HIDDEN);
    assert_eq!(hidden["result"], "unknown", "{hidden}");
    let run = scene.in_container(ELSEWHERE, HIDDEN, &["deploy", "apply", &scene.plan, "--run-now"]);
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
    assert_eq!(run.json()["services"][0]["error"]["step"], "guard.require-outside", "{run:?}");

    // Said by the way in: a marker of the workload's own, and a connection from one of its containers.
    let marked = scene.guard(ELSEWHERE, &format!("export HOST_WORKLOAD={INSIDE};"));
    assert_eq!(marked["result"], "inside", "{marked}");
    let there = scene.stage.project().docker();
    there.run(&["rm", "--force", INSIDE]).expect("the container is gone");
    let image = scene.stage.pushed(&SampleImage::new("bystander", &scene.commit));
    there.run(&["network", "create", NETWORK]).expect("a network");
    let run = ["run", "--detach", "--name", INSIDE, "--network", NETWORK, &image.reference];
    there.run(&run).expect("a container");
    for (name, result) in [(INSIDE, "inside"), ("nowhere", "outside")] {
        let from = there.address(name).unwrap_or_else(|_| "192.0.2.77".to_owned());
        let plan = ["deploy", "plan", "--service", SERVICE, "--output", "json"];
        let connection = format!("{from} 50022 192.0.2.1 22");
        let run = Run::of(scene.stage.command(&plan).env("SSH_CONNECTION", connection));
        let guard = &run.json()["services"][0]["selfBootstrapGuard"];
        assert_eq!(guard["result"], result, "{name}: {guard}");
    }
}

#[test]
fn somebody_may_sign_that_it_is_elsewhere_where_that_does_not_show_and_nowhere_else() {
    let scene = Scene::set();
    scene.approve("outside");
    let gate = |name: &str, before: &str| {
        let run = scene.in_container(name, before, &["deploy", "apply", &scene.plan, "--run-now"]);
        let steps = run.json()["services"][0]["steps"].as_array().cloned().unwrap_or_default();
        let gate = steps.iter().find(|step| step["operation"] == "guard.require-outside").cloned();
        let gate = gate.unwrap_or_default();
        (gate["outcome"].as_str().unwrap_or_default().to_owned(), gate["message"].to_string())
    };
    let (outcome, message) = gate(INSIDE, "");
    assert_eq!(outcome, "pending", "{message}");
    let (outcome, message) = gate(ELSEWHERE, HIDDEN);
    assert_eq!(outcome, "met", "{message}");
    assert!(message.contains("bob@example signed that this is outside of"), "{message}");
}
