//! Whole deploys to the cluster, seen with kubectl: what is live afterwards, and what is live again after one that failed.

use std::collections::BTreeMap;
use std::thread;

use e2e::Behaviour;
use e2e::cluster::{DEPLOYMENT, NAMESPACE, SERVICE, Scene, d601};
use e2e::line::until;
use lab::cluster::Workload;
use lab::paths;
use serde_json::{Value, json};

/// Where the prod services are.
pub const PROD: &str = "unidesk";

/// What kubectl shows of a Deployment of the service, and what it answers.
fn seen(scene: &Scene<'_>, workload: &Workload) -> Value {
    let deployment = format!("deployment/{}", workload.name());
    let deployment = scene.cluster.get(workload.namespace(), &deployment).expect("the Deployment");
    let health = scene.cluster.health(workload).expect("an answer");
    let template = &deployment["spec"]["template"];
    json!({
        "image": template["spec"]["containers"][0]["image"],
        "env": template["spec"]["containers"][0]["env"],
        "annotations": template["metadata"]["annotations"],
        "lastDeploy": deployment["metadata"]["annotations"]["host.unidesk/run"].is_string(),
        "ready": deployment["status"]["readyReplicas"],
        "health": health["deploy"]["commit"],
    })
}

/// As it has to look when `commit` is live.
fn live(commit: &str) -> Value {
    let stamp = [
        ("UNIDESK_DEPLOY_COMMIT", commit),
        ("UNIDESK_DEPLOY_REQUESTED_COMMIT", commit),
        ("UNIDESK_DEPLOY_SERVICE_ID", SERVICE),
        ("UNIDESK_DEPLOY_SOURCE_REPO", "https://github.com/pikasTech/unidesk"),
    ];
    json!({
        "image": format!("127.0.0.1:5000/unidesk/{SERVICE}:{commit}"),
        "env": stamp.map(|(key, value)| json!({ "name": key, "value": value })),
        "annotations": stamp.into_iter().collect::<BTreeMap<_, _>>(),
        "lastDeploy": true,
        "ready": 1,
        "health": commit,
    })
}

#[test]
fn cluster_decision_center_goes_live_in_dev_and_in_prod() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let (dev, first) = scene.running("before it goes live", |workload| workload);
    let reference = format!("127.0.0.1:5000/unidesk/{SERVICE}:{first}");
    let prod = Workload::new(PROD, SERVICE, &reference).replicas(1);
    scene.cluster.run(&prod).expect("a Deployment");
    scene.cluster.rolled_out(&prod).expect("its pods");
    let (commit, _) = scene.published("goes live", |image| image);

    let in_dev = || seen(&scene, &dev);
    let in_prod = || seen(&scene, &prod);
    let before = in_prod();

    let run = scene.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!((in_dev(), in_prod()), (live(&commit), before), "and prod is left alone");

    let run = scene.stage.deploy_as(SERVICE, "prod", &commit, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!((in_dev(), in_prod()), (live(&commit), live(&commit)));

    // Whoever asks sees who deployed what, without this machine's journal, too.
    let told = scene.stage.host(&["runs", "list", "--output", "json"]).json();
    let targets = told["targets"].as_array().cloned().unwrap_or_default();
    let deploys: Vec<_> =
        targets.iter().map(|row| (&row["deploy"]["environment"], &row["deploy"]["commit"])).collect();
    assert_eq!(deploys, [(&json!("dev"), &json!(commit)), (&json!("prod"), &json!(commit))], "{told:#}");
}

