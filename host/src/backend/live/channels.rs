//! The ways to other machines, each opened once per run, when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, sleep};

use super::delivery::also;
use super::machine::Machine;
use super::ssh::{Connection, Forward, LAST_WORDS, LocalEnd, SshError, Target};
use crate::answer::CallError;
use crate::config::{Config, Limits, SshHost};
use crate::names::ConfigName;

/// How often what the other side refuses is looked at.
const OFTEN: Duration = Duration::from_millis(100);
/// How long a server there may refuse, because it is just restarted.
const RESTART: Duration = Duration::from_secs(5);

/// Connections and forwarded ports; all of them end with this value.
pub struct Channels {
    hosts: BTreeMap<ConfigName, Host>,
    /// Machines behind a command that only looks.
    gateways: BTreeSet<ConfigName>,
    limits: Limits,
}

struct Host {
    config: SshHost,
    connection: OnceCell<Arc<Connection>>,
    /// What is forwarded already.
    forwards: Mutex<Vec<Forward>>,
}

impl Host {
    async fn refusal(&self, near: &str, heard: usize) -> Option<SshError> {
        let forwards = self.forwards.lock().await;
        let begins = |one: &&Forward| matches!(one.local(), LocalEnd::Tcp(end) if end.to_string() == near);
        forwards.iter().find(begins)?.refusal(heard)
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        for connection in self.hosts.values().filter_map(|host| host.connection.get()) {
            connection.ends();
        }
    }
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
            gateways: config.gateways.keys().cloned().collect(),
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

    /// Does `work`, which goes through the connection to `via`, by the forward that begins at `near` if there is one. It is
    /// ended as soon as the connection is lost, or when what is behind the forward keeps refusing. Whoever uses a forward sees
    /// in both cases no more than a connection that was closed.
    ///
    /// # Errors
    /// What became of the way; otherwise that of `work`.
    pub async fn through<T>(
        &self,
        via: Option<&ConfigName>,
        near: &str,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let Some(via) = via else { return work.await };
        let host = self.host(via)?;
        let connection = self.connection(host, via).await?;
        let heard = connection.heard();
        let cause = tokio::select! {
            biased;
            lost = connection.lost() => return Err(lost.into()),
            refused = kept_refusing(connection, host, near) => return Err(refused.into()),
            done = work => match done {
                Ok(done) => return Ok(done),
                Err(cause) => cause,
            },
        };
        let why = tokio::select! {
            biased;
            lost = connection.lost() => lost,
            refused = refused(host, near, heard) => refused,
            () = sleep(LAST_WORDS) => return Err(cause),
        };
        Err(also(why.into(), cause.message()))
    }

    /// What `via` is told to be in the configuration, and the key that the machine there proved to have.
    ///
    /// # Errors
    /// As for [`Self::machine`].
    pub async fn identity(&self, via: &ConfigName) -> Result<(String, String), CallError> {
        let host = self.host(via)?;
        let connection = self.connection(host, via).await?;
        let key = connection.host_key().ok_or_else(|| {
            CallError::Other(format!("ssh does not say which key {via} has; OpenSSH 8 or later does"))
        })?;
        Ok((host.config.destination.to_string(), key))
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
            if self.gateways.contains(via) {
                return CallError::Unavailable(format!(
                    "ssh.{via} in host.toml is a command that only looks; for more than `host registry status` and `health` it \
                     needs a destination of ssh"
                ));
            }
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

/// Comes back when what is behind the forward that begins at `near` refuses, and refuses again when it has had the time of a
/// restart. Engines try again after some seconds each time.
async fn kept_refusing(connection: &Connection, host: &Host, near: &str) -> SshError {
    refused(host, near, connection.heard()).await;
    let first = Instant::now();
    loop {
        let again = refused(host, near, connection.heard()).await;
        if first.elapsed() >= RESTART {
            return again;
        }
    }
}

/// Comes back when it has refused after the first `heard` lines of what `ssh` says.
async fn refused(host: &Host, near: &str, heard: usize) -> SshError {
    loop {
        if let Some(refusal) = host.refusal(near, heard).await {
            return refusal;
        }
        sleep(OFTEN).await;
    }
}

fn misled(end: &dyn std::fmt::Display) -> CallError {
    CallError::Other(format!("a forward of another kind was opened: {end}"))
}
