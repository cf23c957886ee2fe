//! The ways to other machines, each opened once per run, when it is first needed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use super::machine::Machine;
use super::ssh::{Connection, Forward, LocalEnd, Target};
use crate::answer::CallError;
use crate::config::{Config, Limits, SshHost};
use crate::names::ConfigName;

/// Connections and forwarded ports; all of them end with this value.
pub struct Channels {
    hosts: BTreeMap<ConfigName, Host>,
    limits: Limits,
}

struct Host {
    config: SshHost,
    connection: OnceCell<Arc<Connection>>,
    /// What is forwarded already.
    forwards: Mutex<Vec<Forward>>,
}

impl Channels {
    /// To the machines of the configuration; none is opened.
    pub fn new(config: &Config) -> Self {
        let host = |config: &SshHost| Host {
            config: config.clone(),
            connection: OnceCell::new(),
            forwards: Mutex::default(),
        };
        Self {
            hosts: config.ssh.iter().map(|(name, config)| (name.clone(), host(config))).collect(),
            limits: config.limits.clone(),
        }
    }

    /// The machine called `via`; this one where there is no such word.
    ///
    /// # Errors
    /// `Unavailable`, naming the channel, where it cannot be reached.
    pub async fn machine(&self, via: Option<&ConfigName>) -> Result<Machine, CallError> {
        match via {
            None => Ok(Machine::Here),
            Some(via) => Ok(Machine::There(Arc::clone(self.connection(self.host(via)?, via).await?))),
        }
    }

    /// The authority on this machine's loopback that leads to `authority` as seen from `via`.
    ///
    /// # Errors
    /// As for [`Self::machine`]; `Invalid` for a name where an address belongs.
    pub async fn authority(&self, via: Option<&ConfigName>, authority: &str) -> Result<String, CallError> {
        let Some(via) = via else { return Ok(authority.to_owned()) };
        // The one name that means the same everywhere.
        let address = authority.replace("localhost:", "127.0.0.1:");
        let address: SocketAddr = address.parse().map_err(|_| {
            CallError::Invalid(format!(
                "{authority} is no address and port, and no other is forwarded from {via}; write 127.0.0.1:<port>"
            ))
        })?;
        match self.forwarded(via, Target::Tcp(address)).await? {
            LocalEnd::Tcp(near) => Ok(near.to_string()),
            LocalEnd::Socket(path) => Err(misled(&path.display())),
        }
    }

    /// The socket on this machine that leads to `socket` on `via`.
    ///
    /// # Errors
    /// As for [`Self::machine`].
    pub async fn socket(&self, via: &ConfigName, socket: &Path) -> Result<PathBuf, CallError> {
        match self.forwarded(via, Target::Socket(socket.to_owned())).await? {
            LocalEnd::Socket(near) => Ok(near),
            LocalEnd::Tcp(address) => Err(misled(&address)),
        }
    }

    async fn forwarded(&self, via: &ConfigName, target: Target) -> Result<LocalEnd, CallError> {
        let host = self.host(via)?;
        let connection = self.connection(host, via).await?;
        let mut forwards = host.forwards.lock().await;
        if let Some(known) = forwards.iter().find(|one| *one.target() == target) {
            return Ok(known.local().clone());
        }
        let forward = connection.forward(&target).await?;
        let end = forward.local().clone();
        forwards.push(forward);
        Ok(end)
    }

    fn host(&self, via: &ConfigName) -> Result<&Host, CallError> {
        self.hosts.get(via).ok_or_else(|| {
            CallError::Unavailable(format!("host.toml does not say how {via} is reached: add [ssh.{via}]"))
        })
    }

    async fn connection<'h>(
        &self,
        host: &'h Host,
        via: &ConfigName,
    ) -> Result<&'h Arc<Connection>, CallError> {
        let connect = || async {
            Ok::<_, CallError>(Arc::new(Connection::connect(via, &host.config, &self.limits).await?))
        };
        host.connection.get_or_try_init(connect).await
    }
}

fn misled(end: &dyn std::fmt::Display) -> CallError {
    CallError::Other(format!("a forward of another kind was opened: {end}"))
}
