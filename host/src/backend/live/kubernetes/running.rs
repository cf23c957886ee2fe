//! The pods of a cluster, whoever's they are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

use super::Connected;
use super::cluster::PATIENCE;
use crate::answer::CallError;
use crate::backend::live::whereabouts::Neighbour;
use crate::words::plain;

/// Longest name that is told, in characters.
const SHOWN: usize = 130;
/// By which a Deployment marks the pods of one template.
const TEMPLATE_LABEL: &str = "pod-template-hash";

/// All of them.
///
/// # Errors
/// What the API server says, or that it does not.
pub async fn running(connected: &Connected) -> Result<Vec<Neighbour>, CallError> {
    let pods: Api<Pod> = Api::all(connected.client.clone());
    let (what, all) = ("listing the pods of all namespaces", ListParams::default());
    let found = connected.asked(what, PATIENCE, pods.list(&all)).await?;
    Ok(found.items.iter().map(neighbour).collect())
}

fn neighbour(pod: &Pod) -> Neighbour {
    let (spec, status) = (pod.spec.clone().unwrap_or_default(), pod.status.clone().unwrap_or_default());
    let name = pod.metadata.name.clone().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let on_machine = spec.host_network.unwrap_or(false);
    let containers =
        [&status.container_statuses, &status.init_container_statuses, &status.ephemeral_container_statuses];
    let containers = containers.into_iter().flatten().flatten().filter_map(|one| one.container_id.as_ref());
    // `containerd://<id>`
    let ids = containers.filter_map(|id| Some(id.rsplit_once('/')?.1.to_owned()));
    let addresses = status.pod_ips.iter().flatten().map(|one| one.ip.clone()).chain(status.pod_ip);
    let machine = status.host_ips.iter().flatten().map(|one| one.ip.clone()).chain(status.host_ip);
    Neighbour {
        shown: plain(&format!("pod {namespace}/{name}"), SHOWN),
        names: std::iter::once(name.clone()).chain(controllers(pod)).collect(),
        ids: ids.chain(pod.metadata.uid.clone()).collect(),
        hostname: if on_machine { String::new() } else { spec.hostname.unwrap_or(name) },
        addresses: if on_machine { BTreeSet::new() } else { parsed(addresses) },
        machine: parsed(machine),
        on_machine,
    }
}

/// What made it: a Deployment by way of a `ReplicaSet`, or anything else.
fn controllers(pod: &Pod) -> impl Iterator<Item = String> {
    let template = pod.metadata.labels.as_ref().and_then(|labels| labels.get(TEMPLATE_LABEL));
    let ending = template.map(|hash| format!("-{hash}"));
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.map(move |owner| {
        let deployment = ending.as_ref().and_then(|ending| owner.name.strip_suffix(ending.as_str()));
        deployment.unwrap_or(&owner.name).to_owned()
    })
}

fn parsed(addresses: impl Iterator<Item = String>) -> BTreeSet<IpAddr> {
    addresses.filter_map(|text| text.parse().ok()).collect()
}
