//! The other services of the cluster, each as its plugin deploys it, with no more rights than the manifests that are shipped
//! give; and Code Queue, which a supervisor's approval stands before. Seen with kubectl.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use e2e::Run;
use e2e::cluster::{NAMESPACE, Scene, d601};
use lab::cluster::Workload;
use lab::paths;
use serde_json::{Value, json};

use crate::deploys::PROD;

/// Service, environment, and Deployment there.
const PLAIN: [(&str, &str, &str); 4] = [
    ("mdtodo", "dev", "mdtodo-dev"),
    ("mdtodo", "prod", "mdtodo"),
    ("claudeqq", "prod", "claudeqq"),
    ("backend-core", "dev", "backend-core-dev"),
];

pub const CODE_QUEUE: &str = "code-queue";
pub const CODE_QUEUE_DEV: [&str; 4] = [
    "code-queue-scheduler-dev",
    "code-queue-read-dev",
    "code-queue-write-dev",
    "code-queue-provider-egress-proxy-dev",
];

/// From now on deploys have the rights that are shipped, and no others.
pub fn with_shipped_rights(scene: &Scene<'_>) {
    // The manifests are for a cluster that has both.
    let prod = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": PROD } });
    scene.cluster.apply(PROD, &prod.to_string()).expect("a namespace");
    let manifests = paths::policies().join("kubernetes");
    let kubeconfig = scene.cluster.kubeconfig_by_manifests(&manifests, PROD, "host").expect("an account");
    scene.use_kubeconfig(&kubeconfig);
}

/// Somebody runs an image as a Deployment.
pub fn started(scene: &Scene<'_>, namespace: &str, name: &str, image: &str) -> Workload {
    let workload = Workload::new(namespace, name, image);
    scene.cluster.run(&workload).expect("a Deployment");
    scene.cluster.rolled_out(&workload).expect("its pods");
    workload
}

pub fn deployment(scene: &Scene<'_>, workload: &Workload) -> Value {
    let object = format!("deployment/{}", workload.name());
    scene.cluster.get(workload.namespace(), &object).expect("the Deployment")
}

#[test]
fn cluster_each_plain_service_goes_live_with_the_shipped_rights() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let workloads = PLAIN.map(|(service, environment, name)| {
        let (_, image) = scene.published_as(service, &format!("{name} before"), |image| image);
        started(&scene, if environment == "dev" { NAMESPACE } else { PROD }, name, &image.reference)
    });
    with_shipped_rights(&scene);
    for ((service, environment, name), workload) in PLAIN.into_iter().zip(&workloads) {
        let (commit, image) = scene.published_as(service, &format!("{name} goes live"), |image| image);

        let run = scene.stage.deploy_as(service, environment, &commit, &["--run-now"]);

        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
        let template = &deployment(&scene, workload)["spec"]["template"];
        assert_eq!(template["spec"]["containers"][0]["image"], image.reference.as_str());
        let stamped = &template["metadata"]["annotations"];
        assert_eq!(
            (&stamped["UNIDESK_DEPLOY_COMMIT"], &stamped["UNIDESK_DEPLOY_SERVICE_ID"]),
            (&json!(commit), &json!(service))
        );
        let health = scene.cluster.health(workload).expect("an answer");
        let deploy = json!({ "commit": commit, "requestedCommit": commit });
        assert_eq!((&health["service"], &health["deploy"]), (&json!(service), &deploy));
    }
}

/// An SSH server that never says a word; whoever connects to it is seen.
struct Mute(TcpListener);

