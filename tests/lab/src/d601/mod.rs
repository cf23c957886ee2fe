//! D601: a host of its own, with real systemd, sshd, its own Docker Engine, and a registry on its loopback only.
//!
//! It is a container of an engine, made of Debian's packages. It is reached by ssh at its address, from wherever that
//! engine's bridges are: the machine itself, or the namespaces of `lab run`.
//!
//! - [`files`], [`rootfs`]: what is in it, made once and kept in the cache.
//! - [`container`]: how it runs.
//! - [`identity`]: keys and `ssh_config`.
//! - [`project`]: a Compose project there.

mod container;
mod files;
mod identity;
mod project;
mod rootfs;
mod tunnel;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

pub use self::{
    identity::HOST,
    project::RemoteProject,
    rootfs::{SERVICES, USER},
    tunnel::REGISTRY,
};
use self::{identity::Identity, rootfs::Rootfs, tunnel::Tunnel};
use crate::{Bench, Docker, Error, PushedImage, Result, SampleImage, Say, paths, process, project::Service};

/// It boots in about five seconds; a machine under load may need longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// Which D601: there may be that of the tests and that of `lab up` on one engine.
#[derive(Clone, Debug)]
pub struct Place {
    /// The name of its container and of its network.
    pub name: String,
    /// Keys, `ssh_config` and logs of it.
    pub folder: PathBuf,
}

impl Place {
    /// That of the tests.
    pub fn of_tests() -> Result<Self> {
        Ok(Self { name: "host-lab-d601-tests".to_owned(), folder: paths::target()?.join("lab/d601") })
    }
}

/// Makes what takes long or needs the network: OpenSSH's client and the root filesystem in the cache.
pub fn prepare(say: Say) -> Result<()> {
    identity::install_client(say)?;
    Rootfs::ensure(say).map(drop)
}

/// Removes D601 from an engine, with its images and the files about it, whether it runs or not.
pub fn remove(docker: &Docker, place: &Place) -> Result<()> {
    container::remove(docker, &place.name)?;
    container::remove_images(docker)?;
    remove_folder(&place.folder)
}

/// A D601 that answers. Stopped and removed when dropped, unless it is left running; its image stays in the engine.
#[derive(Debug)]
pub struct D601 {
    docker: Docker,
    place: Place,
    identity: Identity,
    address: String,
    stays: bool,
}

impl D601 {
    /// Starts the one of the tests, on the engine of the bench; [`prepare`] was called before.
    pub fn start(bench: &Bench) -> Result<Self> {
        Self::start_at(bench.docker(), Place::of_tests()?, &|_| {})
    }

    /// Starts one; whatever had its name is removed. Waits until ssh, the engine and the registry in it answer.
    pub fn start_at(docker: &Docker, place: Place, say: Say) -> Result<Self> {
        let image = container::import(docker, &Rootfs::cached()?, say)?;
        remove_folder(&place.folder)?;
        let identity = Identity::kept_in(&place.folder);
        identity.make()?;
        // Owned before it is started, so that what was made of it is removed in any case.
        let docker = docker.clone();
        let mut d601 = Self { docker, place, identity, address: String::new(), stays: false };
        say("starting D601");
        d601.address = container::start(&d601.docker, &d601.place.name, &image, &d601.identity.for_sshd())?;
        d601.identity.introduce(&d601.address)?;
        d601.wait()?;
        Ok(d601)
    }

    /// The one that was left running at this place, if it still does.
    pub fn left_running(docker: &Docker, place: Place) -> Result<Option<Self>> {
        let state = docker.container(&place.name)?.map(|container| container["State"]["Running"] == true);
        let identity = Identity::kept_in(&place.folder);
        if state != Some(true) || !identity.ssh_config().is_file() {
            return Ok(None);
        }
        let address = docker.address(&place.name)?;
        Ok(Some(Self { docker: docker.clone(), place, identity, address, stays: true }))
    }

    /// Lets it live on after this program; [`remove`] ends it.
    #[must_use]
    pub fn leave_running(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Its address, in the network that it shares with the machine and nobody else.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// An `ssh_config` with the host [`HOST`]: `ssh -F <this> d601`.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.identity.ssh_config()
    }

