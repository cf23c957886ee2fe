//! A native Kubernetes: its API server, reached with the operator's own kubeconfig, and the containerd of its node.

mod cluster;
mod diagnose;
mod trouble;

pub use cluster::Cluster;
pub use diagnose::diagnose;

use crate::answer::CallError;
use crate::operation::Operation;

/// Names what is missing.
pub fn unavailable(operation: &Operation) -> CallError {
    CallError::Unavailable(format!(
        "{} of {}: this release deploys to no Kubernetes runtime yet; it only asks its API server how it is",
        operation.name(),
        operation.target()
    ))
}
