//! A container as it is: what a plugin may see of it, whether it is what was deployed, and where it answers.

use super::docker::{ContainerFacts, Engine, Network};
use crate::answer::{CallError, Check, ContainerView, Literal};
use crate::artifact::Artifact;
use crate::names::{ContainerName, EnvKey, Pointer};
use crate::operation::{ExpectContainer, InspectContainer, label_pointer};
use crate::words::plain;

/// Longest label or environment value that leaves the host, in characters, unless it is what was expected.
pub(super) const FOUND_TEXT: usize = 512;

/// `compose.inspect`: the labels of the container's image and the environment entries that were asked for, as far as they
/// are there; nothing where there is no such container.
///
/// # Errors
/// `Denied` for an environment entry that is no stamp: the others may be secrets. `Unavailable` where the engine cannot be
/// asked.
pub async fn inspect(engine: &Engine, call: &InspectContainer) -> Result<Option<ContainerView>, CallError> {
    only_stamps(&call.env)?;
    let Some(container) = engine.container(&call.container).await? else { return Ok(None) };
    let image = engine.image(&container.image).await?;
    let label = |key: &str| image.as_ref().and_then(|image| image.labels.get(key).map(String::as_str));
    let found =
        |key: &str, value: Option<&str>| value.map(|value| (key.to_owned(), plain(value, FOUND_TEXT)));
    Ok(Some(ContainerView {
        labels: call.labels.iter().filter_map(|key| found(key.as_str(), label(key.as_str()))).collect(),
        env: call.env.iter().filter_map(|key| found(key.as_str(), container.env(key.as_str()))).collect(),
        image_digest: Some(container.image),
    }))
}

/// Whoever calls this has put the service's prefix before every key already; should that ever be forgotten, no plugin
/// reads a secret for it.
pub(super) fn only_stamps(keys: &[EnvKey]) -> Result<(), CallError> {
    let stamp = |key: &str| key.starts_with("UNIDESK_") && key.contains("_DEPLOY_");
    match keys.iter().find(|key| !stamp(key.as_str())) {
        None => Ok(()),
        Some(key) => Err(CallError::Denied {
            reason: format!(
                "{key} is no stamp (UNIDESK_…_DEPLOY_…): no other entry of a container's environment is read, it may be \
                 a secret"
            ),
            policies: Vec::new(),
        }),
    }
}

/// `compose.expect`: the container must run the artifact, with these labels on its image and these environment entries.
/// The checks are `/image`, `/labels/<key>` and `/env/<key>`. A container's own labels do not count: whoever writes the
/// Compose file chooses them.
///
/// # Errors
/// `NotFound` where there is no such container, `Mismatch` where it does not run.
pub async fn expect(
    engine: &Engine,
    call: &ExpectContainer,
    artifact: &Artifact,
) -> Result<Vec<Check>, CallError> {
    let container = running(engine, &call.container).await?;
    let labels = engine.image(&container.image).await?.map(|image| image.labels).unwrap_or_default();
    let mut checks = vec![image(&container, artifact)?];
    for pair in &call.labels {
        let found = labels.get(pair.key.as_str()).map(String::as_str);
        checks.push(text(&label_pointer(&pair.key), found, pair.value.as_str())?);
    }
    for pair in &call.env {
        let found = container.env(pair.key.as_str());
        checks.push(text(&format!("/env/{}", pair.key), found, pair.value.as_str())?);
    }
    Ok(checks)
}

/// Host and port at which the port of a container answers from this machine, IPv4 first.
///
/// # Errors
/// `NotFound` where there is no such container; `Mismatch` where it does not run or has no network of its own.
pub async fn address(engine: &Engine, container: &ContainerName, port: u16) -> Result<String, CallError> {
    let found = running(engine, container).await?;
    let without = |why: &str| {
        CallError::Mismatch(format!(
            "the container {container} {why}, so it has no address of its own; name its health endpoint in host.toml: \
             `[health.<name>]` with its `url`"
        ))
    };
    match found.network {
        Network::Host => Ok(format!("127.0.0.1:{port}")),
        Network::None => Err(without("has no network")),
        Network::Shared => Err(without("lives in the network of another container")),
        Network::Addresses(addresses) => addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or(addresses.first())
            .map(|address| std::net::SocketAddr::new(*address, port).to_string())
            .ok_or_else(|| without("is in no network that gives it an address")),
    }
}

