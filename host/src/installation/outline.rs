//! What `host registry plan` tells: what the registry is, what it may depend on, where its parts are, and who uses it how.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::render::Rendered;
use crate::config::{Installation, RegistryConfig};

/// The architecture of the installation, in words and in places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// What it is, and where its boundary runs.
    pub boundary: Vec<&'static str>,
    /// What it needs while it runs.
    pub depends_on: Vec<String>,
    /// What it must not need.
    pub must_not_depend_on: Vec<&'static str>,
    /// Where its parts are.
    pub places: Places,
    /// How an artifact goes through it, with backend-core as the example.
    pub flow: Vec<Part>,
    /// What an administrator types on its machine.
    pub maintenance: Vec<Part>,
}

/// Where the parts of an installation are, on its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Places {
    /// The machine as host.toml names it; nothing for this one.
    pub via: Option<String>,
    /// The unit of systemd.
    pub unit: String,
    /// Its file.
    pub unit_file: PathBuf,
    /// The Compose project.
    pub project: String,
    /// The container.
    pub container: String,
    /// The image.
    pub image: String,
    /// The registry's own configuration.
    pub config: PathBuf,
    /// The Compose file.
    pub compose: PathBuf,
    /// Where artifacts are kept.
    pub storage: PathBuf,
    /// Its address, on the loopback of its machine.
    pub endpoint: String,
    /// What is published there, as Docker has it.
    pub published: String,
}

/// A step, and what is typed or asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Part {
    /// What happens.
    pub what: String,
    /// The command, or the name of the artifact.
    pub how: String,
}

const BOUNDARY: &[&str] = &[
    "a cache of commit-pinned artifacts that CI publishes; it neither builds nor deploys, and is no replacement for deploy.json",
    "kept running by the host's systemd through Docker Compose, outside the failure domain of k3s",
    "published on the loopback of its machine only; inside its container it may listen on every address",
    "its storage is never deleted, moved or chowned by these commands",
];

/// Specification, "Dependency Boundary".
const NEVER: &[&str] = &[
    "the control plane of k3s, or any of its namespaces",
    "a third party's registry as the source of truth for artifacts",
    "compiling backend-core or building images on the main server",
    "a public registry port, or a reverse proxy from the internet",
    "a Service, NodePort, Ingress or any other lasting way into it from k3s",
];

impl Outline {
    /// Of the registry that the configuration describes.
    #[must_use]
    pub fn new(registry: &RegistryConfig) -> Self {
        let installation = &registry.installation;
        let Installation { unit, project, container, image, config, compose, storage, bind, .. } =
            installation;
        let part = |what: &str, how: String| Part { what: what.to_owned(), how };
        let artifact = format!("{bind}/{}/backend-core:<commit>", registry.namespace);
        let maintained = |verb: &str| format!("systemctl {verb} {unit}");
        let composed = format!("docker compose -p {project} -f {}", compose.display());
        Self {
            boundary: BOUNDARY.to_vec(),
            depends_on: vec![
                "Docker Engine of its machine".to_owned(),
                "the Compose plugin of Docker".to_owned(),
                "systemd".to_owned(),
                format!("the image {image}"),
                format!("the folder {} on its disk", storage.display()),
                "SSH to its machine, for these commands only".to_owned(),
            ],
            must_not_depend_on: NEVER.to_vec(),
            places: Places {
                via: registry.via.as_ref().map(ToString::to_string),
                unit: unit.clone(),
                unit_file: Rendered::new(installation).unit.path,
                project: project.clone(),
                container: container.to_string(),
                image: image.clone(),
                config: config.clone(),
                compose: compose.clone(),
                storage: storage.clone(),
                endpoint: registry.url.to_string(),
                published: format!("{bind}:5000"),
            },
            flow: vec![
                part(
                    "CI publishes the artifact of a commit",
                    format!("ci publish-backend-core → {artifact}"),
                ),
                part(
                    "the manifest of that commit is looked up, and its digest recorded",
                    registry_probe(registry),
                ),
                part(
                    "the image goes to where the service runs, and is proved there",
                    "host deploy apply --env dev|prod --service backend-core --commit <full-sha>".to_owned(),
                ),
                part(
                    "the way back is the same with an older commit; nothing is built",
                    "host deploy backend-core --env dev|prod --commit <previous-full-sha>".to_owned(),
                ),
            ],
            maintenance: vec![
                part("how the unit is", maintained("status")),
                part("restart it", maintained("restart")),
                part("how its container is", format!("{composed} ps")),
                part("what it says", format!("{composed} logs --tail 100 registry")),
                part("whether it answers", format!("curl --fail {}/v2/", registry.url)),
                part("what the files should be", "host registry render".to_owned()),
                part("bring it to that", "host registry install --run-now".to_owned()),
            ],
        }
    }
}

fn registry_probe(registry: &RegistryConfig) -> String {
    format!("HEAD {}/v2/{}/backend-core/manifests/<commit>", registry.url, registry.namespace)
}
