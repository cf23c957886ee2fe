//! Who may say yes to a plan: signatures by `ssh-keygen -Y`, made here and by hand, and every way in which one does not count.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::people::{People, keygen};
use e2e::{Run, Running, SampleImage, Settings, Stage, commit};
use lab::project::CODE_QUEUE_MGR;
use serde_json::{Value, json};

/// A service whose live deploys need a supervisor.
const SERVICE: &str = "code-queue-mgr";

/// Ann asks.
struct Scene {
    stage: Stage,
    people: People,
    plan: String,
    commit: String,
}

impl Scene {
    fn set(name: &str) -> Self {
        let tables = format!("\n[catalog]\ndesired = \"deploy.json\"\n{}", People::TABLE);
        let stage = Stage::with(Settings { tables, ..Settings::default() });
        let commit = commit(name);
        let plan = stage.folder().join("mgr.plan").display().to_string();
        let scene = Self { people: People::at(stage.folder()), plan, stage, commit: commit.clone() };
        scene.stage.publish(&SampleImage::new(SERVICE, &commit));
        fs::write(scene.file("deploy.json"), json!({ "prod": { SERVICE: commit } }).to_string())
            .expect("deploy.json");
        let run = scene.planned("mgr.plan", &["--key", &scene.people.key("ann")]);
        assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stage.folder().join(name)
    }

    fn private(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn planned(&self, file: &str, flags: &[&str]) -> Run {
        let file = self.private(file);
        let plan = ["deploy", "plan", "--service", SERVICE, "--output", "json", "--out", &file];
        self.stage.host(&[&plan, flags].concat())
    }

    fn approve(&self, by: &str, flags: &[&str]) -> Run {
        let key = self.people.key(by);
        let approve = ["deploy", "approve", &self.plan, "--role", "supervisor", "--key", &key];
        self.stage.host(&[&approve, flags].concat())
    }

    fn show(&self) -> Value {
        self.stage.host(&["deploy", "show", &self.plan, "--output", "json"]).json()
    }

    /// Who approved it, and counts.
    fn approvers(&self) -> Vec<String> {
        let shown = self.show();
        let approvals = shown["approvals"].as_array().cloned().unwrap_or_default();
        approvals.iter().map(|one| format!("{} {}", one["role"], one["signer"]).replace('"', "")).collect()
    }

    fn apply(&self) -> Run {
        self.stage.host(&["deploy", "apply", &self.plan, "--run-now", "--output", "json"])
    }

    /// What came of the gate that waits for approvals.
    fn gate(run: &Run) -> (String, String) {
        let steps = run.json()["services"][0]["steps"].as_array().cloned().unwrap_or_default();
        let gate = steps.iter().find(|step| step["operation"] == "guard.require-approval").expect("the gate");
        let text = |key: &str| gate[key].as_str().unwrap_or_default().to_owned();
        (text("outcome"), text("message"))
    }

    /// The statements beside the plan of this role.
    fn statements(&self, role: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.stage.folder()).expect("a folder").flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        let is = |path: &PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            name.starts_with(&format!("mgr.plan.{role}-"))
                && path.extension().is_some_and(|end| end == "json")
        };
        paths.retain(is);
        paths.sort();
        paths
    }

    /// A statement beside the plan, signed by hand.
    fn by_hand(&self, by: &str, namespace: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let print = ["deploy", "approve", &self.plan, "--role", "supervisor", "--print"];
        let mut statement: Value =
            serde_json::from_str(&self.stage.host(&print).stdout).expect("a statement");
        change(&mut statement);
        let file = self.file("mgr.plan.by-hand.json");
        fs::write(&file, statement.to_string()).expect("a statement");
        let (key, shown) = (self.people.key(by), file.display().to_string());
        assert!(keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", &key, &shown], None));
        file
    }

    /// It does not count, for this reason; then it is gone.
    fn does_not_count(&self, file: &Path, words: &str) {
        assert_eq!(self.approvers(), [""; 0], "{words}");
        let refused = self.show()["refused"].clone();
        assert!(refused.to_string().contains(words), "{words}: {refused}");
        let run = self.apply();
        assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
        assert_eq!(Self::gate(&run).0, "pending", "{words}");
        fs::remove_file(file).expect("a statement");
        let _ = fs::remove_file(file.with_extension("json.sig"));
    }
}

