//! Which cluster this is.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::Connected;
use super::cluster::PATIENCE;
use crate::answer::CallError;

/// The namespace that every cluster has for as long as it lives.
const OLDEST: &str = "kube-system";

/// The UID of that namespace.
///
/// # Errors
/// What the API server says, or that it does not.
pub async fn uid(connected: &Connected) -> Result<String, CallError> {
    let namespaces: Api<Namespace> = Api::all(connected.client.clone());
    let found = connected.asked("learning which cluster this is", PATIENCE, namespaces.get(OLDEST)).await?;
    found.metadata.uid.ok_or_else(|| {
        CallError::Other(format!("the API server at {} shows {OLDEST} without a UID", connected.address))
    })
}
