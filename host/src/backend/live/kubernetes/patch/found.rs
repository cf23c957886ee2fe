//! A Deployment as the API server has it, read for a patch: what stands there, and what no patch should be made on.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1;
use kube::api::Api;
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::state::{Entry, Stands};
use crate::answer::CallError;
use crate::backend::live::kubernetes::cluster::{Connected, PATIENCE};
use crate::backend::live::kubernetes::{RESTART_PREFIX, RUN_ANNOTATION};
use crate::canonical;
use crate::names::{Commit, Digest, EnvKey, ImageName};
use crate::operation::{Deployment, KUBERNETES_STAMP_PREFIX};
use crate::words::{listed, plain};

/// How many containers a message names.
const NAMED: usize = 8;
/// Longest name that a message repeats, in characters.
const SHOWN: usize = 253;

/// Where Deployments of that namespace are. As they are: typed ones would forget fields that a newer API server knows, and the
/// template is compared whole.
pub fn api(connected: &Connected, named: &Deployment) -> Api<DynamicObject> {
    let kind = ApiResource::erase::<v1::Deployment>(&());
    Api::namespaced_with(connected.client.clone(), named.namespace.as_str(), &kind)
}

/// A Deployment; nothing where there is none of that name.
///
/// # Errors
/// As for [`Connected::asked`].
pub async fn object(connected: &Connected, named: &Deployment) -> Result<Option<DynamicObject>, CallError> {
    let api = api(connected, named);
    connected.asked(&format!("looking at {}", place(named)), PATIENCE, api.get_opt(named.name.as_str())).await
}

/// One Deployment at one moment.
#[derive(Debug, Clone)]
pub struct Found {
    /// Of that moment: a patch that carries it is refused if anything was written since.
    pub version: String,
    /// What is compared, and gone back to.
    pub stands: Stands,
}

impl Found {
    /// What stands in the container that `named` names, and of the stamp under `keys`.
    ///
    /// # Errors
    /// `Mismatch` where there is no such container, or an entry stands twice.
    pub fn read(object: &DynamicObject, named: &Deployment, keys: &[EnvKey]) -> Result<Self, CallError> {
        let template = object.data.pointer("/spec/template").unwrap_or(&Value::Null);
        let container = container(template, named)?;
        let image = text(container, "image").unwrap_or_default().to_owned();
        let env = env(container, named, keys)?;
        let annotation = |key: &EnvKey| annotation(object, key.as_str()).map(str::to_owned);
        let stamped = EnvKey::parse(&format!("{KUBERNETES_STAMP_PREFIX}COMMIT")).ok();
        let commit =
            commit_of(&image).or_else(|| stamped.and_then(|key| Commit::parse(&annotation(&key)?).ok()));
        let metadata = &object.metadata;
        let written = canonical::json(template)
            .map_err(|error| CallError::Other(format!("{}: {error}", place(named))))?;
        Ok(Self {
            version: metadata.resource_version.clone().unwrap_or_default(),
            stands: Stands {
                uid: metadata.uid.clone().unwrap_or_default(),
                template: Some(Digest::of(written.as_bytes())),
                image,
                commit,
                env,
                annotations: keys.iter().map(|key| (key.clone(), annotation(key))).collect(),
                restarts: restarts(template),
                run: metadata.annotations.as_ref().and_then(|all| all.get(RUN_ANNOTATION).cloned()),
            },
        })
    }
}

/// Refuses a Deployment whose patch would start no pods, or would leave a part of them behind.
///
/// # Errors
/// `Mismatch`, with what to do first.
pub fn must_roll_out(
    object: &DynamicObject,
    named: &Deployment,
    repository: &ImageName,
) -> Result<(), CallError> {
    let Deployment { namespace, name, .. } = named;
    let refused = |why: String| Err(CallError::Mismatch(format!("{} {why}", place(named))));
    if object.metadata.deletion_timestamp.is_some() {
        return refused("is being deleted; make it anew before it is deployed to".to_owned());
    }
    let spec = object.data.get("spec").unwrap_or(&Value::Null);
    if spec.get("paused").and_then(Value::as_bool) == Some(true) {
        return refused(format!(
            "is paused, so a patch would start no rollout; find out why, then `kubectl -n {namespace} rollout resume \
             deployment/{name}`"
        ));
    }
    if spec.get("replicas").and_then(Value::as_i64) == Some(0) {
        return refused(format!(
            "has zero replicas, so nothing of the new version would run and nothing could be verified; `kubectl -n \
             {namespace} scale deployment/{name} --replicas=1` first"
        ));
    }
    let template = spec.get("template").unwrap_or(&Value::Null);
    let first = containers(template, "initContainers")
        .find(|one| text(one, "image").is_some_and(|image| is_of(image, repository)));
    match first {
        Some(one) => refused(format!(
            "runs {repository} in its init container {} too, which a deploy does not change: it would stay at the old \
             version; give the init container an image of its own, or do its work in {}",
            shown(one),
            named.container
        )),
        None => Ok(()),
    }
}

