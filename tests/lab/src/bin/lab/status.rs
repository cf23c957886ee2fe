//! `lab status`: what of the lab runs.

use std::process::ExitCode;

use lab::{D601, Result, cluster::Cluster, d601, modern, registry};

use crate::{
    playground::{self, Playground},
    screen::{Screen, from_root},
    standing::Standing,
};

/// Tells of each part whether it runs; fails where one does not.
pub fn run(screen: &Screen) -> ExitCode {
    match look() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            screen.say("cargo xtask lab up");
            ExitCode::FAILURE
        }
        Err(error) => screen.failed(&error),
    }
}

fn look() -> Result<bool> {
    let standing = Standing::here()?;
    let engine = standing.docker().filter(lab::Docker::answers);
    let endpoint = engine.as_ref().map(lab::Docker::endpoint).transpose()?;
    let mut all = tell("Docker Engine", endpoint.as_deref());
    let Some(docker) = engine else {
        return Ok(false);
    };
    let registry = registry::left_running(&standing.registry, &docker).map(|registry| registry.url());
    all &= tell("registry", registry.as_deref());

    let modern = modern::left_running(&standing.modern).map(|docker| docker.endpoint()).transpose()?;
    all &= tell("modern engine", modern.as_deref());

    let d601 = D601::left_running(&docker, standing.d601.clone())?;
    let state = d601.as_ref().map(|d601| {
        let ssh = format!("ssh -F {} {}", d601.ssh_config().display(), d601::HOST);
        d601.state()
            .map_or_else(|_| "it runs, and ssh does not answer".to_owned(), |state| format!("{state}: {ssh}"))
    });
    all &= tell("D601", state.as_deref());

    let cluster = match &d601 {
        Some(d601) => Cluster::left_running(d601, &standing.cluster)?,
        None => None,
    };
    all &= tell("Kubernetes", cluster.as_ref().map(Cluster::kubectl_by_hand).as_deref());

    let config = d601.as_ref().and_then(|_| Playground::config(&standing));
    all &= tell(
        "playground",
        config.map(|file| from_root(&format!("host --config {}", file.display()))).as_deref(),
    );
    if let Some(cluster) = &cluster {
        println!("{}", cluster.kubectl(&["get", "deployments", "--all-namespaces", "--output=wide"])?);
    }
    if let Some(d601) = &d601 {
        for (service, state) in playground::deployed(&docker, d601)? {
            println!("{service:<14}  {state}");
        }
    }
    Ok(all)
}

fn tell(part: &str, state: Option<&str>) -> bool {
    println!("{part:<14}  {}", state.unwrap_or("does not run"));
    state.is_some()
}
