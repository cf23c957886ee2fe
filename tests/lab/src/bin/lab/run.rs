//! `lab run`: test programs beside an engine and a registry.
//!
//! As root on Linux the lab gets namespaces of its own, with an engine of its own in them. It then cannot collide
//! with an engine of the user, and nothing of it can outlive it: the kernel ends all processes and undoes all mounts
//! and networks together with the first process. Elsewhere the engine that the user has is used, if nothing on it is
//! in the way.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use lab::{
    Bench, Docker, Error, Result, bench, compose, debian,
    engine::{self, Engine, Place},
    lock::Lock,
    paths, process, project,
    registry::Source,
    sample, sshd,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{needs, screen::Screen};

/// "Service unavailable" in `sysexits.h`: the tests did not run.
const UNAVAILABLE: u8 = 69;

/// Namespaces for mounts, networks and processes; the first process takes all others with it.
const UNSHARE: [&str; 6] = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs each program; fails if one of them does.
pub async fn run(screen: &Screen, inside: bool, programs: &[PathBuf], arguments: &[String]) -> ExitCode {
    match in_lab(screen, inside, programs, arguments).await {
        Ok(code) => code,
        Err(error) => {
            screen.failed(&error);
            UNAVAILABLE.into()
        }
    }
}

async fn in_lab(
    screen: &Screen,
    inside: bool,
    programs: &[PathBuf],
    arguments: &[String],
) -> Result<ExitCode> {
    let say = |text: &str| screen.say(text);
    if inside {
        let mut stop = Stop::listen()?;
        let _lock = Lock::take("lab", &say)?;
        let place = private_place()?;
        engine::remove(&place)?;
        let engine = Engine::start(place.clone())?;
        let code = on(engine.docker().clone(), programs, arguments, &mut stop, &say).await;
        drop(engine);
        engine::remove(&place)?;
        return code;
    }

    // Everything that needs the network comes first: there is none inside.
    sample::build(&say)?;
    sshd::ensure(&say)?;
    let arguments = &needs::prepare(programs, arguments, &say)?;
    let (docker, place) = if let Ok(host) = env::var(bench::DOCKER_HOST) {
        (Docker::at(&host), format!("at {}={host}", bench::DOCKER_HOST))
    } else {
        let Err(obstacle) = can_isolate(&say) else {
            engine::install(&say)?;
            compose::ensure(&Docker::of_the_user(), &say)?;
            return isolate(programs, arguments);
        };
        (Docker::of_the_user(), format!("here, and a private one cannot be started: {obstacle}"))
    };
    if !docker.answers() {
        return Err(engine::missing(&format!("no engine answers {place}")));
    }
    let mut stop = Stop::listen()?;
    let _lock = Lock::take("lab", &say)?;
    on(docker, programs, arguments, &mut stop, &say).await
}

/// Says what is in the way of namespaces, if anything is.
fn can_isolate(say: lab::Say) -> std::result::Result<(), String> {
    if !debian::is_root() {
        return Err("that needs root on Linux".to_owned());
    }
    process::run(Command::new("unshare").args(UNSHARE).arg("true")).map_err(|error| error.to_string())?;
    if let Source::Image(_) = Source::find(&Docker::of_the_user(), say).map_err(|error| error.to_string())? {
        return Err("there is no program of a registry, and images cannot be pulled in there".to_owned());
    }
    // The network of the namespaces is set up with the first; tests look over the program's shoulder with the second.
    for (program, package) in [("ip", "iproute2"), ("strace", "strace")] {
        if paths::program(&[program]).is_none() {
            debian::install(&[package], say).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Becomes `lab run --inside` in new namespaces; comes back only if that fails.
fn isolate(programs: &[PathBuf], arguments: &[String]) -> Result<ExitCode> {
    let this = env::current_exe().map_err(Error::io("find the running program"))?;
    let mut unshare = Command::new("unshare");
    unshare.args(UNSHARE).arg(this).args(["run", "--inside"]).args(programs).arg("--").args(arguments);
    // Who runs the tests may be logged in over SSH, which a guard would tell; the tests are not.
    unshare.env_remove("SSH_CONNECTION");
    let shown = process::show(&unshare);
    Err(Error::io(format!("run `{shown}`"))(unshare.exec()))
}

/// Where an engine can be in the namespaces of this process.
fn private_place() -> Result<Place> {
    process::run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    // Sockets of the machine's own engine disappear from view, those of the lab disappear with it.
    process::run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "host-lab", "/run"]))?;
    let folder = paths::target()?.join("lab");
    paths::make_folder(&folder)?;
    Ok(Place {
        data: folder.join("engine"),
        log: folder.join("dockerd.log"),
        ..Place::below(Path::new("/run/host-lab"))
    })
}

/// Starts a registry beside the engine and runs the programs.
async fn on(
    docker: Docker,
    programs: &[PathBuf],
    arguments: &[String],
    stop: &mut Stop,
    say: lab::Say<'_>,
) -> Result<ExitCode> {
    let config = compose::ensure(&docker, say)?;
    let docker = docker.with_config(config);
    project::must_be_unused(&docker)?;
    let folder = paths::target()?.join("lab/registry");
    remove_folder(&folder)?;
    let registry = Source::find(&docker, say)?.start(&folder, None)?;
    let bench = Bench::new(docker, registry);
    let environment = bench.environment()?;

    let mut code = ExitCode::SUCCESS;
    for program in programs {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).envs(environment.iter().map(|(key, value)| (key, value))).kill_on_drop(true);
        if let Some(config) = bench.docker().config() {
            command.env("DOCKER_CONFIG", config);
        }
        let status = tokio::select! {
            status = command.status() => status.map_err(Error::io(format!("run {}", program.display())))?,
            () = stop.asked() => {
                code = ExitCode::from(130);
                break;
            }
        };
        if !status.success() {
            code = ExitCode::FAILURE;
        }
    }
    drop(bench);
    remove_folder(&folder)?;
    Ok(code)
}

/// Ctrl-C, or a polite request to end. Listened to from the beginning: the first process of a namespace is not ended
/// by signals that it has no handler for.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(Error::io("listen for signals"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for it.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
    }
    Ok(())
}
