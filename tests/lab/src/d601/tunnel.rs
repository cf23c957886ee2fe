//! A forward of the lab's own to D601's registry: how a CI that runs there looks from outside.

use std::{path::Path, process::Child, time::Duration};

use super::identity::{HOST, Identity};
use crate::{Registry, Result, process, registry};

/// Where the registry listens there, as it stands in the names of images there.
pub const REGISTRY: &str = "127.0.0.1:5000";

const PATIENCE: Duration = Duration::from_secs(20);

/// Open for as long as this value lives.
pub struct Tunnel {
    ssh: Child,
    registry: Registry,
}

impl Tunnel {
    /// Opens it at a free port of this machine's loopback.
    pub fn open(identity: &Identity, log: &Path) -> Result<Self> {
        let address = format!("127.0.0.1:{}", registry::free_port()?);
        let mut ssh = identity.client("ssh");
        ssh.args(["-N", "-o", "ExitOnForwardFailure=yes", "-L", &format!("{address}:{REGISTRY}"), HOST]);
        let ssh = process::start(&mut ssh, log)?;
        // Owned before it is waited for, so that it is closed in any case.
        let mut tunnel = Self { ssh, registry: Registry::at(address) };
        let Self { ssh, registry } = &mut tunnel;
        process::wait_until("the tunnel to D601's registry", ssh, log, PATIENCE, || {
            registry::answers(registry.address())
        })?;
        Ok(tunnel)
    }

    /// The registry as it is seen here.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Nobody is left to tell; what could not be stopped shows in the process list.
        process::stop_child(&mut self.ssh, PATIENCE).ok();
    }
}
