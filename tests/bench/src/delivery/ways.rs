//! The ways in which an image is delivered. Each begins without any connection.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::d601::REGISTRY;
use lab::project::FRONTEND;

use super::by_host::Delivery;
use super::images::Published;
use super::machines::Machines;
use crate::Result;
use crate::forward::Forward;
use crate::sample;

/// `host deploy`, for real.
pub fn deploy(machines: &Machines, commit: &str) -> Result<Command> {
    let mut host = machines.project.host()?;
    host.args([
        "deploy",
        FRONTEND.name,
        "--env",
        "prod",
        "--commit",
        commit,
        "--run-now",
        "--output",
        "json",
    ]);
    host.stdin(Stdio::null());
    Ok(host)
}

/// Delivered by `host`.
pub fn host(machines: &Machines, image: &Published) -> Result<Delivery> {
    Delivery::seen(&mut deploy(machines, &image.commit)?)
}

/// By hand: `ssh -N -L`, and `docker pull` as soon as the forward is up. Fails where the engine had another number of
/// layers already than it should have.
pub fn tunnel(machines: &Machines, image: &Published, had: usize) -> Result<Duration> {
    let forward = Forward::chosen(REGISTRY)?;
    let reference = image.pushed.reference.replacen(REGISTRY, &forward.near.to_string(), 1);
    let mut said = String::new();
    let took = sample::timed(|| {
        let _open = forward.open(&machines.d601)?;
        said = machines.project.docker().run(&["pull", &reference])?;
        Ok(())
    })?;
    let found = said.lines().filter(|line| line.ends_with("Already exists")).count();
    if found == had {
        Ok(took)
    } else {
        Err(format!("the engine had {found} layers, not {had}: {said}").into())
    }
}

/// By hand, from D601's own engine: `ssh d601 docker save | docker load`.
pub fn save_and_load(machines: &Machines, image: &Published) -> Result<Duration> {
    sample::timed(|| {
        let mut save = machines.d601.ssh_command();
        save.args(["docker", "save", &image.pushed.reference]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut save = save.spawn()?;
        let archive = save.stdout.take().ok_or("standard output is not there")?;
        let mut load = machines.project.docker().command();
        let mut load = load.arg("load").stdin(archive).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        load.stdout.take().ok_or("standard output is not there")?.read_to_string(&mut said)?;
        let ended = (save.wait()?, load.wait()?);
        if ended.0.success() && ended.1.success() {
            return Ok(());
        }
        Err(format!("docker save ended with {}, docker load with {}: {said}", ended.0, ended.1).into())
    })
}