async fn running(engine: &Engine, name: &ContainerName) -> Result<ContainerFacts, CallError> {
    let found = engine.container(name).await?.ok_or_else(|| {
        CallError::NotFound(format!("there is no container {name} in the engine at {}", engine.address()))
    })?;
    must_run(engine, &found)?;
    Ok(found)
}

/// Refuses a container that does not run, with how it ended.
pub(super) fn must_run(engine: &Engine, container: &ContainerFacts) -> Result<(), CallError> {
    if container.running {
        return Ok(());
    }
    Err(CallError::Mismatch(format!(
        "the container {} does not run: {}; {}",
        container.name,
        container.condition(),
        logs(engine, container)
    )))
}

/// Logs may hold secrets: how to see them, not what is in them.
pub(super) fn logs(engine: &Engine, container: &ContainerFacts) -> String {
    format!("`{} logs --tail 50 {}` shows why", engine.command(), container.name)
}

/// The engine's name of the image is held against all of the artifact's; shown is the one that people know from the
/// registry.
fn image(container: &ContainerFacts, artifact: &Artifact) -> Result<Check, CallError> {
    let identity = super::delivery::identity(artifact)?;
    let satisfied = identity.is_called(&container.image);
    let found = if satisfied { identity.served().to_string() } else { container.image.clone() };
    Ok(Check { pointer: pointer("/image")?, found: Some(Literal::Text(found)), satisfied })
}

/// A check of a text, such as a label.
pub(super) fn text(at: &str, found: Option<&str>, wanted: &str) -> Result<Check, CallError> {
    Ok(Check {
        pointer: pointer(at)?,
        found: found.map(|found| Literal::Text(plain(found, FOUND_TEXT))),
        satisfied: found == Some(wanted),
    })
}

pub(super) fn pointer(text: &str) -> Result<Pointer, CallError> {
    Pointer::parse(text).map_err(|error| CallError::Invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::LabelKey;

    #[test]
    fn a_check_names_its_key_as_a_pointer() {
        let key = LabelKey::parse("org.x/y").expect("a key");
        let check = text(&label_pointer(&key), Some("1"), "1").expect("a check");
        assert_eq!(check.pointer.as_str(), "/labels/org.x~1y");
        assert_eq!((check.found, check.satisfied), (Some(Literal::Text("1".to_owned())), true));
        assert!(!text("/env/K", Some("2"), "1").expect("a check").satisfied);
        let absent = text("/env/K", None, "").expect("a check");
        assert_eq!((absent.found, absent.satisfied), (None, false));
    }

    #[test]
    fn what_is_found_is_escaped_and_cut() {
        let found = |found: &str, wanted: &str| {
            let Some(Literal::Text(text)) = text("/env/K", Some(found), wanted).expect("a check").found
            else {
                panic!("a text")
            };
            text
        };
        assert_eq!(found("a\u{1b}[2J\n", "a"), "a\\u{1b}[2J\\n");
        assert_eq!(found(&"é".repeat(513), "a"), "é".repeat(512) + "…");
        // What was expected is a plain value, so it comes back as it is.
        let longest = "a".repeat(512);
        assert_eq!(found(&longest, &longest), longest);
    }

    #[test]
    fn no_secret_is_read_from_an_environment() {
        let keys =
            |names: &[&str]| names.iter().map(|name| EnvKey::parse(name).expect(name)).collect::<Vec<_>>();
        only_stamps(&keys(&["UNIDESK_X_DEPLOY_COMMIT", "UNIDESK_PROJECT_MANAGER_DEPLOY_REF"]))
            .expect("stamps");
        only_stamps(&[]).expect("nothing");
        for secret in ["TOKEN", "UNIDESK_TOKEN", "X_DEPLOY_COMMIT", "MY_UNIDESK_X_DEPLOY_COMMIT"] {
            let error = only_stamps(&keys(&["UNIDESK_X_DEPLOY_COMMIT", secret])).expect_err(secret);
            assert!(
                matches!(error, CallError::Denied { .. }) && error.to_string().contains(secret),
                "{error}"
            );
        }
    }
}