/// An annotation of the pod template.
pub fn annotation<'a>(object: &'a DynamicObject, key: &str) -> Option<&'a str> {
    object.data.pointer("/spec/template/metadata/annotations")?.get(key)?.as_str()
}

/// What tells its pods of objects that were brought up to date.
fn restarts(template: &Value) -> BTreeMap<String, String> {
    let annotations = template.pointer("/metadata/annotations").and_then(Value::as_object);
    let told = annotations.into_iter().flatten().filter(|(key, _)| key.starts_with(RESTART_PREFIX));
    told.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The container by its name. Merging by name would add one that is not there.
fn container<'a>(template: &'a Value, named: &Deployment) -> Result<&'a Value, CallError> {
    let wanted = named.container.as_str();
    if let Some(found) = containers(template, "containers").find(|one| text(one, "name") == Some(wanted)) {
        return Ok(found);
    }
    let there: Vec<String> = containers(template, "containers").map(shown).collect();
    let what = if containers(template, "initContainers").any(|one| text(one, "name") == Some(wanted)) {
        format!("has {wanted} as an init container only, which has ended when the service runs")
    } else {
        format!("has no container {wanted}")
    };
    Err(CallError::Mismatch(format!(
        "{} {what}; its containers are: {}. The plugin of the service names the container",
        place(named),
        listed(&there, NAMED)
    )))
}

fn env(
    container: &Value,
    named: &Deployment,
    keys: &[EnvKey],
) -> Result<Vec<(EnvKey, Option<Entry>)>, CallError> {
    let listed = container.get("env").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut env: Vec<(EnvKey, Option<Entry>)> = Vec::with_capacity(keys.len());
    for one in listed {
        let Some(key) = keys.iter().find(|key| text(one, "name") == Some(key.as_str())) else { continue };
        if env.iter().any(|(known, _)| known == key) {
            return Err(CallError::Mismatch(format!(
                "{} has {key} twice in the environment of {}, and merging by name would leave one of them; remove one",
                place(named),
                named.container
            )));
        }
        let entry = match one.get("valueFrom") {
            Some(source) => Entry::From(source.clone()),
            // An empty value is left out of the JSON.
            None => Entry::Value(text(one, "value").unwrap_or_default().to_owned()),
        };
        env.push((key.clone(), Some(entry)));
    }
    let absent: Vec<_> = keys.iter().filter(|key| env.iter().all(|(known, _)| known != *key)).collect();
    env.extend(absent.into_iter().map(|key| (key.clone(), None)));
    Ok(env)
}

/// As messages name it.
pub fn place(named: &Deployment) -> String {
    format!("the Deployment {}/{}", named.namespace, named.name)
}

/// The commit that an image's name ends with.
fn commit_of(image: &str) -> Option<Commit> {
    Commit::parse(image.rsplit_once(':')?.1).ok()
}

/// Whether `image` is one of `repository`, from whatever registry.
fn is_of(image: &str, repository: &ImageName) -> bool {
    let bare = image.split('@').next().unwrap_or_default();
    let bare = match bare.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => bare,
    };
    bare.strip_suffix(repository.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn containers<'a>(template: &'a Value, which: &str) -> impl Iterator<Item = &'a Value> {
    let all = template.get("spec").and_then(|spec| spec.get(which)).and_then(Value::as_array);
    all.into_iter().flatten()
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

fn shown(container: &Value) -> String {
    plain(text(container, "name").unwrap_or_default(), SHOWN)
}
