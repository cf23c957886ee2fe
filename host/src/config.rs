//! `host.toml`: where the logical runtimes are, which limits hold. Found by `--config`, `$HOST_CONFIG`, `./host.toml`,
//! the XDG directory, in this order; relative paths are relative to the file; an unknown key is an error that names
//! the nearest known one.

mod file;
mod limits;
mod locate;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub use limits::Limits;
pub use locate::{Chosen, choose};

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
    /// Journal and locks.
    pub state: PathBuf,
    /// Compiled components.
    pub cache: PathBuf,
    /// Time zone in which policies see weekday and minute of day.
    pub zone: jiff::tz::TimeZone,
    /// Where artifacts are read from.
    pub registry: RegistryConfig,
    /// Runtimes by their logical name.
    pub runtimes: BTreeMap<RuntimeName, ComposeRuntime>,
    /// Health endpoints by name.
    pub health: BTreeMap<ConfigName, HttpUrl>,
    /// Bounds on everything that comes from outside.
    pub limits: Limits,
}

/// The registry as seen from this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Plain HTTP on loopback (specification: the registry is reachable on loopback only).
    pub url: HttpUrl,
    /// First part of every repository, `unidesk`.
    pub namespace: ImageName,
}

/// A plain HTTP address: what follows `http://`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Host and port as written, `127.0.0.1:5000`.
    pub authority: String,
    /// `/` or a path, without query.
    pub path: String,
}

/// Docker and a Compose project on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeRuntime {
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
    /// The file that is named in host.toml: the env file itself, or the JSON file that names it.
    #[must_use]
    pub fn declared(&self) -> PathBuf {
        match self {
            Self::Path(path) | Self::Pointer { file: path, .. } => path.clone(),
        }
    }

    /// The env file's own path.
    ///
    /// # Errors
    /// In words, when the JSON file cannot be read or holds no text there.
    pub fn path(&self) -> Result<PathBuf, String> {
        match self {
            Self::Path(path) => Ok(path.clone()),
            Self::Pointer { file, pointer } => {
                let shown = file.display();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| format!("{shown}, which names the env file, cannot be read: {error}"))?;
                let json: serde_json::Value = serde_json::from_str(&text)
                    .map_err(|error| format!("{shown}, which names the env file, is no JSON: {error}"))?;
                let named = json.pointer(pointer).and_then(serde_json::Value::as_str).ok_or_else(|| {
                    format!("{shown} has no text at {pointer}; the env file's path belongs there")
                })?;
                Ok(file.parent().unwrap_or(Path::new("/")).join(named))
            }
        }
    }
}

impl HttpUrl {
    /// Takes `http://host[:port][/path]` apart.
    ///
    /// # Errors
    /// In words, for another scheme, credentials, a query or an empty host.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest =
            text.strip_prefix("http://").ok_or_else(|| format!("{text:?} does not begin with http://"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(plain) {
            return Err(format!(
                "{text:?} needs a plain host and port after http://, without user or password"
            ));
        }
        if path.contains(['?', '#', '\\']) || path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!("{text:?} has a path with a query, a fragment or a space"));
        }
        Ok(Self { authority: authority.to_owned(), path: path.to_owned() })
    }

    /// The host without port and brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        if let Some(inner) = self.authority.strip_prefix('[') {
            return inner.split(']').next().unwrap_or(inner);
        }
        self.authority.split(':').next().unwrap_or(&self.authority)
    }

    /// Whether the host is this machine's loopback, by address or as `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path.trim_end_matches('/'))
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

    /// Folder and file name of the component of `service`.
    #[must_use]
    pub fn component(&self, service: &crate::names::ServiceName) -> PathBuf {
        self.plugins.join(format!("{service}.wasm"))
    }
}
