//! The registry as a process of this machine.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{PATIENCE, Registry, Runs, answers};
use crate::{Result, Say, debian, paths, process};

/// Where the address stands in the configuration.
const ADDRESS_KEY: &str = "addr: ";

/// A registry that is installed.
pub fn on_path() -> Option<PathBuf> {
    paths::program(&["docker-registry", "registry"])
}

/// The program out of Debian's package, which as an installed package would start a service on port 5000.
pub fn unpack(say: Say) -> Result<PathBuf> {
    let folder = paths::cache()?.join(format!("docker-registry-{ARCH}"));
    debian::unpack("docker-registry", &folder, say)?;
    Ok(folder.join("usr/bin/docker-registry"))
}

pub fn start(program: &Path, folder: &Path, address: String) -> Result<Registry> {
    let storage = folder.join("storage");
    paths::make_folder(&storage)?;
    let config = config_file(folder);
    paths::write(&config, configuration(&address, &storage))?;

    let log = folder.join("registry.log");
    let mut process = process::start(Command::new(program).arg("serve").arg(&config), &log)?;
    let waited = process::wait_until("the registry", &mut process, &log, PATIENCE, || answers(&address));
    // Owned before the error is given back, so that it is stopped in that case too.
    let registry = Registry { address, runs: Runs::Process(process) };
    waited.map(|()| registry)
}

/// The address of a registry that uses this folder.
pub fn left_running(folder: &Path) -> Option<String> {
    let config = config_file(folder);
    let written = fs::read_to_string(&config).ok()?;
    let address = written.lines().find_map(|line| line.trim().strip_prefix(ADDRESS_KEY))?;
    (!process::with_argument(&config).is_empty()).then(|| address.to_owned())
}

pub fn stop(folder: &Path) -> Result<()> {
    process::with_argument(&config_file(folder)).into_iter().try_for_each(|id| process::stop(id, PATIENCE))
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
