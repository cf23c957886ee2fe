//! The Kubernetes runtime has no live side yet; a live call says what is missing.

use crate::answer::CallError;
use crate::operation::Operation;

/// Names what is missing.
pub fn unavailable(operation: &Operation) -> CallError {
    CallError::Unavailable(format!(
        "{} of {}: this release reaches no Kubernetes runtime; what is missing is the connection to its API server and to \
         its node's containerd",
        operation.name(),
        operation.target()
    ))
}
