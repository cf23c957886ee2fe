//! The pods that a Deployment wants now: those of its newest `ReplicaSet`.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::core::Selector;

use super::Connected;
use super::cluster::PATIENCE;
use super::revision::{owned, revision};
use crate::answer::CallError;
use crate::operation::Deployment as Named;

/// The pods of the newest `ReplicaSet` of a Deployment that are not on their way out.
///
/// # Errors
/// `NotFound` where there is no such Deployment; `Mismatch` where its controller has not seen what it says now.
pub async fn newest(connected: &Connected, named: &Named) -> Result<Vec<Pod>, CallError> {
    let (namespace, name) = (named.namespace.as_str(), named.name.as_str());
    let what = |what: &str| format!("looking at {what} {namespace}/{name}");
    let deployments: Api<Deployment> = Api::namespaced(connected.client.clone(), namespace);
    let deployment = connected.asked(&what("the Deployment"), PATIENCE, deployments.get(name)).await?;
    if !is_seen(&deployment) {
        return Err(CallError::Mismatch(format!(
            "the Deployment {namespace}/{name} was changed, and its controller has not acted on it yet; `kubectl -n \
             {namespace} rollout status deployment/{name}` waits for it"
        )));
    }
    let selector = deployment.spec.clone().unwrap_or_default().selector;
    let selector = Selector::try_from(selector).map_err(|error| {
        CallError::Other(format!("the selector of the Deployment {namespace}/{name} cannot be read: {error}"))
    })?;
    let like = ListParams::default().labels_from(&selector);
    let sets: Api<ReplicaSet> = Api::namespaced(connected.client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(connected.client.clone(), namespace);
    let (set_words, pod_words) = (what("the ReplicaSets of"), what("the pods of"));
    let (sets, pods) = tokio::try_join!(
        connected.asked(&set_words, PATIENCE, sets.list(&like)),
        connected.asked(&pod_words, PATIENCE, pods.list(&like)),
    )?;
    let newest = revision(&deployment);
    let set = sets.items.iter().find(|set| owned(*set, &deployment) && revision(*set) == newest);
    let Some(set) = set else { return Ok(Vec::new()) };
    let lives = |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && owned(pod, set);
    Ok(pods.items.into_iter().filter(lives).collect())
}

fn is_seen(deployment: &Deployment) -> bool {
    let seen = deployment.status.as_ref().and_then(|status| status.observed_generation);
    seen >= deployment.metadata.generation
}
