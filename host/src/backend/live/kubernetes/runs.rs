//! What Deployments tell of the last deploy to them.

use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;

use super::cluster::PATIENCE;
use super::{Connected, RUN_ANNOTATION};
use crate::answer::CallError;
use crate::names::ServiceName;
use crate::operation::OwnedDeployment;
use crate::provenance::Provenance;

/// The last deploy to each of them; nothing of one that is not there, or that no deploy wrote to.
///
/// # Errors
/// As for [`Connected::asked`].
pub async fn runs(
    connected: &Connected,
    deployments: &[OwnedDeployment],
) -> Result<Vec<(ServiceName, Provenance)>, CallError> {
    let asked = deployments.iter().map(|one| async move {
        let OwnedDeployment { service, namespace, name } = one;
        let api = Api::<Deployment>::namespaced(connected.client.clone(), namespace.as_str());
        let what = format!("looking at the Deployment {namespace}/{name}");
        let found = connected.asked(&what, PATIENCE, api.get_metadata_opt(name.as_str())).await?;
        let told = found.and_then(|found| Provenance::read(found.metadata.annotations?.get(RUN_ANNOTATION)?));
        Ok::<_, CallError>(told.map(|told| (service.clone(), told)))
    });
    let mut runs: Vec<_> = try_join_all(asked).await?.into_iter().flatten().collect();
    // One deploy may have changed several of one service.
    runs.dedup();
    Ok(runs)
}
