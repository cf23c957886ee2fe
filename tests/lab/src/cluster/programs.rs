//! The programs of a cluster, kept in the cache: Kubernetes as one program built from its Go modules, and what Debian
//! has packages of.

use std::{
    env::consts::ARCH,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Result, Say, debian, image, paths, process};

/// The version of Kubernetes, as in `go.mod`.
pub const VERSION: &str = "1.34.4";

/// Where Go keeps the version that a part of Kubernetes calls itself by.
const VERSION_PACKAGE: &str = "k8s.io/component-base/version";

/// What Debian's packages bring, as it is found in them. Of containerd it is only the tool: D601 has the server.
const FROM_PACKAGES: [(&str, &[&str]); 3] = [
    ("containerd", &["usr/bin/ctr"]),
    (
        "containernetworking-plugins",
        &["usr/lib/cni/bridge", "usr/lib/cni/host-local", "usr/lib/cni/loopback"],
    ),
    ("etcd-server", &["usr/bin/etcd"]),
];

/// Kubernetes as one program: its first argument says which part of it.
pub fn kube() -> Result<PathBuf> {
    let sources = [
        include_str!("../../kube/go.mod"),
        include_str!("../../kube/main.go"),
        VERSION,
        VERSION_PACKAGE,
        ARCH,
    ];
    let digest = image::digest(sources.join("\n").as_bytes());
    let key: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
    Ok(paths::cache()?.join(format!("kube-{key}/kube")))
}

/// Makes sure that all of them are there; building takes some minutes, once.
pub fn prepare(say: Say) -> Result<()> {
    let kube = kube()?;
    if !kube.is_file() {
        build(&kube, say)?;
    }
    if !debian::has_apt() {
        return Err(missing("it needs packages of Debian, and there is no apt-get here"));
    }
    FROM_PACKAGES.iter().try_for_each(|(package, _)| debian::unpack(package, &unpacked(package)?, say))
}

/// Makes a folder with links to all programs.
pub fn link_into(folder: &Path) -> Result<()> {
    paths::make_folder(folder)?;
    let kube = kube()?;
    let mut programs = vec![kube];
    for (package, files) in FROM_PACKAGES {
        let unpacked = unpacked(package)?;
        programs.extend(files.iter().map(|file| unpacked.join(file)));
    }
    programs.iter().try_for_each(|program| {
        if !program.is_file() {
            return Err(missing(&format!("{} has not been made yet", program.display())));
        }
        let link = folder.join(program.file_name().unwrap_or_default());
        symlink(program, &link).map_err(Error::io(format!("make the link {}", link.display())))
    })
}

fn unpacked(package: &str) -> Result<PathBuf> {
    Ok(paths::cache()?.join(format!("{package}-{ARCH}")))
}

fn missing(why: &str) -> Error {
    Error::Missing {
        what: "Kubernetes",
        why: why.to_owned(),
        remedy: "cargo xtask lab up, on Debian with Go 1.25 or newer and a network".to_owned(),
    }
}

/// Builds the one program; its folder appears when it is complete.
fn build(kube: &Path, say: Say) -> Result<()> {
    if paths::program(&["go"]).is_none() {
        return Err(missing("no package has it, and there is no Go to build it"));
    }
    say(&format!("building Kubernetes v{VERSION} from its Go modules, about five minutes, once"));
    let folder = kube.parent().unwrap_or(kube);
    let cache = folder.parent().unwrap_or(folder);
    paths::make_folder(cache)?;
    let work = tempfile::tempdir_in(cache).map_err(Error::io(format!("write into {}", cache.display())))?;
    let built = work.path().join("built");
    paths::make_folder(&built)?;
    let version = |key: &str, value: &str| format!(" -X {VERSION_PACKAGE}.{key}={value}");
    let mut numbers = VERSION.split('.');
    let major = version("gitMajor", numbers.next().unwrap_or_default());
    let minor = version("gitMinor", numbers.next().unwrap_or_default());
    let mut go = Command::new("go");
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("kube"))
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-ldflags"])
        .arg(format!("-s -w{major}{minor}{}", version("gitVersion", &format!("v{VERSION}"))))
        .arg("-o")
        .arg(built.join("kube"));
    process::run(&mut go).map_err(|error| missing(&error.to_string()))?;
    fs::rename(&built, folder).map_err(Error::io(format!("make {}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_module() {
        let module = include_str!("../../kube/go.mod");
        assert!(module.contains(&format!("\tk8s.io/kubernetes v{VERSION}\n")), "{VERSION} is not in go.mod");
    }
}
