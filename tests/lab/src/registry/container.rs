//! The registry as a container, for machines that have an engine but no package of a registry.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{PATIENCE, Registry, Runs, answers};
use crate::{Docker, Error, Result, Say};

const IMAGE: &str = "registry:2";

/// There is one at most on an engine; the name also says whose it is.
const NAME: &str = "host-lab-registry";

/// Makes sure that the engine has the image.
pub fn pull(docker: &Docker, say: Say) -> Result<()> {
    if docker.run(&["image", "inspect", IMAGE]).is_ok() {
        return Ok(());
    }
    say(&format!("pulling {IMAGE}"));
    docker.run(&["pull", "--quiet", IMAGE]).map(drop).map_err(|error| Error::Missing {
        what: "a registry",
        why: format!("there is no program or Debian package of one, and {error}"),
        remedy: format!(
            "put the CNCF Distribution registry on PATH as `registry`, or make {IMAGE} available"
        ),
    })
}

pub fn start(docker: &Docker, address: String) -> Result<Registry> {
    remove(docker)?;
    let publish = format!("{address}:5000");
    docker.run(&["run", "--detach", "--name", NAME, "--publish", &publish, IMAGE])?;
    let registry = Registry { address, runs: Runs::Container(docker.clone()) };
    let start = Instant::now();
    while !answers(&registry.address) {
        if start.elapsed() > PATIENCE {
            let log = docker.run(&["logs", "--tail", "15", NAME]).unwrap_or_default();
            return Err(Error::unexpected(format!("the container {NAME} does not answer"), log));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(registry)
}

/// The address of the one that runs.
pub fn left_running(docker: &Docker) -> Option<String> {
    let address = docker.run(&["port", NAME, "5000/tcp"]).ok()?;
    address.lines().next().map(str::to_owned)
}

pub fn remove(docker: &Docker) -> Result<()> {
    match docker.container(NAME)? {
        Some(_) => docker.run(&["rm", "--force", "--volumes", NAME]).map(drop),
        None => Ok(()),
    }
}
