//! The doctor asks the API server that a deploy will use.

use e2e::cluster::{Scene, d601};

#[test]
fn cluster_is_asked_by_the_doctor() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let doctor = || scene.stage.host(&["doctor", "--only", "cluster", "--output", "json"]);
    let well = doctor();
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(well.stdout.contains("Kubernetes v1.34"), "{}", well.stdout);

    std::fs::write(scene.kubeconfig(), "no kubeconfig").expect("a file");
    let broken = doctor();
    assert_eq!(broken.code, 1, "{}{}", broken.stdout, broken.stderr);
    assert!(
        broken.stdout.contains("k3s.yaml, for the runtime d601-k3s, cannot be used"),
        "{}",
        broken.stdout
    );
}
