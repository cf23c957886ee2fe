//! A current Docker Engine with the containerd image store: there the id of an image is the digest of its manifest.
//!
//! Debian's engine is old and has the classic store, so this one is built from its Go modules, once. It runs beside
//! another one with sockets, data and a bridge of its own.

use std::{
    env::{self, consts::ARCH},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Docker, Error, Result, Say, debian,
    engine::{self, Engine, Place},
    image, paths, process,
};

/// What it calls itself.
pub const VERSION: &str = "2.0.0-beta.24";

/// Where Go keeps the version that a program calls itself by.
const VERSION_VARIABLE: &str = "github.com/moby/moby/v2/dockerversion.Version";

/// Programs of the module `engine`.
const ENGINE: [&str; 4] = [
    "github.com/containerd/containerd/v2/cmd/containerd",
    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    "github.com/moby/moby/v2/cmd/docker-proxy",
    "github.com/moby/moby/v2/cmd/dockerd",
];

/// Storage drivers that nothing here uses.
const WITHOUT: &str = "no_btrfs no_devmapper no_zfs exclude_graphdriver_btrfs";

/// Debian's is too old for this containerd.
const RUNC: &str = "github.com/opencontainers/runc";

/// Without it, runc refuses what an engine asks for by default.
const WITH: &str = "seccomp";

/// What runc is compiled with: its start of a container is C.
const COMPILER: [(&str, &str); 2] = [("gcc", "gcc"), ("pkg-config", "pkg-config")];

/// The folder with the programs in the cache, made or not; another one for other versions.
fn programs() -> Result<PathBuf> {
    let modules = [include_str!("../modern/engine/go.mod"), include_str!("../modern/runc/go.mod")];
    let inputs = [modules.as_slice(), &ENGINE, &[VERSION, WITHOUT, WITH, ARCH]].concat();
    let digest = image::digest(inputs.join("\n").as_bytes());
    let key: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
    Ok(paths::cache()?.join(format!("modern-engine-{key}")))
}

/// Makes sure that its programs and what starts it are there; building takes some minutes, once.
pub fn prepare(say: Say) -> Result<()> {
    engine::install(say)?;
    if paths::program(&["ip"]).is_none() {
        debian::install(&["iproute2"], say)?;
    }
    let programs = programs()?;
    if programs.is_dir() { Ok(()) } else { build(&programs, say) }
}

fn missing(why: &str) -> Error {
    Error::Missing {
        what: "the modern engine",
        why: why.to_owned(),
        remedy: "install Go 1.26.6 or newer, a C compiler, pkg-config and libseccomp's headers, then: cargo xtask lab up"
            .to_owned(),
    }
}

/// Builds all programs; the folder appears when it is complete.
fn build(programs: &Path, say: Say) -> Result<()> {
    if paths::program(&["go"]).is_none() {
        return Err(missing("no package has it, and there is no Go to build it"));
    }
    install_compiler(say)?;
    say(&format!("building Docker Engine v{VERSION} from its Go modules, about three minutes, once"));
    let cache = programs.parent().unwrap_or(programs);
    paths::make_folder(cache)?;
    let work = tempfile::tempdir_in(cache).map_err(Error::io(format!("write into {}", cache.display())))?;
    let built = work.path().join("bin");
    paths::make_folder(&built)?;

    let mut engine = go("engine", false, WITHOUT, &built);
    process::run(engine.args(ENGINE)).map_err(|error| missing(&error.to_string()))?;
    let mut runc = go("runc", true, WITH, &built);
    process::run(runc.arg(RUNC)).map_err(|error| missing(&error.to_string()))?;
    fs::rename(&built, programs).map_err(Error::io(format!("make {}", programs.display())))
}

fn install_compiler(say: Say) -> Result<()> {
    let mut packages: Vec<_> = COMPILER
        .into_iter()
        .filter_map(|(program, package)| paths::program(&[program]).is_none().then_some(package))
        .collect();
    let has_headers = packages.is_empty()
        && process::run(Command::new("pkg-config").args(["--exists", "libseccomp"])).is_ok();
    if has_headers {
        return Ok(());
    }
    if !debian::has_apt() || !debian::is_root() {
        return Err(missing("a C compiler, pkg-config or libseccomp's headers are not installed"));
    }
    packages.extend(["libc6-dev", "libseccomp-dev"]);
    debian::install(&packages, say)
}

/// `go build` of one of the modules here, into a folder.
fn go(module: &str, with_c: bool, tags: &str, into: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("modern").join(module))
        .env("CGO_ENABLED", if with_c { "1" } else { "0" })
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-tags", tags, "-ldflags"])
        .arg(format!("-s -w -X {VERSION_VARIABLE}={VERSION}"))
        // The slash says that it is a folder, also for a single program.
        .arg("-o")
        .arg(into.join(""));
    go
}

/// A modern engine that runs; stopped and removed with all its data when dropped, unless it is left running.
#[derive(Debug)]
pub struct Modern {
    engine: Option<Engine>,
    docker: Docker,
    place: Place,
}

/// Where that of the tests keeps its things: sockets below `/run`, because their paths must be short.
pub fn place_of_tests() -> Result<Place> {
    let folder = paths::target()?.join("lab");
    paths::make_folder(&folder)?;
    let runtime = PathBuf::from("/run/host-lab-modern");
    Ok(Place {
        socket: runtime.join("docker.sock"),
        data: folder.join("modern-engine"),
        runtime,
        log: folder.join("modern-dockerd.log"),
    })
}

