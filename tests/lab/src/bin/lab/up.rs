//! `lab up`: everything that deploys need on this machine, and D601 beside it, left running with something to deploy.

use std::process::ExitCode;

use lab::{
    D601, Docker, Registry, Result,
    cluster::{self, Cluster},
    compose, d601, debian,
    engine::{self, Engine},
    lock::Lock,
    modern::{self, Modern},
    registry::{self, Source},
    sample,
};

use crate::{
    playground::Playground,
    screen::Screen,
    standing::{Standing, engine_of_the_user},
};

/// Brings up what does not run yet; what runs stays as it is.
pub fn run(screen: &Screen) -> ExitCode {
    match bring_up(screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = screen.failed(&error);
            screen.say("what was brought up so far is taken down by: cargo xtask lab down");
            code
        }
    }
}

fn bring_up(screen: &Screen) -> Result<()> {
    let _lock = Lock::take("lab-up", &|text| screen.say(text))?;
    let standing = Standing::here()?;

    let step = screen.title("What takes long, from the cache or made now");
    d601::prepare(&|text| screen.say(text))?;
    sample::build(&|text| screen.say(text))?;
    let no_modern = modern::prepare(&|text| screen.say(text)).err();
    let no_cluster = cluster::prepare(&|text| screen.say(text)).err();
    step.done("all there");

    let step = screen.title("Docker Engine");
    let docker = find_or_start_engine(screen, &standing)?;
    let docker = docker.clone().with_config(compose::ensure(&docker, &|text| screen.say(text))?);
    step.done(&docker.run(&["version", "--format", "version {{.Server.Version}}"])?);

    Playground::has_room(&standing, &docker)?;
    let step = screen.title("Registry");
    let registry = find_or_start_registry(screen, &standing, &docker)?;
    step.done(&registry.url());

    let step = screen.title("D601");
    let d601 = find_or_start_d601(screen, &standing, &docker)?;
    step.done(&d601.state()?);

    let step = screen.title("Kubernetes, on D601");
    let cluster = match no_cluster {
        None => Some(find_or_start_cluster(&standing, &d601)?),
        Some(error) => {
            screen.say(&format!("not here: {error}"));
            None
        }
    };
    if let Some(cluster) = &cluster {
        step.done(&cluster.kubectl(&["get", "nodes", "--no-headers"])?);
    }

    let step = screen.title("Modern engine, with the containerd image store");
    let modern = match no_modern {
        None => Some(find_or_start_modern(&standing)?),
        Some(error) => {
            // Of use to some, and all else works without.
            screen.say(&format!("not here: {error}"));
            None
        }
    };
    if let Some(modern) = &modern {
        step.done(&modern.run(&["version", "--format", "version {{.Server.Version}}"])?);
    }

    let step = screen.title("What can be deployed");
    let playground = Playground::set_up(&standing, &docker, &registry, &d601, cluster.as_ref())?;
    step.done("images in D601's registry, a Compose project on either machine, Deployments");
    tell(&docker, modern.as_ref(), &registry, &d601)?;
    playground.tell(screen)
}

fn find_or_start_engine(screen: &Screen, standing: &Standing) -> Result<Docker> {
    if let Some(docker) = standing.docker() {
        if docker.answers() {
            return Ok(docker);
        }
        if !standing.engine_is_ours() {
            return Err(Standing::lost_engine());
        }
    } else if let Some(docker) = engine_of_the_user() {
        screen.say("using the one that is running");
        standing.stands_on(&docker)?;
        return Ok(docker);
    }
    if !debian::is_root() {
        return Err(engine::missing("none is running, and starting one needs root"));
    }
    engine::install(&|text| screen.say(text))?;
    screen.say(&format!("starting dockerd, with its data in {}", standing.engine.data.display()));
    standing.stands_on(&Docker::at(format!("unix://{}", standing.engine.socket.display())))?;
    Engine::start(standing.engine.clone()).map(Engine::leave_running)
}

fn find_or_start_registry(screen: &Screen, standing: &Standing, docker: &Docker) -> Result<Registry> {
    if let Some(registry) = registry::left_running(&standing.registry, docker) {
        return Ok(registry);
    }
    let source = Source::find(docker, &|text| screen.say(text))?;
    source.start(&standing.registry, None).map(Registry::leave_running)
}

fn find_or_start_d601(screen: &Screen, standing: &Standing, docker: &Docker) -> Result<D601> {
    if let Some(d601) = D601::left_running(docker, standing.d601.clone())? {
        // Whoever started it may have been interrupted before it was up.
        d601.wait()?;
        return Ok(d601);
    }
    D601::start_at(docker, standing.d601.clone(), &|text| screen.say(text)).map(D601::leave_running)
}

fn find_or_start_cluster<'a>(standing: &Standing, d601: &'a D601) -> Result<Cluster<'a>> {
    match Cluster::left_running(d601, &standing.cluster)? {
        Some(cluster) => Ok(cluster),
        None => Cluster::start_in(d601, &standing.cluster).map(Cluster::leave_running),
    }
}

fn find_or_start_modern(standing: &Standing) -> Result<Docker> {
    match modern::left_running(&standing.modern) {
        Some(docker) => Ok(docker),
        None => Modern::start(standing.modern.clone()).map(Modern::leave_running),
    }
}

/// How to use what runs.
fn tell(docker: &Docker, modern: Option<&Docker>, registry: &Registry, d601: &D601) -> Result<()> {
    let config = d601.ssh_config();
    let config = config.display();
    println!("\nthis machine");
    println!("  Docker Engine   export DOCKER_HOST={}", docker.endpoint()?);
    if let Some(modern) = modern {
        println!("  modern engine   export DOCKER_HOST={}", modern.endpoint()?);
    }
    if let Some(folder) = docker.config() {
        println!("  Compose         export DOCKER_CONFIG={}", folder.display());
    }
    println!("  registry        {}", registry.url());
    println!("D601, at {}", d601.address());
    println!("  ssh             ssh -F {config} {}", d601::HOST);
    println!("  registry        http://{} there, and nowhere else", d601::REGISTRY);
    println!("  … from here     ssh -F {config} -N -L 127.0.0.1:15000:{} {}", d601::REGISTRY, d601::HOST);
    println!("  projects        {} there, of {}, who may use docker and sudo", d601::SERVICES, d601::USER);
    Ok(())
}
