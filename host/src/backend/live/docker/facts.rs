//! What a deploy needs to know of an image and of a container, out of all that an engine tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerSummary, ContainerSummaryStateEnum, ImageInspect,
    NetworkSettings,
};

use super::{PROJECT_LABEL, REPLACES_LABEL, SERVICE_LABEL};
use crate::backend::live::whereabouts::Neighbour;
use crate::words::plain;

/// Longest name that is told, in characters.
const SHOWN: usize = 130;
/// How much of its id a container has as its hostname, in characters.
const HOSTNAME: usize = 12;

/// Something without which it cannot be worked with.
#[derive(Debug, Clone, Copy)]
pub struct Lacks(pub &'static str);

/// An image in the engine's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// What the engine calls it.
    pub id: String,
    /// The labels of its configuration.
    pub labels: BTreeMap<String, String>,
    /// Its uncompressed layers by their digests, lowest first.
    pub layers: Vec<String>,
}

impl TryFrom<ImageInspect> for ImageFacts {
    type Error = Lacks;

    fn try_from(found: ImageInspect) -> Result<Self, Lacks> {
        Ok(Self {
            id: found.id.ok_or(Lacks("it shows an image without an id"))?,
            labels: found.config.and_then(|config| config.labels).into_iter().flatten().collect(),
            layers: found.root_fs.and_then(|root| root.layers).unwrap_or_default(),
        })
    }
}

/// Where a container can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// It has the host's own network.
    Host,
    /// It has none.
    None,
    /// It lives in the network of another container.
    Shared,
    /// Its addresses, network by network in the order of their names.
    Addresses(Vec<IpAddr>),
}

/// The Compose project and service that a container belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
}

/// One of the containers that Compose keeps for a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceContainer {
    /// Its name.
    pub name: String,
    /// Compose was stopped when it had made this container and not yet put it in the place of another. It never ran.
    pub unfinished: bool,
}

impl ServiceContainer {
    pub(super) fn of(found: ContainerSummary) -> Option<Self> {
        let name = found.names?.into_iter().next()?;
        Some(Self {
            name: name.trim_start_matches('/').to_owned(),
            unfinished: found.state == Some(ContainerSummaryStateEnum::CREATED)
                && found.labels.is_some_and(|labels| labels.contains_key(REPLACES_LABEL)),
        })
    }
}

/// A container that runs, as what one may be inside of.
pub(super) fn neighbour(found: ContainerSummary) -> Neighbour {
    let names = found.names.unwrap_or_default();
    let names: Vec<String> = names.iter().map(|name| name.trim_start_matches('/').to_owned()).collect();
    let service = found.labels.and_then(|mut labels| labels.remove(SERVICE_LABEL));
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let addresses = networks.into_values().flat_map(|one| [one.ip_address, one.global_ipv6_address]);
    let id = found.id.unwrap_or_default();
    Neighbour {
        shown: plain(&format!("container {}", names.join(", ")), SHOWN),
        hostname: id.chars().take(HOSTNAME).collect(),
        names: names.into_iter().chain(service).collect(),
        ids: BTreeSet::from([id]),
        addresses: addresses.flatten().filter_map(|text| text.parse().ok()).collect(),
        machine: BTreeSet::new(),
        on_machine: found.host_config.and_then(|config| config.network_mode).as_deref() == Some("host"),
    }
}

/// A container, running or not. Its environment holds secrets: it can be asked for by key, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Changes whenever the container is made anew.
    pub id: String,
    /// Its name, without the engine's leading slash.
    pub name: String,
    /// What the engine calls the image that it was made from.
    pub image: String,
    /// When its process was last started, as the engine writes it.
    pub started_at: String,
    /// Whether its process runs now: neither paused, nor between two attempts.
    pub running: bool,
    /// Whether its process runs, or the engine keeps starting it.
    pub up: bool,
    /// `running`, `exited`, `restarting`, …
    pub status: String,
    /// How its process last ended.
    pub exit_code: i64,
    /// How often the engine started it again by itself.
    pub restarts: i64,
    /// Where it can be reached.
    pub network: Network,
    /// Nothing where Compose did not make it.
    pub owner: Option<Owner>,
    env: BTreeMap<String, String>,
}

impl ContainerFacts {
    /// The value of `key` in its environment.
    #[must_use]
    pub fn env(&self, key: &str) -> Option<&str> {
        self.env.get(key).map(String::as_str)
    }

    /// How it is, in words: `running`, `exited with code 7`.
    #[must_use]
    pub fn condition(&self) -> String {
        match self.status.as_str() {
            "running" | "paused" | "created" => self.status.clone(),
            status => format!("{status} with code {}", self.exit_code),
        }
    }
}

impl fmt::Debug for ContainerFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerFacts")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("image", &self.image)
            .field("condition", &self.condition())
            .finish_non_exhaustive()
    }
}

impl TryFrom<ContainerInspectResponse> for ContainerFacts {
    type Error = Lacks;

    fn try_from(found: ContainerInspectResponse) -> Result<Self, Lacks> {
        let state = found.state.unwrap_or_default();
        let config = found.config.unwrap_or_default();
        let mode = found.host_config.and_then(|host| host.network_mode).unwrap_or_default();
        let mut labels = config.labels.unwrap_or_default();
        let owner = labels
            .remove(PROJECT_LABEL)
            .zip(labels.remove(SERVICE_LABEL))
            .map(|(project, service)| Owner { project, service });
        Ok(Self {
            id: found.id.ok_or(Lacks("it shows a container without an id"))?,
            name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image: found.image.ok_or(Lacks("it shows a container without an image"))?,
            running: runs(&state),
            up: state.running == Some(true) || state.restarting == Some(true),
            status: state.status.map(|status| status.to_string()).unwrap_or_default(),
            exit_code: state.exit_code.unwrap_or_default(),
            started_at: state.started_at.unwrap_or_default(),
            restarts: found.restart_count.unwrap_or_default(),
            network: network(&mode, found.network_settings),
            owner,
            env: config.env.unwrap_or_default().iter().filter_map(|entry| split(entry)).collect(),
        })
    }
}

fn runs(state: &ContainerState) -> bool {
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    is(state.running) && !is(state.restarting) && !is(state.paused) && !is(state.dead)
}

fn split(entry: &str) -> Option<(String, String)> {
    entry.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
}

fn network(mode: &str, settings: Option<NetworkSettings>) -> Network {
    match mode {
        "host" => return Network::Host,
        "none" => return Network::None,
        mode if mode.starts_with("container:") => return Network::Shared,
        _ => {}
    }
    let networks: BTreeMap<_, _> =
        settings.and_then(|settings| settings.networks).into_iter().flatten().collect();
    let addresses = networks
        .into_values()
        .flat_map(|endpoint| [endpoint.ip_address, endpoint.global_ipv6_address])
        .filter_map(|address| address?.parse().ok());
    Network::Addresses(addresses.collect())
}
