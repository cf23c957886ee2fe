//! What the pods of frontend in dev read: `config.json` → `auth`, in a Secret and a `ConfigMap` of the namespace. Seen with
//! kubectl; the values are looked for wherever they must not be.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use e2e::cluster::{NAMESPACE, Scene, d601};
use e2e::{Behaviour, Run, SampleImage, commit, values};
use lab::D601;
use lab::cluster::Workload;
use serde_json::{Value, json};

const SERVICE: &str = "frontend";
const DEPLOYMENT: &str = "frontend-dev";
const SECRET: &str = "secret/frontend-dev-auth";
const CONFIG_MAP: &str = "configmap/frontend-dev-auth";
/// Version of the Secret, in the pod template.
const ANNOTATION: &str = "/spec/template/metadata/annotations/host.unidesk~1secret-frontend-dev-auth";

const SOURCE: &str = "\n[secrets.frontend]\njson = \"config.json\"\npointer = \"/auth\"\n";
const SESSION: &str = "session-Qz0Hj8Lp3Wm4Xy9Kv2Rt";
/// The same in base64.
const SESSION_CODED: &str = "c2Vzc2lvbi1RejBIajhMcDNXbTRYeTlLdjJSdA==";

/// The cluster with frontend in it, and its operator's `config.json`.
pub struct Frontend<'a> {
    pub scene: Scene<'a>,
    /// Every value that the source ever had.
    values: Vec<String>,
    /// All that was told.
    told: String,
}

impl<'a> Frontend<'a> {
    pub fn set(d601: &'a D601) -> Self {
        let scene = Scene::set(d601, SOURCE);
        let frontend = Self { scene, values: vec![SESSION.to_owned()], told: String::new() };
        let (_, first) = frontend.published("first", Behaviour::Good);
        let password = json!({ "name": "frontend-dev-auth", "key": "password", "optional": true });
        let workload = Workload::new(NAMESPACE, DEPLOYMENT, &first)
            .env_from("FRONTEND_PASSWORD", json!({ "valueFrom": { "secretKeyRef": password } }));
        frontend.scene.cluster.run(&workload).expect("a Deployment");
        frontend.scene.cluster.rolled_out(&workload).expect("its pods");
        frontend
    }

    /// Commit and reference of an image that CI made.
    pub fn published(&self, name: &str, behaviour: Behaviour) -> (String, String) {
        let commit = commit(&format!("frontend {name}"));
        let image = SampleImage::new(SERVICE, &commit).behaviour(behaviour);
        let pushed = self.scene.cluster.push(&image).expect("an image in D601's registry");
        (commit, pushed.reference)
    }

    pub fn write_source(&mut self, password: &str) {
        if !password.is_empty() {
            self.values.push(password.to_owned());
        }
        let path = self.scene.stage.folder().join("config.json");
        let auth = json!({ "username": "operator", "password": password, "sessionSecret": SESSION });
        std::fs::write(&path, json!({ "auth": auth }).to_string()).expect("config.json");
        set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    }

    /// A live deploy, at its most talkative.
    pub fn deploy(&mut self, commit: &str, flags: &[&str]) -> Run {
        let arguments =
            ["deploy", SERVICE, "--env", "dev", "--commit", commit, "--output", "json", "--run-now"];
        let arguments = [&arguments[..], flags].concat();
        let run = Run::of(self.scene.stage.command(&arguments).env("HOST_LOG", "trace"));
        self.told.push_str(&run.transcript());
        run
    }

    fn get(&self, object: &str) -> Value {
        self.scene.cluster.get(NAMESPACE, object).expect("an object")
    }

    fn version(&self, object: &str) -> String {
        text(&self.get(object), "/metadata/resourceVersion")
    }

    fn deployment(&self) -> Value {
        self.get(&format!("deployment/{DEPLOYMENT}"))
    }

    fn template(&self) -> Value {
        self.deployment()["spec"]["template"].clone()
    }

    /// The pods that are not about to end, by name.
    fn pods(&self) -> Vec<String> {
        let asked =
            ["get", "pods", "--namespace", NAMESPACE, "--selector", "app=frontend-dev", "--output", "json"];
        let pods = self.scene.cluster.kubectl(&asked).expect("pods");
        let pods: Value = serde_json::from_str(&pods).expect("JSON");
        let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let items = pods["items"].as_array().expect("a list").iter();
        items.filter(stays).map(|pod| text(pod, "/metadata/name")).collect()
    }

