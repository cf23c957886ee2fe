//! D601's root filesystem: an archive in the cache, made once for everything that goes into it.

use std::{
    env::consts::ARCH,
    fs::{self, Permissions},
    io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::files::{COMPOSE_PLUGIN, FILES, MASKED, PACKAGES, SUPERFLUOUS};
use crate::{Error, Result, Say, compose, debian, image, paths, process};

/// The release that D601 runs.
const SUITE: &str = "bookworm";

/// Who logs in there.
pub const USER: &str = "deploy";

/// Where projects are kept there; the user may write it.
pub const SERVICES: &str = "/srv/unidesk";

/// The archive, and what names it wherever it goes: the same name is the same content.
#[derive(Clone, Debug)]
pub struct Rootfs {
    /// The archive.
    pub archive: PathBuf,
    /// A hash over everything that was put into it, in short.
    pub key: String,
}

impl Rootfs {
    /// Where it is, whether it has been made or not.
    pub fn place() -> Result<Self> {
        // The steps of the build are in this file, and what they put there is in the other one.
        let sources = [include_str!("rootfs.rs"), include_str!("files.rs"), compose::VERSION, ARCH];
        let digest = image::digest(sources.join("\n").as_bytes());
        let key: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
        let archive = paths::cache()?.join(format!("d601-{key}.tar"));
        Ok(Self { archive, key })
    }

    /// Makes it where it is missing, after saying so: about a minute, as root on Debian.
    pub fn ensure(say: Say) -> Result<Self> {
        let rootfs = Self::place()?;
        if !rootfs.archive.is_file() {
            build(&rootfs.archive, say)?;
        }
        Ok(rootfs)
    }

    /// The one in the cache.
    pub fn cached() -> Result<Self> {
        let rootfs = Self::place()?;
        if rootfs.archive.is_file() {
            return Ok(rootfs);
        }
        Err(missing(&format!("{} has not been made yet", rootfs.archive.display())))
    }
}

fn missing(why: &str) -> Error {
    Error::Missing {
        what: "D601's root filesystem",
        why: why.to_owned(),
        remedy: "cargo xtask lab up, as root on Debian with a network".to_owned(),
    }
}

fn build(archive: &Path, say: Say) -> Result<()> {
    if !debian::has_apt() {
        return Err(missing("it is made of Debian's packages, and there is no apt-get here"));
    }
    if !debian::is_root() {
        return Err(missing("making it needs root"));
    }
    let mirror = debian::mirror()
        .ok_or_else(|| missing("apt-get knows no mirror of Debian (sources.list, then apt-get update)"))?;
    let compose = compose::program(say)?;
    if paths::program(&["debootstrap"]).is_none() {
        debian::install(&["debootstrap", "debian-archive-keyring"], say)?;
    }

    say("making D601's root filesystem of Debian's packages, about a minute, once");
    let cache = archive.parent().unwrap_or(archive);
    paths::make_folder(cache)?;
    let work = tempfile::tempdir_in(cache).map_err(Error::io(format!("write into {}", cache.display())))?;
    let root = work.path().join("root");
    bootstrap(&root, &mirror)?;
    configure(&root, &compose)?;

    let packed = work.path().join("root.tar");
    let mut tar = Command::new("tar");
    process::run(tar.arg("--numeric-owner").arg("-C").arg(&root).arg("-cf").arg(&packed).arg("."))?;
    // The rename is last, so that an archive that exists is complete.
    fs::rename(&packed, archive).map_err(Error::io(format!("make {}", archive.display())))
}

/// Installs the packages. In a mount namespace, because debootstrap mounts the kernel's file systems in there: nothing
/// of them may be left when the folder is removed.
fn bootstrap(root: &Path, mirror: &str) -> Result<()> {
    let mut debootstrap = Command::new("unshare");
    debootstrap
        .args(["--mount", "debootstrap", "--variant=minbase"])
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg(SUITE)
        .arg(root)
        .arg(mirror);
    process::run(&mut debootstrap)
}

fn configure(root: &Path, compose: &Path) -> Result<()> {
    for path in SUPERFLUOUS {
        remove(&root.join(path))?;
    }
    // Each start brings a key of its own.
    for key in ["ecdsa", "ed25519", "rsa"] {
        let key = format!("etc/ssh/ssh_host_{key}_key");
        remove(&root.join(&key))?;
        remove(&root.join(format!("{key}.pub")))?;
    }
    for unit in MASKED {
        link_to_null(&root.join("etc/systemd/system").join(unit))?;
    }
    in_root(root, &["useradd", "--create-home", "--shell", "/bin/bash", "--groups", "docker,sudo", USER])?;
    in_root(root, &["install", "-d", "-o", USER, "-g", USER, SERVICES])?;
    for file in &FILES {
        write(&root.join(file.path), file.content.as_bytes(), file.mode)?;
    }
    let plugin = fs::read(compose).map_err(Error::io(format!("read {}", compose.display())))?;
    write(&root.join(COMPOSE_PLUGIN), &plugin, 0o755)?;
    in_root(root, &["systemctl", "enable", "ssh.service", "docker.service", "docker-registry.service"])
}

fn in_root(root: &Path, command: &[&str]) -> Result<()> {
    process::run(Command::new("chroot").arg(root).args(command))
}

fn write(file: &Path, content: &[u8], mode: u32) -> Result<()> {
    file.parent().map_or(Ok(()), paths::make_folder)?;
    // Not through a link that a package has there: it could lead out of the root.
    remove(file)?;
    paths::write(file, content)?;
    fs::set_permissions(file, Permissions::from_mode(mode))
        .map_err(Error::io(format!("set the permissions of {}", file.display())))
}

fn link_to_null(link: &Path) -> Result<()> {
    remove(link)?;
    symlink("/dev/null", link).map_err(Error::io(format!("make the link {}", link.display())))
}

/// Removes a file, a link or a folder with all that is in it; nothing is there afterwards.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.map_err(Error::io(format!("remove {}", path.display())))
}
