//! A Docker Engine: the one that is there, or one of our own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{Docker, Error, Result, Say, debian, paths, process};

/// The parent of all control groups of its containers.
const CONTROL_GROUP: &str = "host-lab";

/// Starting and stopping both take about a second; a machine under load may need longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where an engine of our own keeps its things.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The socket that it listens on.
    pub socket: PathBuf,
    /// Images and containers.
    pub data: PathBuf,
    /// Sockets of containerd and its shims: a short path, because the name of a socket has 108 bytes.
    pub runtime: PathBuf,
    /// What it prints.
    pub log: PathBuf,
}

impl Place {
    /// Everything below one folder, which must have a short path.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self {
            socket: folder.join("docker.sock"),
            data: folder.join("data"),
            runtime: folder.join("run"),
            log: folder.join("dockerd.log"),
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.runtime.join("dockerd.pid")
    }
}

/// A running engine of our own; stopped when dropped, unless it is left running.
#[derive(Debug)]
pub struct Engine {
    docker: Docker,
    place: Place,
    process: Option<Child>,
}

impl Engine {
    /// Starts an engine.
    ///
    /// It leaves the firewall, the forwarding switch and the default bridge of the machine alone: Compose projects
    /// have networks of their own, and nothing that is deployed here needs to reach the internet.
    pub fn start(place: Place) -> Result<Self> {
        let program = program().ok_or_else(|| missing("dockerd is not installed"))?;
        let mut command = Command::new(program);
        command.arg("--bridge=none");
        Self::launch(place, command)
    }

    /// Starts one with this `dockerd`, which may come with options of its own.
    pub(crate) fn launch(place: Place, mut command: Command) -> Result<Self> {
        for folder in [&place.data, &place.runtime] {
            paths::make_folder(folder)?;
        }
        if !is_running(&place) {
            // Left by an engine that was killed, and its containerd with it; the numbers may be others' by now.
            for file in [place.pid_file(), place.runtime.join("containerd/containerd.pid")] {
                fs::remove_file(file).ok();
            }
        }
        command
            .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false"])
            .args(["--exec-opt=native.cgroupdriver=cgroupfs", "--cgroup-parent", CONTROL_GROUP])
            .arg(format!("--host=unix://{}", place.socket.display()))
            .arg("--data-root")
            .arg(&place.data)
            .arg("--exec-root")
            .arg(&place.runtime)
            .arg("--pidfile")
            .arg(place.pid_file());
        let process = process::start(&mut command, &place.log)?;
        let docker = Docker::at(format!("unix://{}", place.socket.display()));
        let mut engine = Self { docker, place, process: Some(process) };
        engine.wait()?;
        Ok(engine)
    }

    fn wait(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let docker = &self.docker;
        process::wait_until("Docker Engine", process, &self.place.log, PATIENCE, || docker.answers())
    }

    /// How to reach it.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Lets it live on after this program; [`remove`] ends it.
    #[must_use]
    pub fn leave_running(mut self) -> Docker {
        self.process = None;
        self.docker.clone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Nobody is left to tell; what could not be stopped shows in the process list.
            process::stop_child(&mut process, PATIENCE).ok();
        }
    }
}

/// Makes sure that `dockerd` and `docker` are installed; on Debian as root it installs them, after saying so.
pub fn install(say: Say) -> Result<()> {
    if program().is_none() {
        if !debian::has_apt() {
            return Err(missing(
                "dockerd is not installed, and it can only be installed here where apt-get is",
            ));
        }
        if !debian::is_root() {
            return Err(missing("dockerd is not installed, and installing it needs root"));
        }
        debian::install(&["docker.io"], say)?;
    }
    if paths::program(&["docker"]).is_none() {
        // Newer releases of Debian have the client in a package of its own.
        debian::install(&["docker-cli"], say)?;
    }
    Ok(())
}

/// Stops an engine that was left running, if it still does, and removes everything it kept.
pub fn remove(place: &Place) -> Result<()> {
    for id in process::with_argument(&place.pid_file()) {
        process::stop(id, PATIENCE)?;
    }
    remove_control_groups();
    for folder in [&place.data, &place.runtime] {
        unmount_below(folder)?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
        }
    }
    Ok(())
}

/// Whether an engine of ours runs there.
#[must_use]
pub fn is_running(place: &Place) -> bool {
    !process::with_argument(&place.pid_file()).is_empty()
}

fn program() -> Option<PathBuf> {
    paths::program(&["dockerd"])
}

/// The error for a machine that has no engine and where none can be started.
#[must_use]
pub fn missing(why: &str) -> Error {
    Error::Missing {
        what: "Docker Engine",
        why: why.to_owned(),
        remedy: "install and start Docker, or set DOCKER_HOST to an engine that this user may use".to_owned(),
    }
}

/// A container that was killed together with its engine leaves its mounts behind.
fn unmount_below(folder: &Path) -> Result<()> {
    let mut ours: Vec<_> =
        mounts().map(|(_, point)| point).filter(|point| point.starts_with(folder)).collect();
    // The innermost first. Lazily, because after a kill the system may take some time to let go of one.
    ours.sort_by_key(|point| std::cmp::Reverse(point.as_os_str().len()));
    ours.into_iter().try_for_each(|point| process::run(Command::new("umount").arg("--lazy").arg(point)))
}

/// Only an empty control group can be removed, so this harms nobody who still uses it.
fn remove_control_groups() {
    // Where a hierarchy has the starter in a group of its own, that of the engine is below it.
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own: Vec<_> = own.lines().filter_map(|line| line.splitn(3, ':').nth(2)).chain(["/"]).collect();
    let hierarchies = mounts().filter(|(kind, _)| kind.starts_with("cgroup"));
    for (_, hierarchy) in hierarchies {
        for parent in own.iter().map(|path| hierarchy.join(path.trim_start_matches('/'))) {
            fs::remove_dir(parent.join(CONTROL_GROUP)).ok();
        }
    }
}

/// Kind and place of everything that is mounted.
fn mounts() -> impl Iterator<Item = (String, PathBuf)> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = table.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let point = words.next()?.into();
        Some((words.next()?.to_owned(), point))
    });
    mounts.collect::<Vec<_>>().into_iter()
}
