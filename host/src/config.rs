//! `host.toml`: where the logical runtimes are, which limits hold. Found by `--config`, `$HOST_CONFIG`, `./host.toml`,
//! the XDG directory, in this order; relative paths are relative to the file; an unknown key is an error that names
//! the nearest known one.

mod approvals;
mod catalogue;
mod cluster;
mod desired;
mod file;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod installation;
mod invalid;
mod limits;
mod locate;
mod secrets;
mod ssh;
mod summary;
mod url;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use approvals::ApprovalsConfig;
pub use catalogue::{Catalogue, CatalogueEntry, Upstream};
pub use cluster::KubernetesRuntime;
pub use desired::Desired;
pub use installation::Installation;
pub use limits::Limits;
pub use locate::{Chosen, choose};
pub use secrets::SecretSource;
pub use ssh::{Destination, SshHost};
pub use summary::Summary;
pub use url::HttpUrl;

use crate::fault::Fault;
use crate::names::{ConfigName, ImageName, RuntimeName};

/// Everything that an operator decides about this machine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from; none when the specification's defaults stand.
    pub file: Option<PathBuf>,
    /// Folder of components, one `<service>.wasm` each.
    pub plugins: PathBuf,
    /// Folder of the policy schema, policies and entities.
    pub policies: PathBuf,
    /// The journal.
    pub state: PathBuf,
    /// Compiled components.
    pub cache: PathBuf,
    /// Time zone in which policies see weekday and minute of day.
    pub zone: jiff::tz::TimeZone,
    /// Where artifacts are read from.
    pub registry: RegistryConfig,
    /// Runtimes with Docker and Compose, by their logical name.
    pub runtimes: BTreeMap<RuntimeName, ComposeRuntime>,
    /// Runtimes with Kubernetes, by their logical name; none has the name of one of the others.
    pub clusters: BTreeMap<RuntimeName, KubernetesRuntime>,
    /// Health endpoints by name.
    pub health: BTreeMap<ConfigName, HttpUrl>,
    /// Sources of secrets by name.
    pub secrets: BTreeMap<ConfigName, SecretSource>,
    /// Machines behind `ssh`, by name.
    pub ssh: BTreeMap<ConfigName, SshHost>,
    /// Machines behind a command that only looks, by name.
    pub gateways: BTreeMap<ConfigName, Vec<String>>,
    /// The desired state, where there is one: `deploy.json`.
    pub desired: Option<PathBuf>,
    /// The artifact catalogue, where there is one: `CI.json`.
    pub artifacts: Option<PathBuf>,
    /// Whose signature counts as what.
    pub approvals: ApprovalsConfig,
    /// Bounds on everything that comes from outside.
    pub limits: Limits,
}

/// The registry as seen from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// The SSH host on whose loopback it is; this machine where there is none.
    pub via: Option<ConfigName>,
    /// Plain HTTP on loopback (specification: the registry is reachable on loopback only).
    pub url: HttpUrl,
    /// First part of every repository, `unidesk`.
    pub namespace: ImageName,
    /// How it is installed on its machine.
    pub installation: Installation,
}

impl RegistryConfig {
    /// Where the manifest called `reference`, a tag or a digest, is served (OCI distribution specification, "Pulling
    /// manifests"; specification: the report's `registry.probeUrl`).
    #[must_use]
    pub fn manifest_url(&self, repository: &ImageName, reference: &str) -> String {
        format!("http://{}/v2/{repository}/manifests/{reference}", self.url.authority)
    }
}

/// Docker and a Compose project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeRuntime {
    /// The SSH host that they are on, with every path below; this machine where there is none.
    pub via: Option<ConfigName>,
    /// Address of the engine, `unix:///var/run/docker.sock`.
    pub docker: String,
    /// Name of the Compose project.
    pub project: String,
    /// The canonical root: Compose's project directory.
    pub directory: PathBuf,
    /// Compose files, absolute.
    pub files: Vec<PathBuf>,
    /// The controlled env file.
    pub env_file: EnvFileSource,
}

/// Where the controlled env file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvFileSource {
    /// Its path.
    Path(PathBuf),
    /// A pointer into a JSON file that holds its path, relative to that file
    /// (specification: `providerGateway.upgrade.composeEnvFile` of `config.json`).
    Pointer {
        /// The JSON file.
        file: PathBuf,
        /// Where in it.
        pointer: String,
    },
}

impl EnvFileSource {
    /// What is written in the configuration: a path, or `file.json#/pointer`; relative to `base`.
    fn parse(text: &str, base: &Path) -> Self {
        match text.split_once("#/") {
            Some((json, pointer)) => Self::Pointer { file: base.join(json), pointer: format!("/{pointer}") },
            None => Self::Path(base.join(text)),
        }
    }

    /// The env file's own path, where it is on this machine.
    ///
    /// # Errors
    /// In words, when the JSON file cannot be read or holds no text there.
    pub fn path(&self) -> Result<PathBuf, String> {
        let text = match self {
            Self::Path(_) => None,
            Self::Pointer { file, .. } => Some(std::fs::read_to_string(file).map_err(|error| {
                format!("{}, which names the env file, cannot be read: {error}", file.display())
            })?),
        };
        self.path_in(text.as_deref())
    }

    /// The env file's own path, where the JSON file that it is named in has this content.
    ///
    /// # Errors
    /// In words, when that is no JSON or holds no text there.
    pub fn path_in(&self, text: Option<&str>) -> Result<PathBuf, String> {
        match self {
            Self::Path(path) => Ok(path.clone()),
            Self::Pointer { file, pointer } => {
                let shown = file.display();
                let text = text.ok_or_else(|| format!("{shown}, which names the env file, was not read"))?;
                let json: serde_json::Value = serde_json::from_str(text)
                    .map_err(|error| format!("{shown}, which names the env file, is no JSON: {error}"))?;
                let named = json.pointer(pointer).and_then(serde_json::Value::as_str).ok_or_else(|| {
                    format!("{shown} has no text at {pointer}; the env file's path belongs there")
                })?;
                Ok(file.parent().unwrap_or(Path::new("/")).join(named))
            }
        }
    }
}

impl std::fmt::Display for EnvFileSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Pointer { file, pointer } => write!(f, "{}#{pointer}", file.display()),
        }
    }
}

impl Config {
    /// Reads the chosen file, or takes the specification's defaults.
    ///
    /// # Errors
    /// A [`Fault`] that names file, line and key, and the nearest known key for an unknown one.
    pub fn load(chosen: &Chosen) -> Result<Self, Fault> {
        file::load(chosen)
    }

    /// Whether it says where the runtime `name` is.
    #[must_use]
    pub fn has_runtime(&self, name: &RuntimeName) -> bool {
        self.runtimes.contains_key(name) || self.clusters.contains_key(name)
    }

    /// Folder and file name of the component of `service`.
    #[must_use]
    pub fn component(&self, service: &crate::names::ServiceName) -> PathBuf {
        self.plugins.join(format!("{service}.wasm"))
    }
}
