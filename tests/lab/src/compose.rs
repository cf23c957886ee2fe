//! Compose v2: the one that is there, a package of it, or one built from its Go module.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Docker, Error, Result, Say, debian, paths, process};

/// The version that is built where no package has one.
pub const VERSION: &str = "2.40.3";

/// Packages that have Compose v2 on some release of Debian or Ubuntu.
const PACKAGES: [&str; 3] = ["docker-compose-v2", "docker-compose-plugin", "docker-compose"];

/// Makes sure that `docker compose` works.
///
/// Gives the `DOCKER_CONFIG` folder that makes it work, or nothing if it works without.
pub fn ensure(docker: &Docker, say: Say) -> Result<Option<PathBuf>> {
    if works(docker) {
        return Ok(None);
    }
    let folder = paths::cache()?.join(format!("compose-v{VERSION}"));
    let program = folder.join("cli-plugins/docker-compose");
    if !program.is_file() {
        if install(say)? && works(docker) {
            return Ok(None);
        }
        build(&program, say)?;
    }
    if works(&docker.clone().with_config(Some(folder.clone()))) {
        return Ok(Some(folder));
    }
    Err(Error::unexpected("docker compose", format!("{} does not run here; remove it", program.display())))
}

/// The plugin as one static program, which runs on other machines too; built where it is not in the cache.
pub fn program(say: Say) -> Result<PathBuf> {
    let program = paths::cache()?.join(format!("compose-v{VERSION}/cli-plugins/docker-compose"));
    if !program.is_file() {
        build(&program, say)?;
    }
    Ok(program)
}

/// Whether `docker compose` is there and is of a version that knows what is needed.
fn works(docker: &Docker) -> bool {
    let version = docker.run(&["compose", "version", "--short"]).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse().is_ok_and(|major: u32| major >= 2)
}

/// Installs a package, where there is one that has version 2 and this user may.
fn install(say: Say) -> Result<bool> {
    if !debian::has_apt() || !debian::is_root() {
        return Ok(false);
    }
    let is_v2 = |version: String| version.split(['.', ':']).next().is_some_and(|major| major != "1");
    match PACKAGES.into_iter().find(|package| debian::candidate(package).is_some_and(is_v2)) {
        Some(package) => debian::install(&[package], say).map(|()| true),
        None => Ok(false),
    }
}

/// Builds the plugin; the file appears when it is complete.
fn build(program: &Path, say: Say) -> Result<()> {
    let missing = |why: &str| Error::Missing {
        what: "Compose v2",
        why: why.to_owned(),
        remedy: "install the Docker Compose plugin, or Go 1.25 or newer to build it".to_owned(),
    };
    if paths::program(&["go"]).is_none() {
        return Err(missing(
            "`docker compose` does not work, no package has it, and there is no Go to build it",
        ));
    }
    say(&format!("building Compose v{VERSION} from its Go module, about two minutes, once"));
    let folder = program.parent().unwrap_or(program);
    paths::make_folder(folder)?;
    let work = tempfile::tempdir_in(folder).map_err(Error::io(format!("write into {}", folder.display())))?;
    let built = work.path().join("docker-compose");
    let mut go = Command::new("go");
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("compose"))
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-ldflags"])
        .arg(format!("-s -w -X github.com/docker/compose/v2/internal.Version=v{VERSION}"))
        .arg("-o")
        .arg(&built)
        .arg("github.com/docker/compose/v2/cmd");
    process::run(&mut go).map_err(|error| missing(&error.to_string()))?;
    fs::rename(&built, program).map_err(Error::io(format!("make {}", program.display())))
}
