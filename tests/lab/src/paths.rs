//! Where things of this repository and of the lab are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The target directory that this program was built into.
pub fn target() -> Result<PathBuf> {
    let executable = env::current_exe().map_err(Error::io("find the running program"))?;
    // `target/debug/lab`, or `target/debug/deps/e2e-…` for a test.
    let folder = executable.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    folder.and_then(Path::parent).map(Path::to_path_buf).ok_or_else(|| {
        Error::unexpected("find the target directory", format!("{} is in none", executable.display()))
    })
}

/// The `host` program, built beside this one.
pub fn host() -> Result<PathBuf> {
    let executable = env::current_exe().map_err(Error::io("find the running program"))?;
    let folder = executable.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let host = folder.unwrap_or(&executable).join("host");
    if host.is_file() {
        return Ok(host);
    }
    Err(Error::Missing {
        what: "the program `host`",
        why: format!("{} does not exist", host.display()),
        remedy: "cargo build --workspace".to_owned(),
    })
}

/// Where plugin components are written.
pub fn plugins() -> Result<PathBuf> {
    Ok(target()?.join("plugins"))
}

/// The policies that are shipped with the release.
#[must_use]
pub fn policies() -> PathBuf {
    root().join("policies")
}

/// What is worth keeping across checkouts: things that took long to build or came over the network.
pub fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => home()?.join(".cache"),
    };
    Ok(base.join("host-lab"))
}

/// The home directory of the user.
pub fn home() -> Result<PathBuf> {
    env::home_dir().ok_or_else(|| Error::Missing {
        what: "a home directory",
        why: "HOME is not set".to_owned(),
        remedy: "set HOME".to_owned(),
    })
}

/// The first program with one of these names on PATH, or where Debian keeps programs for root.
#[must_use]
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Writes a file and says which one when that fails.
pub fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(file, content).map_err(Error::io(format!("write {}", file.display())))
}

/// Makes a folder with its parents and says which one when that fails.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(format!("make the folder {}", folder.display())))
}