    /// Looks at all that was told, and at every file of the stage but the source itself.
    fn no_value_is_anywhere_else(&self) {
        assert!(self.told.contains("kubernetes.sync"), "something was told: {}", self.told);
        values::none_in("what was told", &self.told, &self.values);
        let folder = self.scene.stage.folder();
        let mut searched = Vec::new();
        values::search(folder, &[folder.join("config.json")], &self.values, &mut searched);
        assert!(searched.iter().any(|path| path.ends_with("journal.sqlite")), "{searched:?}");
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A manifest of an object in the namespace of the service.
fn object(kind: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: frontend-dev-auth\n{rest}\n")
}

#[test]
fn cluster_what_the_source_has_is_written_once_and_restarts_the_pods_when_it_changes() {
    let d601 = d601();
    let mut frontend = Frontend::set(&d601);
    frontend.write_source("first-password-7Gh2");
    let foreign = object("Secret", "data:\n  other: b3RoZXI=");
    frontend.scene.cluster.apply(NAMESPACE, &foreign).expect("a Secret of somebody else");
    let (commit, _) = frontend.published("second", Behaviour::Good);

    let run = frontend.deploy(&commit, &[]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let data = json!({
        "other": "b3RoZXI=",
        "password": "Zmlyc3QtcGFzc3dvcmQtN0doMg==",
        "session-secret": SESSION_CODED,
    });
    assert_eq!(frontend.get(SECRET)["data"], data, "and a key of somebody else stays");
    assert_eq!(frontend.get(CONFIG_MAP)["data"], json!({ "username": "operator" }));
    let (secret, config_map) = (frontend.version(SECRET), frontend.version(CONFIG_MAP));
    let (template, pods) = (frontend.template(), frontend.pods());
    assert_eq!(text(&frontend.deployment(), ANNOTATION), secret);

    let again = frontend.deploy(&commit, &[]);

    assert_eq!(again.outcome(), (0, "deployed".to_owned()), "{again:?}");
    assert_eq!(
        (frontend.version(SECRET), frontend.version(CONFIG_MAP)),
        (secret.clone(), config_map.clone())
    );
    assert_eq!(
        (frontend.template(), frontend.pods()),
        (template, pods.clone()),
        "nothing is new to the pods"
    );

    frontend.write_source("second-password-9Jk4");
    let changed = frontend.deploy(&commit, &[]);

    assert_eq!(changed.outcome(), (0, "deployed".to_owned()), "{changed:?}");
    assert_eq!(text(&frontend.get(SECRET), "/data/password"), "c2Vjb25kLXBhc3N3b3JkLTlKazQ=");
    assert_ne!(frontend.version(SECRET), secret);
    assert_eq!(frontend.version(CONFIG_MAP), config_map, "there was nothing to write to it");
    assert_eq!(text(&frontend.deployment(), ANNOTATION), frontend.version(SECRET));
    let restarted = frontend.pods();
    assert!(restarted.iter().all(|pod| !pods.contains(pod)), "{pods:?} {restarted:?}");
    frontend.no_value_is_anywhere_else();
}

#[test]
fn cluster_what_was_written_goes_back_with_the_deploy() {
    let d601 = d601();
    let mut frontend = Frontend::set(&d601);
    frontend.write_source("first-password-7Gh2");
    let before = object("Secret", "data:\n  password: YmVmb3Jl\n  other: b3RoZXI=");
    frontend.scene.cluster.apply(NAMESPACE, &before).expect("a Secret");
    let template = frontend.template();
    let (commit, _) = frontend.published("ill", Behaviour::OldCommit);

    let run = frontend.deploy(&commit, &["--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert_eq!(frontend.get(SECRET)["data"], json!({ "other": "b3RoZXI=", "password": "YmVmb3Jl" }));
    let made = frontend.scene.cluster.get(NAMESPACE, CONFIG_MAP);
    assert!(made.is_err(), "what was made is gone: {made:?}");
    assert_eq!(frontend.template(), template);
    frontend.no_value_is_anywhere_else();
}

#[test]
fn cluster_what_cannot_be_synchronised_is_told_before_anything_changes() {
    let d601 = d601();
    let mut frontend = Frontend::set(&d601);
    let template = frontend.template();
    let (commit, _) = frontend.published("second", Behaviour::Good);

    let missing = frontend.deploy(&commit, &[]);
    frontend.write_source("");
    let empty = frontend.deploy(&commit, &[]);
    frontend.write_source("first-password-7Gh2");
    let immutable = object("ConfigMap", "immutable: true\ndata:\n  username: nobody");
    frontend.scene.cluster.apply(NAMESPACE, &immutable).expect("a ConfigMap");
    let fixed = frontend.deploy(&commit, &[]);
    frontend.scene.cluster.kubectl(&["delete", "--namespace", NAMESPACE, CONFIG_MAP]).expect("it is gone");
    let quota = ["create", "quota", "few", "--namespace", NAMESPACE, "--hard=count/configmaps=0"];
    frontend.scene.cluster.kubectl(&quota).expect("a quota");
    let full = frontend.deploy(&commit, &[]);

    for (run, words) in [
        (&missing, "config.json at /auth) cannot be used: it has nothing at /auth"),
        (&empty, "it has no value at /auth/password"),
        (&fixed, "the ConfigMap unidesk-dev/frontend-dev-auth of d601-k3s is immutable"),
        (&full, "refuses it: configmaps \"frontend-dev-auth\" is forbidden: exceeded quota: few"),
    ] {
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
        assert_eq!(run.text("/error/step"), "kubernetes.sync", "{run:?}");
        assert!(run.text("/error/message").contains(words), "{run:?}");
        assert_eq!(run.json()["retryable"], false, "{run:?}");
    }
    assert!(frontend.scene.cluster.get(NAMESPACE, SECRET).is_err(), "nothing was made");
    assert_eq!(frontend.template(), template);
    frontend.no_value_is_anywhere_else();
}