#[test]
fn a_supervisor_who_did_not_ask_for_it_approves_a_plan() {
    let scene = Scene::set("approved by a supervisor");
    assert_eq!(scene.show()["requester"], "ann@example");
    assert_eq!(scene.apply().outcome(), (3, "blocked".to_owned()));

    let run = scene.approve("bob", &["--comment", "looked at it with Ann"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(scene.approvers(), ["supervisor bob@example"]);

    // The same program that others use accepts it.
    let [file] = scene.statements("supervisor").try_into().expect("one statement");
    let signature = file.with_extension("json.sig").display().to_string();
    let signers = scene.private("allowed_signers");
    let verify =
        ["-Y", "verify", "-n", "host-approval", "-I", "bob@example", "-f", &signers, "-s", &signature];
    assert!(keygen(&verify, Some(&file)));
    // And so does one by a key that is in an agent only, and one that was signed by hand.
    fs::remove_file(&file).expect("a statement");
    let socket = scene.private("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a", &socket])
        .stdout(Stdio::null())
        .spawn()
        .expect("ssh-agent");
    e2e::line::until("the agent listens", || Path::new(&socket).exists());
    let add = ["-q", &scene.people.key("bob")];
    assert!(
        Command::new("ssh-add").args(add).env("SSH_AUTH_SOCK", &socket).status().expect("ssh-add").success()
    );
    fs::rename(scene.file("bob"), scene.file("bob.elsewhere")).expect("no private key");
    let approve =
        ["deploy", "approve", &scene.plan, "--role", "supervisor", "--key", &scene.private("bob.pub")];
    let run = Run::of(scene.stage.command(&approve).env("SSH_AUTH_SOCK", &socket));
    agent.kill().and_then(|()| agent.wait()).expect("an end");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(scene.approvers(), ["supervisor bob@example"]);
    fs::rename(scene.file("bob.elsewhere"), scene.file("bob")).expect("the private key");
    let [file] = scene.statements("supervisor").try_into().expect("one statement");
    fs::remove_file(&file).expect("a statement");
    scene.by_hand("bob", "host-approval", |_| {});
    assert_eq!(scene.approvers(), ["supervisor bob@example"]);

    // What is approved is this plan, for what the Compose file says now.
    let compose = scene.file("docker-compose.yml");
    let reviewed = fs::read_to_string(&compose).expect("the Compose file");
    let service = format!("  {SERVICE}:\n");
    assert!(reviewed.contains(&service), "{reviewed}");
    let edited = reviewed.replace(&service, &format!("{service}    labels: {{ edited: by-hand }}\n"));
    fs::write(&compose, edited).expect("the Compose file");
    let words = "the Compose files are other ones now: runtimes.main-server.services.code-queue-mgr: ";
    scene.apply().assert_refused("plan-runtime", words);
    assert!(Running::of_service(scene.stage.project(), &CODE_QUEUE_MGR).is_err(), "nothing was started");
    fs::write(&compose, reviewed).expect("the Compose file");

    let run = scene.apply();
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(Scene::gate(&run), ("met".to_owned(), "approved by bob@example (supervisor)".to_owned()));
    let running = Running::of_service(scene.stage.project(), &CODE_QUEUE_MGR).expect("what runs");
    assert!(running.is(&scene.commit), "{running:?}");
    let id = run.json()["services"][0]["run"]["id"].clone();
    let shown = scene.stage.host(&["runs", "show", id.as_str().expect("a run")]);
    assert!(shown.stdout.contains("approved by bob@example (supervisor)"), "{shown:?}");
    scene.apply().assert_refused("plan-used", "was applied already, by run ");
}

#[test]
fn security_key_signatures_count_like_any_other() {
    let scene = Scene::set("approved with a security key");
    let provider = lab::security_key::provider().expect("a security key").display().to_string();
    let key = scene.private("bob-sk");
    let made = ["-q", "-t", "ed25519-sk", "-N", "", "-C", "bob", "-w", &provider, "-f", &key];
    assert!(keygen(&made, None));
    let public = fs::read_to_string(format!("{key}.pub")).expect("a public key");
    assert!(public.starts_with("sk-ssh-ed25519@openssh.com "), "{public}");
    let known = fs::read_to_string(scene.file("allowed_signers")).expect("allowed_signers");
    fs::write(scene.file("allowed_signers"), format!("{known}bob@example {public}"))
        .expect("allowed_signers");

    let approve = ["deploy", "approve", &scene.plan, "--role", "supervisor", "--key", &key];
    let without = scene.stage.host(&approve);
    assert_eq!(without.code, 2, "the key is not there: {without:?}");
    assert_eq!(scene.statements("supervisor"), [""; 0].map(PathBuf::from), "nothing is left of it");
    let run = Run::of(scene.stage.command(&approve).env("SSH_SK_PROVIDER", &provider));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(scene.approvers(), ["supervisor bob@example"]);
}

#[test]
fn what_does_not_count_says_why() {
    let scene = Scene::set("approved by nobody who may");
    for (by, words) in [
        ("ann", "ann@example asked for the plan; somebody else approves it"),
        ("eve", "eve@example is not in roles.supervisor"),
        ("mallory", "it is signed by nobody in"),
    ] {
        let run = scene.approve(by, &[]);
        assert_eq!(run.code, 3, "{by}: {run:?}");
        assert!(run.stderr.contains(words), "{words}: {run:?}");
        assert_eq!(scene.statements("supervisor"), [""; 0].map(PathBuf::from), "{by}: nothing is left of it");
    }

    let file = scene.by_hand("bob", "file", |_| {});
    scene.does_not_count(&file, "its signature does not hold");
    let file = scene.by_hand("bob", "host-approval", |_| {});
    let text = fs::read_to_string(&file).expect("a statement");
    fs::write(&file, text.replace("\"comment\":\"\"", "\"comment\":\"!\"")).expect("another one");
    scene.does_not_count(&file, "its signature does not hold");
    let file = scene
        .by_hand("bob", "host-approval", |statement| statement["expires"] = json!("2020-01-01T00:00:00Z"));
    scene.does_not_count(&file, "it expired at");
    let other = format!("sha256:{}", "5".repeat(64));
    let file = scene.by_hand("bob", "host-approval", |statement| statement["plan"] = json!(other));
    scene.does_not_count(&file, "it is about another plan");
    let file =
        scene.by_hand("bob", "host-approval", |statement| statement["requester"] = json!("eve@example"));
    scene.does_not_count(&file, "it says that eve@example asked for the plan, and ann@example did");

    // A key that is revoked.
    let file = scene.by_hand("bob", "host-approval", |_| {});
    let revoked = scene.private("revoked");
    assert!(keygen(&["-q", "-k", "-f", &revoked, &scene.private("bob.pub")], None));
    let toml = fs::read_to_string(scene.stage.project().host_toml()).expect("host.toml");
    let with = toml.replace("allowed-signers = ", "revoked = \"revoked\"\nallowed-signers = ");
    fs::write(scene.stage.project().host_toml(), with).expect("host.toml");
    scene.does_not_count(&file, "revoked");
    fs::write(scene.stage.project().host_toml(), toml).expect("host.toml");

    // A plan that nobody signed for having asked for.
    let run = scene.planned("mgr.plan", &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = scene.approve("bob", &[]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("nobody signed for having asked"), "{run:?}");
}

#[test]
fn what_policy_permits_once_approved_is_planned_before_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = e2e::policies(folder.path(), |_, content| content);
    let example = lab::paths::policies().join("examples/four-eyes/four-eyes.cedar");
    fs::copy(example, policies.join("four-eyes.cedar")).expect("an example");
    let stage = Stage::with(Settings {
        tables: format!("\n[catalog]\ndesired = \"deploy.json\"\n{}", People::TABLE),
        policies: Some(policies),
        ..Settings::default()
    });
    let people = People::at(stage.folder());
    let commit = stage.published("by two people");
    let desired = json!({ "prod": { e2e::SERVICE: commit } }).to_string();
    fs::write(stage.folder().join("deploy.json"), desired).expect("deploy.json");
    let run = stage.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (3, "denied".to_owned()), "nobody deploys alone: {run:?}");

    let file = stage.folder().join("prod.plan").display().to_string();
    let key = people.key("ann");
    let run = stage.host(&["deploy", "plan", "--output", "json", "--out", &file, "--key", &key]);
    assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
    let shown = stage.host(&["deploy", "show", &file, "--output", "json"]).json();
    let pending = shown["services"][0]["pending"].as_array().cloned().unwrap_or_default();
    let words = "compose.activate main-server/project-manager: policy permits it once approved by operator or supervisor";
    assert!(pending.contains(&json!(words)), "{pending:?}");
    let apply = || stage.host(&["deploy", "apply", &file, "--run-now", "--output", "json"]);
    let run = apply();
    assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
    assert!(run.json()["services"][0]["error"]["message"].to_string().contains("four-eyes"), "{run:?}");
    assert_eq!(stage.running(), None, "nothing was started");

    let key = people.key("otto");
    let run = stage.host(&["deploy", "approve", &file, "--role", "operator", "--key", &key]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = apply();
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(commit));
}
