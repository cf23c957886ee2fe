//! Does the resolved Compose project fit an activation? Judged on the output of `docker compose config`, so that whatever
//! Compose understands is understood here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::backend::live::env_file::Secrets;
use crate::names::EnvKey;
use crate::operation::Activate;
use crate::words::{plain, quoted};

/// Longest part of a Compose file that a message repeats, in characters.
const SHOWN: usize = 200;
/// Pull policies under which an image that is there is used as it is.
const KEEPING: [&str; 3] = ["never", "missing", "if_not_present"];

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    build: Option<IgnoredAny>,
    container_name: Option<String>,
    pull_policy: Option<String>,
    scale: Option<u64>,
    deploy: Option<Deploy>,
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Deploy {
    replicas: Option<u64>,
}

/// A value for each key that nobody would write, another one for each.
pub fn made_up(keys: &[&EnvKey]) -> Vec<(String, String)> {
    keys.iter().enumerate().map(|(at, key)| (key.to_string(), format!("made-up-value-{at}"))).collect()
}

/// Everything in `resolved` that does not fit `call`, as one text with what to write instead. `made_up` are the values
/// with which it was resolved; any value of it may be one of `secrets`.
pub fn service(
    resolved: &[u8],
    call: &Activate,
    made_up: &[(String, String)],
    secrets: &Secrets,
) -> Result<(), String> {
    let project: Project = serde_json::from_slice(resolved).map_err(|error| {
        format!("Compose's own rendering cannot be read: {}", plain(&secrets.hide(&error.to_string()), SHOWN))
    })?;
    let name = call.service.as_str();
    let service = project.services.get(name).ok_or_else(|| format!("there is no service {name}"))?;
    let wrong: Vec<_> = [
        image(service, call, secrets),
        pull_policy(service, secrets),
        container_name(service, call, secrets),
        replicas(service),
    ]
    .into_iter()
    .flatten()
    .chain(environment(service, made_up))
    .collect();
    if wrong.is_empty() { Ok(()) } else { Err(format!("service {name} {}", wrong.join("; it "))) }
}

fn image(service: &Service, call: &Activate, secrets: &Secrets) -> Option<String> {
    let names: Vec<_> = call.stable_names.iter().map(|name| format!("`image: {name}`")).collect();
    let wanted = names.join(" or ");
    match (&service.image, &service.build) {
        (None, Some(_)) => Some(format!("can only be built, and nothing is built here; give it {wanted}")),
        (None, None) => Some(format!("has no image; give it {wanted}")),
        (Some(image), _) => {
            let stable = image.strip_suffix(":latest").unwrap_or(image);
            let fits = call.stable_names.iter().any(|name| name.as_str() == stable);
            (!fits).then(|| {
                format!(
                    "uses the image {}; deploys would not reach it, give it {wanted}",
                    quoted(&secrets.hide(image), SHOWN)
                )
            })
        }
    }
}

fn pull_policy(service: &Service, secrets: &Secrets) -> Option<String> {
    let policy = service.pull_policy.as_deref()?;
    (!KEEPING.contains(&policy)).then(|| {
        format!(
            "has pull_policy {}, under which Compose replaces the delivered image; write `pull_policy: never`",
            quoted(&secrets.hide(policy), SHOWN)
        )
    })
}

fn container_name(service: &Service, call: &Activate, secrets: &Secrets) -> Option<String> {
    let wanted = call.container.as_str();
    let found = match service.container_name.as_deref() {
        Some(found) if found == wanted => return None,
        Some(found) => format!("runs as container {}", quoted(&secrets.hide(found), SHOWN)),
        None => "has no container_name".to_owned(),
    };
    Some(format!("{found}; write `container_name: {wanted}`, which is what is inspected afterwards"))
}

/// With none, the next `up` would take the running container away; a second one would find its name taken.
fn replicas(service: &Service) -> Option<String> {
    let found = service.scale.or_else(|| service.deploy.as_ref()?.replicas)?;
    (found != 1).then(|| {
        format!(
            "is to have {found} containers, where there must be one; take `scale` and `deploy.replicas` out"
        )
    })
}

fn environment(service: &Service, made_up: &[(String, String)]) -> Option<String> {
    let lines: Vec<_> = made_up
        .iter()
        .filter(|(key, value)| service.environment.get(key).and_then(Option::as_ref) != Some(value))
        .map(|(key, _)| format!("`{key}: ${{{key}:-}}`"))
        .collect();
    (!lines.is_empty()).then(|| {
        format!(
            "would not get its stamp from the controlled env file; write under `environment:` {}",
            lines.join(", ")
        )
    })
}
