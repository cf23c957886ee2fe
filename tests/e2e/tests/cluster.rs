//! What this release does with a real Kubernetes on D601: the doctor asks its API server, through SSH, and a deploy says that
//! there is none yet. `lab run` prepares D601 and the cluster's programs for tests whose names begin with `cluster_`.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use e2e::cluster::{Scene, d601};

#[test]
fn cluster_is_asked_by_the_doctor_and_not_deployed_to_yet() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let doctor = || scene.stage.host(&["doctor", "--only", "cluster", "--output", "json"]);
    let well = doctor();
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(well.stdout.contains("Kubernetes v1.34"), "{}", well.stdout);

    let (commit, _) = scene.published("not deployed to a cluster yet", |image| image);
    let run = scene.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{}{}", run.stdout, run.stderr);
    assert!(run.text("/error/message").contains("d601-k3s is a Kubernetes runtime"), "{}", run.stdout);

    std::fs::write(scene.kubeconfig(), "no kubeconfig").expect("a file");
    let broken = doctor();
    assert_eq!(broken.code, 1, "{}{}", broken.stdout, broken.stderr);
    assert!(
        broken.stdout.contains("k3s.yaml, for the runtime d601-k3s, cannot be used"),
        "{}",
        broken.stdout
    );
}