impl Modern {
    /// Starts one; whatever was left at its place is removed. [`prepare`] was called before.
    ///
    /// Needs root, and must not be called where another one runs at this place.
    pub fn start(place: Place) -> Result<Self> {
        Self::start_with(place, &[])
    }

    /// The same engine with Docker's own image store: there the id of an image is the digest of its configuration.
    pub fn start_with_classic_store(place: Place) -> Result<Self> {
        Self::start_with(place, &["--feature=containerd-snapshotter=false", "--storage-driver=overlay2"])
    }

    fn start_with(place: Place, options: &[&str]) -> Result<Self> {
        let programs = programs()?;
        if !programs.is_dir() {
            return Err(missing(&format!("{} has not been made yet", programs.display())));
        }
        remove(&place)?;
        let bridge = Bridge::of(&place);
        bridge.make()?;
        let mut dockerd = command(&programs, &bridge)?;
        dockerd.args(options);
        match Engine::launch(place.clone(), dockerd) {
            Ok(engine) => {
                let docker = engine.docker().clone();
                Ok(Self { engine: Some(engine), docker, place })
            }
            Err(error) => {
                // The first error is the one to tell.
                bridge.remove().ok();
                Err(error)
            }
        }
    }

    /// How to reach it.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Lets it live on after this program; [`remove`] ends it.
    #[must_use]
    pub fn leave_running(mut self) -> Docker {
        if let Some(engine) = self.engine.take() {
            return engine.leave_running();
        }
        self.docker.clone()
    }
}

impl Drop for Modern {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            drop(engine);
            // Nobody is left to tell; what could not be removed shows in the list of mounts.
            remove(&self.place).ok();
        }
    }
}

/// The one that was left running at this place, if it still answers.
#[must_use]
pub fn left_running(place: &Place) -> Option<Docker> {
    let docker = Docker::at(format!("unix://{}", place.socket.display()));
    (engine::is_running(place) && docker.answers()).then_some(docker)
}

/// Stops what was left running at this place, and removes everything of it.
pub fn remove(place: &Place) -> Result<()> {
    engine::remove(place)?;
    Bridge::of(place).remove()
}

/// Its `dockerd`, which finds its own containerd and runc before those of the machine.
fn command(programs: &Path, bridge: &Bridge) -> Result<Command> {
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs.to_owned()].into_iter().chain(env::split_paths(&others)))
        .map_err(|error| Error::unexpected("PATH", error))?;
    let mut dockerd = Command::new(programs.join("dockerd"));
    dockerd.env("PATH", path).arg("--bridge").arg(&bridge.name);
    dockerd.arg("--userland-proxy-path").arg(programs.join("docker-proxy"));
    Ok(dockerd)
}

/// A bridge of its own: an engine without any removes the one that another engine may have.
struct Bridge {
    name: String,
}

impl Bridge {
    /// The name is the place's, so that it is found again; a network device's has 15 characters at most.
    fn of(place: &Place) -> Self {
        let digest = image::digest(place.runtime.as_os_str().as_encoded_bytes());
        let short: String = digest.trim_start_matches("sha256:").chars().take(6).collect();
        Self { name: format!("hostlab-{short}") }
    }

    fn make(&self) -> Result<()> {
        let address = free_address(&ip(&["-oneline", "-4", "address"])?)?;
        ip(&["link", "add", "name", &self.name, "type", "bridge"])?;
        ip(&["address", "add", &address, "dev", &self.name])?;
        ip(&["link", "set", &self.name, "up"]).map(drop)
    }

    fn remove(&self) -> Result<()> {
        if paths::program(&["ip"]).is_none() {
            return Ok(());
        }
        // Not from `/sys`: that may still show the devices of the namespace that this one was made from.
        if ip(&["-oneline", "link"])?.contains(&format!(" {}: ", self.name)) {
            ip(&["link", "delete", &self.name])?;
        }
        Ok(())
    }
}

fn ip(arguments: &[&str]) -> Result<String> {
    process::output(Command::new(paths::program(&["ip"]).unwrap_or_else(|| "ip".into())).args(arguments))
}

/// The first address of a small network that no device here is in; `taken` is what `ip address` prints.
fn free_address(taken: &str) -> Result<String> {
    let mut networks = (0..=255).map(|number| format!("10.252.{number}."));
    let free = networks.find(|network| !taken.contains(&format!(" {network}")));
    let free =
        free.ok_or_else(|| Error::unexpected("find a free network below 10.252.0.0", "all are in use"))?;
    Ok(format!("{free}1/24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_in_use_is_passed_over() -> Result<()> {
        assert_eq!(free_address("1: lo    inet 127.0.0.1/8 scope host lo")?, "10.252.0.1/24");
        let taken = "2: a    inet 10.252.0.1/24 scope global a\n3: b    inet 10.252.1.7/24 scope global b";
        assert_eq!(free_address(taken)?, "10.252.2.1/24");
        Ok(())
    }

    #[test]
    fn the_name_of_a_bridge_is_short_enough() -> Result<()> {
        assert!(Bridge::of(&place_of_tests()?).name.len() <= 15);
        Ok(())
    }
}