#[test]
fn cluster_a_deploy_that_fails_leaves_or_takes_back_as_it_was_told() {
    let d601 = d601();
    let scene = Scene::set(&d601, "rollout-seconds = 12");
    let (workload, first) = scene.running("stays in the end", |workload| workload);
    let before = seen(&scene, &workload);
    for (behaviour, message) in [
        (Behaviour::NeverReady, "runs and is not ready"),
        (Behaviour::Crash, "told to crash at start"),
        (Behaviour::OldCommit, "/deploy/commit: expected"),
    ] {
        let (commit, _) = scene
            .published(&format!("is taken back, {}", behaviour.name()), |image| image.behaviour(behaviour));
        let run = scene.deploy(&commit, &["--run-now", "--on-failure", "rollback"]);
        assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{}{}", run.stdout, run.stderr);
        assert_eq!(run.text("/rollback/previousCommit"), first);
        assert!(run.text("/error/message").contains(message), "{message}: {}", run.stdout);
        scene.cluster.rolled_out(&workload).expect("its pods");
        assert_eq!(seen(&scene, &workload), before, "{message}");
    }

    // Left as it is, the message says what still serves and what to do.
    let (commit, _) = scene.published("is left", |image| image.behaviour(Behaviour::NeverReady));
    let run = scene.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    let serves =
        format!("what serves now: revision 7 (127.0.0.1:5000/unidesk/{SERVICE}:{first}, 1 ready pod)");
    assert!(run.text("/error/message").contains(&serves), "{}", run.stdout);
    assert_eq!(seen(&scene, &workload)["health"], before["health"]);
}

#[test]
fn cluster_rights_that_are_revoked_in_a_rollout_are_named() {
    let d601 = d601();
    let scene = Scene::set(&d601, "rollout-seconds = 10");
    let (_, first) = scene.running("before a revocation", |workload| workload);
    let shipped = |name: &str| {
        std::fs::read_to_string(paths::policies().join("kubernetes").join(name)).expect("a manifest")
    };
    let all = format!("{}---\n{}", shipped("unidesk-dev.yaml"), shipped("cluster.yaml"));
    let kubeconfig = scene.cluster.kubeconfig_of_account(NAMESPACE, "host", &all).expect("an account");
    scene.use_kubeconfig(&std::fs::read_to_string(kubeconfig).expect("a kubeconfig"));
    let (commit, _) = scene.published("is not let in", |image| image.behaviour(Behaviour::NeverReady));

    let run = thread::scope(|threads| {
        threads.spawn(|| {
            until("it is patched", || {
                let deployment = scene
                    .cluster
                    .get(NAMESPACE, &format!("deployment/{DEPLOYMENT}"))
                    .expect("the Deployment");
                let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
                !image.to_string().contains(&first)
            });
            let bindings = ["delete", "rolebindings", "--all", "--namespace", NAMESPACE];
            scene.cluster.kubectl(&bindings).expect("no rights");
        });
        scene.deploy(&commit, &["--run-now", "--on-failure", "rollback"])
    });

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    let who = format!("system:serviceaccount:{NAMESPACE}:host");
    assert!(run.text("/error/message").contains(&format!("does not let {who} ")), "{}", run.stdout);
    assert!(
        run.text("/error/message").contains("apply policies/kubernetes/unidesk-dev.yaml"),
        "{}",
        run.stdout
    );
    assert!(run.text("/error/message").contains("NOT taken back: kubernetes.patch"), "{}", run.stdout);
}

#[test]
fn cluster_a_plan_tells_how_what_runs_stands_to_a_commit() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let (workload, first) = scene.running("planned first", |workload| workload);
    let (second, _) = scene.published("planned second", |image| image);
    let told = |commit: &str, words: &str| {
        let arguments =
            ["deploy", "plan", "--env", "dev", "--service", SERVICE, "--commit", commit, "--output", "json"];
        let run = scene.stage.host(&arguments);
        assert!(run.text("/services/0/state/reason").contains(words), "{words}: {run:?}");
        run.text("/services/0/state/state")
    };
    assert_eq!(told(&first, "nothing on the target says which deploy"), "drifted", "it was started by hand");

    let run = scene.deploy(&second, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(told(&second, ""), "in-sync");
    assert_eq!(told(&first, &format!("runs commit {second}")), "behind");

    let theirs = format!("{DEPLOYMENT}=127.0.0.1:5000/unidesk/{SERVICE}:{first}");
    let set = ["--namespace", NAMESPACE, "set", "image", "deployment", DEPLOYMENT, &theirs];
    scene.cluster.kubectl(&set).expect("kubectl");
    scene.cluster.rolled_out(&workload).expect("its pods");
    assert_eq!(told(&second, &first), "drifted", "it was set by hand");
}
