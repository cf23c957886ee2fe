//! `lab down`: ends and removes what `lab up` made, and nothing else. What is in the cache stays.

use std::process::ExitCode;

use lab::{
    Docker, Result, d601,
    engine::{self, Engine},
    lock::Lock,
    modern, registry,
};

use crate::{
    playground::Playground,
    screen::Screen,
    standing::{Standing, remove_folder},
};

/// Takes everything down; it may be repeated.
pub fn run(screen: &Screen) -> ExitCode {
    match take_down(screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => screen.failed(&error),
    }
}

fn take_down(screen: &Screen) -> Result<()> {
    let _lock = Lock::take("lab-up", &|text| screen.say(text))?;
    let standing = Standing::here()?;
    let Some(docker) = standing.docker() else {
        screen.say("there is no lab here");
        return remove_folder(&standing.folder);
    };
    let step = screen.title("Taking the lab down");
    remove_from_engine(screen, &standing, &docker)?;
    registry::stop(&standing.registry)?;
    screen.say("the registry");
    if standing.engine_is_ours() {
        engine::remove(&standing.engine)?;
        screen.say("the engine with all its data");
    }
    modern::remove(&standing.modern)?;
    screen.say("the modern engine with all its data");
    remove_folder(&standing.runtime)?;
    remove_folder(&standing.folder)?;
    screen.say(&format!("the folder {}", standing.folder.display()));
    step.done("nothing is left but what is in the cache");
    Ok(())
}

fn remove_from_engine(screen: &Screen, standing: &Standing, docker: &Docker) -> Result<()> {
    if !docker.answers() {
        if !standing.engine_is_ours() {
            return Err(Standing::lost_engine());
        }
        // It ended in another way than this one, and only an engine can end containers that may still be running.
        screen.say("starting the engine again to clean it up");
        let _ = Engine::start(standing.engine.clone())?.leave_running();
    }
    Playground::remove(standing, docker)?;
    screen.say("what was deployed here, with its images");
    d601::remove(docker, &standing.d601)?;
    screen.say("D601 with its network, its images and all that is in it");
    if registry::left_running(&standing.registry, docker).is_some() {
        registry::remove_container(docker)?;
    }
    Ok(())
}
