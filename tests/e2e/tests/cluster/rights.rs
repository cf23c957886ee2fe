//! The manifests that are shipped give a deploy what it needs and nothing else: with a right less it says which.

use e2e::Behaviour;
use e2e::cluster::{NAMESPACE, d601};
use lab::paths;

use crate::sync::Frontend;

/// What the manifests say, what is left of it, and the right that is missed then.
const RIGHTS: [(&str, &str, &str); 8] = [
    ("[get, list, watch, patch]", "[get, list, watch]", "patch deployments.apps"),
    ("[get, list, watch, patch]", "[list, watch, patch]", "get deployments.apps"),
    ("[get, patch, delete]", "[patch, delete]", "get secrets"),
    ("[secrets, configmaps]\n    verbs: [create]", "[configmaps]\n    verbs: [create]", "create secrets"),
    ("[get, create, update]", "[get, update]", "create leases.coordination.k8s.io"),
    ("[replicasets]\n    verbs: [list, watch]", "[replicasets]\n    verbs: [watch]", "list replicasets.apps"),
    ("[services/proxy]\n    verbs: [get]", "[services/proxy]\n    verbs: [create]", "get services/proxy"),
    ("[nodes]\n    verbs: [list]", "[nodes]\n    verbs: [get]", "list nodes"),
];

#[test]
fn cluster_the_shipped_rights_are_enough_and_a_missing_one_is_named() {
    let d601 = d601();
    let mut frontend = Frontend::set(&d601);
    frontend.write_source("first-password-7Gh2");
    let shipped = |name: &str| {
        let file = paths::policies().join("kubernetes").join(name);
        std::fs::read_to_string(file).expect("a manifest")
    };
    let all = format!("{}---\n{}", shipped("unidesk-dev.yaml"), shipped("cluster.yaml"));
    let kubeconfig =
        frontend.scene.cluster.kubeconfig_of_account(NAMESPACE, "host", &all).expect("an account");
    frontend.scene.use_kubeconfig(&std::fs::read_to_string(kubeconfig).expect("a kubeconfig"));
    let (commit, _) = frontend.published("second", Behaviour::Good);

    for (given, less, missed) in RIGHTS {
        let fewer = all.replace(given, less);
        assert_ne!(fewer, all, "{given}");
        frontend.scene.cluster.apply(NAMESPACE, &fewer).expect("a right less");
        let run = frontend.deploy(&commit, &["--on-failure", "rollback"]);
        assert_ne!(run.code, 0, "without {missed}: {run:?}");
        let file = if missed == "list nodes" { "cluster" } else { NAMESPACE };
        for words in [
            format!("does not let system:serviceaccount:{NAMESPACE}:host {missed} "),
            format!("apply policies/kubernetes/{file}.yaml"),
        ] {
            assert!(run.text("/error/message").contains(&words), "without {missed}: {run:?}");
        }
    }
    frontend.scene.cluster.apply(NAMESPACE, &all).expect("all rights again");
    let run = frontend.deploy(&commit, &[]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
}
