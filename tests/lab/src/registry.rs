//! A registry on loopback, run from Debian's package without installing it.

use std::{
    env::consts::ARCH,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use crate::{Error, Result, Say, debian, http, paths, process};

/// Where the address stands in the configuration.
const ADDRESS_KEY: &str = "addr: ";

const PATIENCE: Duration = Duration::from_secs(15);

/// A running registry of our own; stopped when dropped, unless it is left running.
#[derive(Debug)]
pub struct Registry {
    address: String,
    process: Option<Child>,
}

impl Registry {
    /// Starts a registry that keeps its images in `folder`, on the given port or a free one.
    pub fn start(program: &Path, folder: &Path, port: Option<u16>) -> Result<Self> {
        let port = port.map_or_else(free_port, Ok)?;
        let address = format!("127.0.0.1:{port}");
        let storage = folder.join("storage");
        paths::make_folder(&storage)?;
        let config = config_file(folder);
        paths::write(&config, configuration(&address, &storage))?;

        let log = folder.join("registry.log");
        let process = process::start(Command::new(program).arg("serve").arg(&config), &log)?;
        let mut registry = Self { address, process: Some(process) };
        registry.wait(&log)?;
        Ok(registry)
    }

    /// A registry that runs already at `host:port`.
    #[must_use]
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: address.into(), process: None }
    }

    fn wait(&mut self, log: &Path) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let address = &self.address;
        process::wait_until("the registry", process, log, PATIENCE, || answers(address))
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
        self.process = None;
        self
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Nobody is left to tell; what could not be stopped shows in the process list.
            process::stop_child(&mut process, PATIENCE).ok();
        }
    }
}

/// Finds the program of a registry, or unpacks it from Debian's package into the cache.
pub fn program(say: Say) -> Result<PathBuf> {
    if let Some(program) = paths::program(&["docker-registry", "registry"]) {
        return Ok(program);
    }
    if !debian::has_apt() {
        return Err(Error::Missing {
            what: "a registry",
            why: "there is no `docker-registry` or `registry` on PATH, and no apt-get to get one".to_owned(),
            remedy: "put the program of the CNCF Distribution registry on PATH as `registry`".to_owned(),
        });
    }
    let folder = paths::cache()?.join(format!("docker-registry-{ARCH}"));
    debian::unpack("docker-registry", &folder, say)?;
    Ok(folder.join("usr/bin/docker-registry"))
}

/// Stops a registry that was left running with this folder, if it still does.
pub fn stop(folder: &Path) -> Result<()> {
    process::with_argument(&config_file(folder)).into_iter().try_for_each(|id| process::stop(id, PATIENCE))
}

/// The registry that was left running with this folder, if it still is.
#[must_use]
pub fn left_running(folder: &Path) -> Option<Registry> {
    let config = config_file(folder);
    let written = fs::read_to_string(&config).ok()?;
    let address = written.lines().find_map(|line| line.trim().strip_prefix(ADDRESS_KEY))?;
    (!process::with_argument(&config).is_empty()).then(|| Registry::at(address))
}

/// Whether a registry answers at this address.
#[must_use]
pub fn answers(address: &str) -> bool {
    http::get(address, "/v2/").is_ok_and(|answer| answer.status == 200)
}

/// Whether nothing listens on this port of 127.0.0.1.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(Error::io("find a free port on 127.0.0.1"))
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("registry.yml")
}

fn configuration(address: &str, storage: &Path) -> String {
    format!(
        "version: 0.1\n\
         log:\n  accesslog:\n    disabled: true\n  level: warn\n\
         storage:\n  filesystem:\n    rootdirectory: {storage}\n  delete:\n    enabled: true\n\
         http:\n  {ADDRESS_KEY}{address}\n",
        storage = storage.display()
    )
}
