//! Code Queue goes live as a whole, by a plan that somebody else approved; and every way in which such a plan is no longer one.

use std::fs;

use e2e::Run;
use e2e::cluster::{NAMESPACE, Scene, d601};
use e2e::people::People;
use lab::cluster::Workload;
use serde_json::{Value, json};

use crate::services::{CODE_QUEUE, CODE_QUEUE_DEV, deployment, started, versions, with_shipped_rights};

/// Plans of Code Queue, which Ann asks for and Otto approves.
struct Office<'a> {
    scene: &'a Scene<'a>,
    people: People,
    workloads: [Workload; 4],
}

impl Office<'_> {
    fn file(&self, name: &str) -> String {
        self.scene.stage.folder().join(name).display().to_string()
    }

    /// A plan of this commit that may be applied.
    fn plan(&self, name: &str, commit: &str, flags: &[&str]) -> String {
        let (file, key) = (self.file(name), self.people.key("ann"));
        let what = ["deploy", "plan", "--env", "dev", "--service", CODE_QUEUE, "--commit", commit];
        let how = ["--output", "json", "--out", &file, "--key", &key];
        let run = self.scene.stage.host(&[&what[..], &how, flags].concat());
        assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
        file
    }

    fn approve(&self, file: &str, by: &str, role: &str) {
        let key = self.people.key(by);
        let run = self.scene.stage.host(&["deploy", "approve", file, "--role", role, "--key", &key]);
        assert_eq!(run.code, 0, "{run:?}");
    }

    fn apply(&self, file: &str) -> Run {
        self.scene.stage.host(&["deploy", "apply", file, "--run-now", "--output", "json"])
    }

    /// Refused, for this reason, and nothing was changed.
    fn refused(&self, file: &str, code: &str, words: &str) {
        let before = versions(self.scene, &self.workloads);
        self.apply(file).assert_refused(code, words);
        assert_eq!(versions(self.scene, &self.workloads), before, "{code}");
    }
}

/// Another context of the same cluster, which means another account or namespace.
fn with_another_context(kubeconfig: &str) -> String {
    let mut config: Value = serde_json::from_str(kubeconfig).expect("JSON");
    let mut other = config["contexts"][0].clone();
    other["name"] = json!("other");
    config["contexts"].as_array_mut().expect("contexts").push(other);
    config.to_string()
}

#[test]
fn cluster_code_queue_goes_live_whole_by_a_plan_that_somebody_else_approved() {
    let d601 = d601();
    let scene = Scene::set(&d601, People::TABLE);
    let (_, image) = scene.published_as(CODE_QUEUE, "code queue was here", |image| image);
    let workloads = CODE_QUEUE_DEV.map(|name| started(&scene, NAMESPACE, name, &image.reference));
    with_shipped_rights(&scene);
    let office = Office { scene: &scene, people: People::at(scene.stage.folder()), workloads };
    let (commit, image) = scene.published_as(CODE_QUEUE, "code queue as approved", |image| image);

    let file = office.plan("queue.plan", &commit, &[]);
    let shown = scene.stage.host(&["deploy", "show", &file, "--output", "json"]).json();
    let service = &shown["services"][0];
    let pending = service["pending"].as_array().expect("a list");
    assert_eq!(pending.len(), 1, "only an approval is missing: {pending:?}");
    assert!(pending[0].as_str().unwrap_or_default().starts_with("guard.require-approval: "), "{pending:?}");
    let places = service["places"].as_array().expect("places");
    for what in [
        "registry.url",
        "registry.via.hostKey",
        "runtimes.d601-k3s.cluster",
        "runtimes.d601-k3s.context",
        "runtimes.d601-k3s.server",
        "runtimes.d601-k3s.via.hostKey",
    ] {
        assert!(places.iter().any(|place| place["what"] == what), "{what}: {places:?}");
    }
    let run = office.apply(&file);
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "nobody approved it: {run:?}");
    office.approve(&file, "otto", "operator");

    // What was approved is one file, for one cluster, of one image.
    let text = fs::read_to_string(&file).expect("the plan");
    fs::write(&file, text.replacen(&commit, &"0".repeat(40), 1)).expect("another plan");
    office.refused(&file, "plan-changed", "is not as it was written");
    fs::write(&file, text).expect("the plan");

    let toml = fs::read_to_string(scene.stage.project().host_toml()).expect("host.toml");
    let kubeconfig = fs::read_to_string(scene.kubeconfig()).expect("a kubeconfig");
    scene.use_kubeconfig(&with_another_context(&kubeconfig));
    let named = "kubeconfig = \"k3s.yaml\"\n";
    let other = toml.replace(named, &format!("{named}context = \"other\"\n"));
    assert_ne!(other, toml);
    fs::write(scene.stage.project().host_toml(), other).expect("host.toml");
    office.refused(&file, "plan-runtime", "runtimes.d601-k3s.context: ");
    fs::write(scene.stage.project().host_toml(), toml).expect("host.toml");

    let _ = scene.published_as(CODE_QUEUE, "code queue as approved", |image| image.env("AGAIN", "1"));
    office.refused(&file, "stale", "registry.resolve");
    let _ = scene.published_as(CODE_QUEUE, "code queue as approved", |image| image);

    let run = office.apply(&file);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    for workload in &office.workloads {
        let template = &deployment(&scene, workload)["spec"]["template"];
        assert_eq!(template["spec"]["containers"][0]["image"], image.reference.as_str());
        assert_eq!(scene.cluster.health(workload).expect("an answer")["deploy"]["commit"], commit.as_str());
    }
    office.refused(&file, "plan-used", "was applied already, by run ");

    // The next one is looked at too late, and the one after that when somebody else was faster.
    let (commit, _) = scene.published_as(CODE_QUEUE, "code queue after that", |image| image);
    let late = office.plan("late.plan", &commit, &["--expires-in", "1s"]);
    let next = office.plan("next.plan", &commit, &[]);
    office.approve(&next, "bob", "supervisor");
    office.refused(&late, "plan-expired", "the plan expired at ");
    let by_hand = format!("{}=127.0.0.1:5000/unidesk/{CODE_QUEUE}:by-hand", CODE_QUEUE_DEV[1]);
    let target = format!("deployment/{}", CODE_QUEUE_DEV[1]);
    scene.cluster.kubectl(&["set", "image", "--namespace", NAMESPACE, &target, &by_hand]).expect("kubectl");
    office.refused(&next, "stale", ":by-hand");
}
