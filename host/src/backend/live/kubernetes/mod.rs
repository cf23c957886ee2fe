//! A native Kubernetes: its API server, reached with the operator's own kubeconfig, and the containerd of its node.

mod cluster;
mod diagnose;
mod expect;
mod import;
mod lease;
mod mirror;
mod nodes;
mod patch;
mod pods;
mod proxy;
mod revision;
mod rollout;
mod running;
mod runs;
mod sync;
mod trouble;
mod uid;

pub use cluster::{Cluster, Connected};
pub use diagnose::diagnose;
pub use expect::{expect, inspect};
pub use import::Import;
pub use lease::{Lease, Loss};
pub use patch::Patching;
pub use proxy::Proxied;
pub use rollout::await_rollout;
pub use running::running;
pub use runs::runs;
pub use sync::{Synced, Synchronisation};
pub use uid::uid;

/// The annotation of a Deployment in which a deploy says which run it was.
pub const RUN_ANNOTATION: &str = "host.unidesk/run";
/// What begins the annotations of a pod template that name the versions of objects which its pods read.
const RESTART_PREFIX: &str = "host.unidesk/";