    /// The `known_hosts` that the `ssh_config` names.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.identity.known_hosts()
    }

    /// `ssh` to it, to which options and a command can be added.
    #[must_use]
    pub fn ssh_command(&self) -> Command {
        let mut ssh = self.identity.client("ssh");
        ssh.arg(HOST);
        ssh
    }

    /// Runs a command there and gives what it printed.
    pub fn ssh(&self, command: &[&str]) -> Result<String> {
        let [program, arguments @ ..] = command else {
            return Err(Error::unexpected("run a command on D601", "it is empty"));
        };
        // ssh sends one text, which a shell there takes apart.
        let text = process::show(Command::new(program).args(arguments));
        process::output(self.ssh_command().arg("--").arg(text))
    }

    /// Copies a file or a folder with all that is in it to a place there, as the user who logs in.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        process::run(
            self.identity.client("scp").args(["-q", "-r", "-p"]).arg(from).arg(format!("{HOST}:{to}")),
        )
    }

    /// Publishes an image in its registry, as a CI would; its reference is the one that is good there.
    pub fn push(&self, image: &SampleImage) -> Result<PushedImage> {
        let tunnel = Tunnel::open(&self.identity, &self.place.folder.join("tunnel.log"))?;
        let pushed = image.push(tunnel.registry())?;
        let path = pushed.reference.trim_start_matches(tunnel.registry().address());
        Ok(PushedImage { reference: format!("{REGISTRY}{path}"), ..pushed })
    }

    /// Writes a Compose project with these services there. What it has written there before is replaced.
    pub fn project(&self, name: &str, services: &[Service]) -> Result<RemoteProject<'_>> {
        RemoteProject::write(self, name, services)
    }

    /// Freezes it: it is there, and nothing in it says a word.
    pub fn pause(&self) -> Result<()> {
        self.docker.run(&["pause", &self.place.name]).map(drop)
    }

    /// Lets it go on where it was frozen.
    pub fn unpause(&self) -> Result<()> {
        self.docker.run(&["unpause", &self.place.name]).map(drop)
    }

    /// Cuts its power: all that was open is gone, and nobody has its address.
    pub fn cut_power(&self) -> Result<()> {
        self.docker.run(&["kill", &self.place.name]).map(drop)
    }

    /// Gives it power again, and waits until it answers.
    pub fn restore_power(&self) -> Result<()> {
        self.docker.run(&["start", &self.place.name])?;
        self.wait()
    }

    /// Has it reboot itself, and waits until it answers again.
    pub fn reboot(&self) -> Result<()> {
        let before = self.started_at()?;
        // The connection may end before the command has.
        self.ssh(&["sudo", "systemctl", "reboot"]).ok();
        self.patiently("D601 after a reboot", || self.started_at().is_ok_and(|now| now != before))?;
        self.wait()
    }

    fn started_at(&self) -> Result<String> {
        let format = "{{.State.Running}} {{.State.StartedAt}}";
        let state = self.docker.run(&["container", "inspect", "--format", format, &self.place.name])?;
        match state.strip_prefix("true ") {
            Some(time) => Ok(time.to_owned()),
            None => Err(Error::unexpected("D601", "does not run")),
        }
    }

    /// How systemd there finds itself, in one word: `running` where every unit does.
    pub fn state(&self) -> Result<String> {
        // The command fails for each word but that one.
        self.ssh(&["sh", "-c", "systemctl is-system-running || true"])
    }

    /// Waits until ssh, the engine and the registry in it answer.
    pub fn wait(&self) -> Result<()> {
        let answers = |command: &[&str]| self.ssh(command).is_ok();
        self.patiently("D601's sshd", || answers(&["true"]))?;
        self.patiently("D601's Docker Engine", || answers(&["docker", "version"]))?;
        let url = format!("http://{REGISTRY}/v2/");
        self.patiently("D601's registry", || answers(&["curl", "--silent", "--fail", &url]))
    }

    fn patiently(&self, what: &'static str, mut answers: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !answers() {
            if start.elapsed() > PATIENCE {
                let log = self.place.folder.join("console.log");
                container::write_log(&self.docker, &self.place.name, &log);
                let tail = process::tail(&fs::read_to_string(&log).unwrap_or_default());
                return Err(Error::Silent { what, seconds: start.elapsed().as_secs(), log, tail });
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for D601 {
    fn drop(&mut self) {
        if !self.stays {
            // Nobody is left to tell; what could not be removed shows in the engine's list.
            container::remove(&self.docker, &self.place.name).ok();
        }
    }
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
    }
    Ok(())
}
