//! The ways in which an image is delivered. Each begins without any connection.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab::d601::REGISTRY;
use lab::project::FRONTEND;
use serde_json::Value;

use super::images::Published;
use super::machines::Machines;
use crate::Result;
use crate::sample;

/// How long a forward is waited for, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// A delivery by `host`, which is a part of a deploy.
pub struct Delivery {
    /// From the start of the program to the line that says that the image is delivered.
    pub until_delivered: Duration,
    /// `registry.resolve`, which makes the connection.
    pub resolve: Duration,
    /// `image.deliver`.
    pub deliver: Duration,
}

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
    let begun = Instant::now();
    let mut child = deploy(machines, &image.commit)?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut told = BufReader::new(child.stderr.take().ok_or("standard error is not there")?);
    let (mut said, mut line, mut delivered) = (String::new(), String::new(), None);
    while told.read_line(&mut line)? > 0 {
        if line.contains(" image.deliver ") && line.contains(" ok ") {
            delivered.get_or_insert_with(|| begun.elapsed());
        }
        said.push_str(&line);
        line.clear();
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(said.into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let took = |name: &str| -> Result<Duration> {
        let step = steps.iter().find(|step| step["operation"] == name);
        let milliseconds = step.and_then(|step| step["durationMs"].as_u64());
        Ok(Duration::from_millis(milliseconds.ok_or_else(|| format!("the report has no {name}"))?))
    };
    Ok(Delivery {
        until_delivered: delivered.ok_or_else(|| format!("nothing was delivered: {said}"))?,
        resolve: took("registry.resolve")?,
        deliver: took("image.deliver")?,
    })
}

/// By hand: `ssh -N -L`, and `docker pull` as soon as the forward is up. Fails where the engine had another number of
/// layers already than it should have.
pub fn tunnel(machines: &Machines, image: &Published, had: usize) -> Result<Duration> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let reference = image.pushed.reference.replacen(REGISTRY, &address.to_string(), 1);
    let forward = format!("{address}:{REGISTRY}");
    let mut said = String::new();
    let took = sample::timed(|| {
        let mut ssh = machines.d601.ssh_command();
        ssh.args(["-N", "-o", "ExitOnForwardFailure=yes", "-L", &forward]).stdin(Stdio::null());
        let _ssh = Ended(ssh.spawn()?);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err("ssh -L is not up".into());
            }
            std::thread::sleep(PAUSE);
        }
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

/// A program that is ended when this value is.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to do.
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}
