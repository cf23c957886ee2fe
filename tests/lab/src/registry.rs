//! A registry on loopback: Debian's program, run without installing it, or a container.

mod container;
mod program;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use crate::{Docker, Error, Result, Say, debian, http, process};

const PATIENCE: Duration = Duration::from_secs(15);

/// A registry that answers. One of our own is stopped when dropped, unless it is left running.
#[derive(Debug)]
pub struct Registry {
    address: String,
    runs: Runs,
}

/// What ends together with the value.
#[derive(Debug)]
enum Runs {
    Elsewhere,
    Process(Child),
    Container(Docker),
}

impl Registry {
    /// A registry that runs already at `host:port`.
    #[must_use]
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: address.into(), runs: Runs::Elsewhere }
    }

    /// `host:port`, as it stands in image names.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets it live on after this program; [`stop`] ends it.
    #[must_use]
    pub fn leave_running(mut self) -> Self {
        self.runs = Runs::Elsewhere;
        self
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Nobody is left to tell; what could not be stopped shows in the lists of processes and containers.
        match &mut self.runs {
            Runs::Elsewhere => {}
            Runs::Process(process) => process::stop_child(process, PATIENCE).unwrap_or_default(),
            Runs::Container(docker) => container::remove(docker).unwrap_or_default(),
        }
    }
}

/// What a registry can be made of on this machine.
#[derive(Clone, Debug)]
pub enum Source {
    /// A program.
    Program(PathBuf),
    /// An image, in this engine.
    Image(Docker),
}

impl Source {
    /// A program on PATH, one from Debian's package, or else an image that the engine has or can pull.
    pub fn find(docker: &Docker, say: Say) -> Result<Self> {
        if let Some(program) = program::on_path() {
            return Ok(Self::Program(program));
        }
        if debian::has_apt() {
            return program::unpack(say).map(Self::Program);
        }
        container::pull(docker, say).map(|()| Self::Image(docker.clone()))
    }

    /// Starts a registry that keeps its images in `folder` or in its container, on the given port or a free one.
    pub fn start(&self, folder: &Path, port: Option<u16>) -> Result<Registry> {
        let port = port.map_or_else(free_port, Ok)?;
        let address = format!("127.0.0.1:{port}");
        match self {
            Self::Program(program) => program::start(program, folder, address),
            Self::Image(docker) => container::start(docker, address),
        }
    }
}

/// The registry that was left running with this folder or in this engine, if it still is.
#[must_use]
pub fn left_running(folder: &Path, docker: &Docker) -> Option<Registry> {
    program::left_running(folder).or_else(|| container::left_running(docker)).map(Registry::at)
}

/// Stops a registry that was left running with this folder, if it still does.
pub fn stop(folder: &Path) -> Result<()> {
    program::stop(folder)
}

/// Removes a registry that was left running as a container, if it is still there.
pub fn remove_container(docker: &Docker) -> Result<()> {
    container::remove(docker)
}

/// Whether nothing listens on this port of 127.0.0.1.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port of 127.0.0.1 that nothing listens on now.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(Error::io("find a free port on 127.0.0.1"))
}

/// Whether a registry answers at this address.
pub(crate) fn answers(address: &str) -> bool {
    http::get(address, "/v2/").is_ok_and(|answer| answer.status == 200)
}
