//! The engine, Compose, the registry and the sample service of the demo.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use lab::{
    Bench, Docker, Error, Registry, Result, compose,
    engine::{self, Engine, Place},
    paths,
    registry::{self, Source},
    sample,
};

use super::made::Made;
use crate::screen::Screen;

/// Where a plain `docker` looks for the engine.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The port that the specification has for the registry; another one is taken if it is in use.
const PORT: u16 = 5000;

/// Finds or starts them. What is started lives on after the demo, and after a demo that fails: to be looked at.
pub fn prepare(screen: &Screen, made: &mut Made) -> Result<Bench> {
    let step = screen.title("Docker Engine");
    let docker = find_or_start_engine(screen, made)?;
    let endpoint = docker.endpoint()?;
    if !endpoint.starts_with("unix://") {
        return Err(engine::missing(&format!(
            "the engine is at {endpoint}, and the demo needs one on this machine"
        )));
    }
    made.add(|made| made.docker = Some(endpoint.clone()))?;
    let version = docker.run(&["version", "--format", "{{.Server.Version}}"])?;
    step.done(&format!("version {version} at {endpoint}"));

    let step = screen.title("Docker Compose");
    if let Some(folder) = compose::ensure(&docker, &|text| screen.say(text))? {
        made.add(|made| {
            made.stays.insert(format!("Compose in {}, and what Go cached to build it", folder.display()));
        })?;
        link(screen, made, &folder)?;
    }
    step.done(&format!("version {}", docker.run(&["compose", "version", "--short"])?));

    let step = screen.title("Registry");
    let registry = find_or_start_registry(screen, made, &docker)?;
    step.done(&registry.url());

    let step = screen.title("Sample service");
    sample::build(&|text| screen.say(text))?;
    step.done(&format!("a static program of {} kB", sample::bytes()?.len() / 1000));
    Ok(Bench::new(docker, registry))
}

/// The engine that answers, or one that is started.
fn find_or_start_engine(screen: &Screen, made: &mut Made) -> Result<Docker> {
    if Docker::of_the_user().answers() {
        let ours = made.engine.as_ref().is_some_and(engine::is_running);
        screen.say(if ours {
            "the one that an earlier demo started"
        } else {
            "using the one that is running"
        });
        return Ok(Docker::of_the_user());
    }
    if let Some(host) = env::var_os("DOCKER_HOST") {
        return Err(engine::missing(&format!("no engine answers at DOCKER_HOST={}", host.display())));
    }
    screen.say("no engine answers");
    let had = paths::program(&["dockerd"]).is_some();
    engine::install(&|text| screen.say(text))?;
    if !had {
        made.add(|made| {
            made.stays.insert("the package docker.io and what it depends on".to_owned());
        })?;
    }
    // Where a service manager runs, the package has started the engine by itself.
    if Docker::of_the_user().answers() {
        return Ok(Docker::of_the_user());
    }
    if !lab::debian::is_root() {
        return Err(engine::missing("none is running, and starting one needs root"));
    }
    let place = Place {
        socket: DEFAULT_SOCKET.into(),
        data: made.folder.join("engine"),
        runtime: "/run/host-demo".into(),
        log: made.folder.join("dockerd.log"),
    };
    screen.say(&format!("starting dockerd, with its data in {}", place.data.display()));
    made.add(|made| made.engine = Some(place.clone()))?;
    Engine::start(place).map(Engine::leave_running)
}

/// Makes `docker compose` work for the user too.
fn link(screen: &Screen, made: &mut Made, folder: &Path) -> Result<()> {
    let config = match env::var_os("DOCKER_CONFIG") {
        Some(config) => PathBuf::from(config),
        None => paths::home()?.join(".docker"),
    };
    let plugins = config.join("cli-plugins");
    let link = plugins.join("docker-compose");
    let target = folder.join("cli-plugins/docker-compose");
    screen.say(&format!("linking {} to {}", link.display(), target.display()));
    for folder in [&config, &plugins] {
        if !folder.exists() {
            made.add(|made| made.link_folders.push(folder.clone()))?;
            paths::make_folder(folder)?;
        }
    }
    made.add(|made| made.compose_link = Some(link.clone()))?;
    symlink(&target, &link).map_err(Error::io(format!("link {}", link.display())))
}

/// The registry of an earlier demo, or a new one.
fn find_or_start_registry(screen: &Screen, made: &mut Made, docker: &Docker) -> Result<Registry> {
    let folder = made.folder.join("registry");
    if let Some(registry) = registry::left_running(&folder, docker) {
        screen.say("the one that an earlier demo started");
        return Ok(registry);
    }
    let source = Source::find(docker, &|text| screen.say(text))?;
    match &source {
        Source::Program(program) if program.starts_with(paths::cache()?) => made.add(|made| {
            made.stays.insert(format!("the registry's program {}", program.display()));
        })?,
        Source::Program(_) => {}
        Source::Image(_) => made.add(|made| {
            made.registry_container = true;
            made.stays.insert("the image of the registry".to_owned());
        })?,
    }
    made.add(|made| made.registry = Some(folder.clone()))?;
    let port = registry::is_free(PORT).then_some(PORT);
    source.start(&folder, port).map(Registry::leave_running)
}
