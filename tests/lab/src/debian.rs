//! Getting packages on Debian and its relatives.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Result, Say, paths, process};

/// Whether packages can be fetched with apt here.
#[must_use]
pub fn has_apt() -> bool {
    paths::program(&["apt-get"]).is_some() && paths::program(&["dpkg-deb"]).is_some()
}

/// Whether this process may change the system.
#[must_use]
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The version that `apt-get install` would install, if there is one.
#[must_use]
pub fn candidate(package: &str) -> Option<String> {
    let policy = process::output(Command::new("apt-cache").args(["policy", package])).ok()?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// The address of the mirror of Debian that this machine fetches its own packages from, if it is a Debian.
#[must_use]
pub fn mirror() -> Option<String> {
    let mut targets = apt_get("indextargets");
    targets.args(["--format", "$(ORIGIN) $(RELEASE) $(REPO_URI)", "Identifier: Packages"]);
    let targets = process::output(&mut targets).ok()?;
    targets.lines().find_map(|line| {
        let address = line.strip_prefix("Debian ")?;
        let (release, address) = address.split_once(' ')?;
        // Updates and security fixes are releases of their own and may be elsewhere.
        (!release.contains(['-', '/'])).then(|| address.trim_end_matches('/').to_owned())
    })
}

/// Installs packages, after saying so. Needs root.
pub fn install(packages: &[&str], say: Say) -> Result<()> {
    say(&format!("installing {} with apt-get", packages.join(" ")));
    let install = || process::run(apt_get("install").args(["-y", "--no-install-recommends"]).args(packages));
    with_fresh_lists(install, say)
}

/// Unpacks a package into a folder without installing it: no service of it is started, nothing of the system changes.
pub fn unpack(package: &str, into: &Path, say: Say) -> Result<()> {
    if into.is_dir() {
        return Ok(());
    }
    say(&format!("unpacking the Debian package {package} into {}", into.display()));
    let parent = into.parent().unwrap_or(into);
    paths::make_folder(parent)?;
    let work = tempfile::tempdir_in(parent).map_err(Error::io(format!("write into {}", parent.display())))?;
    let download = || process::run(apt_get("download").arg(package).current_dir(work.path()));
    with_fresh_lists(download, say)?;

    let files = fs::read_dir(work.path()).map_err(Error::io("read the downloaded package"))?;
    let archives: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    let [archive] = archives.as_slice() else {
        return Err(Error::unexpected(format!("download {package}"), format!("{} files", archives.len())));
    };
    let unpacked = work.path().join("unpacked");
    process::run(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&unpacked))?;
    // The rename is last, so that a folder that exists is complete.
    fs::rename(&unpacked, into).map_err(Error::io(format!("make {}", into.display())))
}

/// A fresh machine has no package lists yet, an old one has lists that name packages which are gone.
fn with_fresh_lists(attempt: impl Fn() -> Result<()>, say: Say) -> Result<()> {
    if attempt().is_ok() {
        return Ok(());
    }
    say("refreshing the package lists with apt-get update");
    process::run(&mut apt_get("update"))?;
    attempt()
}

fn apt_get(verb: &str) -> Command {
    let mut command = Command::new("apt-get");
    command.arg(verb).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
