//! Whether pods can only come to the one node that images are brought to.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;

use super::Cluster;
use super::cluster::{Connected, PATIENCE};
use crate::answer::CallError;
use crate::words::{listed, plain};

/// Most nodes that a message names.
const NAMED: usize = 4;
/// Longest name of a node that a message repeats, in characters.
const SHOWN: usize = 80;
/// What begins the key of a taint that says how a node is just now, not what may run there.
const PASSING: &str = "node.kubernetes.io/";

/// Refuses a cluster whose pods may start where the image is not, and where nobody knows what the loopback's registry is.
///
/// # Errors
/// `Mismatch` with the nodes.
pub async fn one(cluster: &Cluster, connected: &Connected) -> Result<(), CallError> {
    let nodes = Api::<Node>::all(connected.client.clone());
    let all = connected.asked("listing the nodes", PATIENCE, nodes.list(&ListParams::default())).await?;
    let schedulable: Vec<String> = all.items.iter().filter(|node| takes_pods(node)).map(name).collect();
    if schedulable.len() <= 1 {
        return Ok(());
    }
    Err(CallError::Mismatch(format!(
        "pods of {} may start on {} nodes ({}), and each pulls from its own loopback, but images and registry are on one; \
         keep pods from the others (`kubectl cordon NODE`), or deploy to a cluster of one node",
        cluster.name,
        schedulable.len(),
        listed(&schedulable, NAMED)
    )))
}

/// Whether a pod that tolerates nothing may come there, now or when the node is well again.
fn takes_pods(node: &Node) -> bool {
    let Some(spec) = &node.spec else { return true };
    let keeps_away = |effect: &str| matches!(effect, "NoSchedule" | "NoExecute");
    let taints = spec.taints.iter().flatten();
    !spec.unschedulable.unwrap_or(false)
        && !taints.into_iter().any(|taint| keeps_away(&taint.effect) && !taint.key.starts_with(PASSING))
}

fn name(node: &Node) -> String {
    plain(node.metadata.name.as_deref().unwrap_or("without a name"), SHOWN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(spec: &serde_json::Value) -> bool {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "one" }, "spec": spec });
        takes_pods(&serde_json::from_value(node).expect("a node"))
    }

    #[test]
    fn a_node_that_is_not_well_still_counts() {
        assert!(takes(&json!({})));
        let ill = json!({ "taints": [{ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }] });
        assert!(takes(&ill));
        assert!(takes(&json!({ "taints": [{ "key": "gpu", "effect": "PreferNoSchedule" }] })));
    }

    #[test]
    fn a_node_that_pods_are_kept_from_does_not() {
        assert!(!takes(&json!({ "unschedulable": true })));
        let control =
            json!({ "taints": [{ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }] });
        assert!(!takes(&control));
        assert!(!takes(&json!({ "taints": [{ "key": "gpu", "value": "yes", "effect": "NoExecute" }] })));
    }
}
