//! A Deployment and its pods as they are: what a plugin may see of them, and whether they are what was deployed.

use k8s_openapi::api::core::v1::{Container, Pod};

use super::Connected;
use super::patch::{Entry, Found, annotation, object};
use super::pods::newest;
use crate::answer::{CallError, Check, Literal, WorkloadView};
use crate::artifact::{Artifact, Identity};
use crate::backend::live::container::{FOUND_TEXT, only_stamps, pointer, text};
use crate::backend::live::delivery::identity;
use crate::operation::{ExpectWorkload, InspectWorkload, label_pointer};
use crate::words::plain;

/// `kubernetes.inspect`: image, stamp and annotations of the pods that a Deployment asks for; nothing where there is no such
/// Deployment.
///
/// # Errors
/// `Denied` for an environment entry that is no stamp; `Mismatch` where there is no such container.
pub async fn inspect(
    connected: &Connected,
    call: &InspectWorkload,
) -> Result<Option<WorkloadView>, CallError> {
    only_stamps(&call.env)?;
    let Some(object) = object(connected, &call.deployment).await? else { return Ok(None) };
    let stands = Found::read(&object, &call.deployment, &call.env)?.stands;
    let env = stands.env.into_iter().filter_map(|(key, entry)| match entry? {
        Entry::Value(value) => Some((key.to_string(), plain(&value, FOUND_TEXT))),
        Entry::From(_) => None,
    });
    let annotations = call
        .annotations
        .iter()
        .filter_map(|key| Some((key.to_string(), plain(annotation(&object, key.as_str())?, FOUND_TEXT))));
    Ok(Some(WorkloadView {
        image: plain(&stands.image, FOUND_TEXT),
        env: env.collect(),
        annotations: annotations.collect(),
    }))
}

/// `kubernetes.expect`: every pod of the newest `ReplicaSet` must run the artifact, with this stamp in the container's
/// environment and in its own annotations. Kubernetes knows no labels of images: those that the registry's configuration
/// of the image was proved to carry hold for what runs exactly when the digest of what runs is the artifact's.
///
/// # Errors
/// As for [`newest`]; `Mismatch` where there are no pods.
pub async fn expect(
    connected: &Connected,
    call: &ExpectWorkload,
    artifact: &Artifact,
) -> Result<Vec<Check>, CallError> {
    let identity = identity(artifact)?;
    let named = &call.deployment;
    let pods = newest(connected, named).await?;
    if pods.is_empty() {
        return Err(CallError::Mismatch(format!(
            "the Deployment {0}/{1} has no pods; `kubectl -n {0} describe deployment {1}` shows why",
            named.namespace, named.name
        )));
    }
    checks(&pods, call, artifact, identity)
}

fn checks(
    pods: &[Pod],
    call: &ExpectWorkload,
    artifact: &Artifact,
    identity: &Identity,
) -> Result<Vec<Check>, CallError> {
    let container = call.deployment.container.as_str();
    let image = image(pods, container, identity)?;
    let proved = image.satisfied;
    let mut checks = vec![image];
    for pair in &call.labels {
        let found = (proved && artifact.labels.contains(pair)).then_some(pair.value.as_str());
        checks.push(text(&label_pointer(&pair.key), found, pair.value.as_str())?);
    }
    for pair in &call.stamp {
        let found = |pod| env(pod, container, pair.key.as_str());
        checks.push(text(
            &format!("/env/{}", pair.key),
            worst(pods, found, pair.value.as_str()),
            pair.value.as_str(),
        )?);
    }
    for pair in &call.stamp {
        let found = |pod| annotation_of(pod, pair.key.as_str());
        let at = format!("/annotations/{}", pair.key);
        checks.push(text(&at, worst(pods, found, pair.value.as_str()), pair.value.as_str())?);
    }
    Ok(checks)
}

/// What the first pod has that has something else than what is wanted; else that.
fn worst<'a>(
    pods: &'a [Pod],
    found: impl Fn(&'a Pod) -> Option<&'a str>,
    wanted: &'a str,
) -> Option<&'a str> {
    pods.iter().map(found).find(|found| *found != Some(wanted)).unwrap_or(Some(wanted))
}

/// The runtime's name of the image in every pod is held against all of the artifact's; shown is the one that people know
/// from the registry.
fn image(pods: &[Pod], container: &str, identity: &Identity) -> Result<Check, CallError> {
    let runs = |pod: &&Pod| running(pod, container).is_some_and(|digest| identity.is_called(digest));
    let other = pods.iter().find(|pod| !runs(pod));
    let found = match other {
        None => Some(identity.served().to_string()),
        Some(pod) => running(pod, container).map(|found| plain(found, FOUND_TEXT)),
    };
    Ok(Check { pointer: pointer("/image")?, found: found.map(Literal::Text), satisfied: other.is_none() })
}

/// The digest of what runs: the part of the imageID that is no name. Nothing where nothing was started yet.
fn running<'a>(pod: &'a Pod, container: &str) -> Option<&'a str> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let id = statuses.iter().find(|status| status.name == container)?.image_id.as_str();
    let digest = id.rsplit_once('@').map_or(id, |(_, digest)| digest);
    (!digest.is_empty()).then_some(digest)
}

fn env<'a>(pod: &'a Pod, container: &str, key: &str) -> Option<&'a str> {
    let named = |one: &&Container| one.name == container;
    let container = pod.spec.as_ref()?.containers.iter().find(named)?;
    // Of two with the same name the last one holds.
    container.env.as_ref()?.iter().rfind(|one| one.name == key)?.value.as_deref()
}

fn annotation_of<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests;
