//! Something that runs: a container, or a pod.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// As far as it can be told whether it is where this program runs, or where a connection comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbour {
    /// For people: `container todo-note-backend`, `pod unidesk/mdtodo-5f`.
    pub shown: String,
    /// What it is called, and what it is part of: container and Compose service, pod and Deployment.
    pub names: BTreeSet<String>,
    /// Ids of its containers, and of the pod.
    pub ids: BTreeSet<String>,
    /// Its own name for itself, unless it was given another one.
    pub hostname: String,
    /// Of its own; none where it uses its machine's network.
    pub addresses: BTreeSet<IpAddr>,
    /// Of its machine, as far as they are known: what leaves it for elsewhere may bear them.
    pub machine: BTreeSet<IpAddr>,
    /// Whether it uses its machine's network.
    pub on_machine: bool,
}