impl Mute {
    /// Puts it where this scene's D601 is.
    fn instead_of_d601(scene: &Scene<'_>) -> Self {
        let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
        mute.set_nonblocking(true).expect("a mode");
        let port = mute.local_addr().expect("its address").port();
        let config = scene.stage.folder().join("mute_ssh_config");
        fs::write(&config, format!("Host d601\n  HostName 127.0.0.1\n  Port {port}\n")).expect("a file");
        let file = scene.stage.project().host_toml();
        let toml = fs::read_to_string(&file).expect("host.toml");
        let real = scene.d601.ssh_config().display().to_string();
        let moved = toml.replace(&real, &config.display().to_string());
        assert_ne!(moved, toml, "its configuration is named");
        fs::write(&file, moved).expect("host.toml");
        Self(mute)
    }

    /// How many connections were made since this was asked last.
    fn heard(&self) -> usize {
        let none = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        std::iter::from_fn(|| self.0.accept().map_err(none).ok()).count()
    }
}

pub fn versions(scene: &Scene<'_>, workloads: &[Workload]) -> Vec<String> {
    let version = |workload| deployment(scene, workload)["metadata"]["resourceVersion"].to_string();
    workloads.iter().map(version).collect()
}

#[test]
fn cluster_code_queue_is_planned_whole_and_waits_for_a_supervisor() {
    let d601 = d601();
    let scene = Scene::set(&d601, "ssh-connect-seconds = 2");
    let (first, image) = scene.published_as(CODE_QUEUE, "code queue before", |image| image);
    let workloads = CODE_QUEUE_DEV.map(|name| started(&scene, NAMESPACE, name, &image.reference));
    with_shipped_rights(&scene);
    let (next, image) = scene.published_as(CODE_QUEUE, "code queue after", |image| image);
    let before = versions(&scene, &workloads);

    let plan =
        ["deploy", "plan", "--env", "dev", "--service", CODE_QUEUE, "--commit", &next, "--output", "json"];
    let plan = scene.stage.host(&plan);
    assert_eq!(plan.outcome(), (0, "planned".to_owned()), "{plan:?}");
    let report = plan.json()["services"][0].clone();
    let deployments = CODE_QUEUE_DEV.map(
        |name| json!({ "namespace": NAMESPACE, "name": name, "container": name, "image": image.reference }),
    );
    assert_eq!(report["target"]["deployments"], json!(deployments), "{plan:?}");
    assert_eq!(report["registry"]["digest"], image.digest.as_str(), "{plan:?}");
    assert_eq!(report["rollback"]["previousCommit"], first.as_str(), "what runs was looked at: {plan:?}");
    assert_eq!(report["state"]["state"], "drifted", "no deploy left it so: {plan:?}");
    let steps = report["steps"].as_array().expect("steps").iter();
    let pending: Vec<_> =
        steps.filter(|step| step["outcome"] == "pending").map(|step| &step["operation"]).collect();
    assert_eq!(pending, ["guard.require-approval"], "whoever asks is outside: {plan:?}");

    let blocked = |run: &Run| {
        assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
        assert_eq!(run.text("/error/step"), "guard.require-approval", "{run:?}");
        run.text("/error/message")
    };
    let live = || scene.stage.deploy_as(CODE_QUEUE, "dev", &next, &["--run-now"]);
    let at_hand = blocked(&live());
    let mute = Mute::instead_of_d601(&scene);
    assert_eq!(blocked(&live()), at_hand, "the same answer where D601 is mute");
    assert_eq!(mute.heard(), 0, "and it was not asked");
    let other = scene.stage.deploy_as("mdtodo", "dev", &next, &["--run-now"]);
    assert_eq!(other.outcome(), (4, "infra-blocked".to_owned()), "{other:?}");
    assert!(mute.heard() > 0, "another service's deploy is heard: {other:?}");

    let prod = scene.stage.deploy_as(CODE_QUEUE, "prod", &next, &["--run-now"]);
    assert_eq!(prod.outcome(), (3, "unsupported".to_owned()), "{prod:?}");
    assert_eq!(versions(&scene, &workloads), before);
    for workload in &workloads {
        let health = scene.cluster.health(workload).expect("an answer");
        assert_eq!(health["deploy"]["commit"], first.as_str());
    }
}
