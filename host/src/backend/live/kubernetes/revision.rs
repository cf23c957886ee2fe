//! Which revision of a Deployment something is of, as its controller writes it down.

use kube::Resource;

/// Where Kubernetes writes which revision something is.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The number of a Deployment's newest revision, or that of a `ReplicaSet`.
pub fn revision<K: Resource>(object: &K) -> Option<&str> {
    object.meta().annotations.as_ref()?.get(REVISION).map(String::as_str)
}

/// Whether `owner` made an object and looks after it.
pub fn owned<K: Resource, O: Resource>(object: &K, owner: &O) -> bool {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|one| one.controller == Some(true) && Some(&one.uid) == owner.meta().uid.as_ref())
}
