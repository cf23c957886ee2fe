//! `demo --clean`: removes what the demo wrote down, and nothing else.

use std::{fs, path::Path, process::ExitCode};

use lab::{
    Docker, Error, Result,
    engine::{self, Engine},
    lock::Lock,
    paths, project, registry,
};

use super::made::Made;
use crate::screen::Screen;

/// Removes everything that the demo made; it may be repeated.
pub fn clean(screen: &Screen) -> ExitCode {
    match remove(screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => screen.failed(&error),
    }
}

fn remove(screen: &Screen) -> Result<()> {
    let _lock = Lock::take("demo", &|text| screen.say(text))?;
    let made = Made::load(&paths::target()?.join("demo"))?;
    if !made.exists() {
        screen.say("there is nothing of a demo here");
        return Ok(());
    }
    let step = screen.title("Cleaning up after the demo");
    remove_from_engine(screen, &made)?;
    if let Some(folder) = &made.registry {
        registry::stop(folder)?;
        screen.say("the registry");
    }
    if let Some(place) = &made.engine {
        engine::remove(place)?;
        screen.say("the engine with all its data");
    }
    remove_link(screen, &made)?;
    fs::remove_dir_all(&made.folder).map_err(Error::io(format!("remove {}", made.folder.display())))?;
    screen.say(&format!("the folder {}", made.folder.display()));
    step.done("removed");
    for thing in &made.stays {
        screen.say(&format!("stays: {thing}"));
    }
    Ok(())
}

/// Containers, networks and images.
fn remove_from_engine(screen: &Screen, made: &Made) -> Result<()> {
    let Some(docker) = &made.docker else {
        return Ok(());
    };
    let docker = Docker::at(docker.clone());
    if !docker.answers() {
        let Some(place) = &made.engine else {
            return Err(engine::missing("the engine that the demo used does not answer"));
        };
        // It ended in another way than this one, and only an engine can end containers that may still be running.
        screen.say("starting the engine again to clean it up");
        let _ = Engine::start(place.clone())?.leave_running();
    }
    if made.registry_container {
        registry::remove_container(&docker)?;
        screen.say("the container of the registry");
    }
    if let Some(name) = &made.project {
        project::remove(&docker, name)?;
        screen.say(&format!("containers and networks of the Compose project {name}"));
    }

    for digest in docker.remove_images(&made.images)? {
        screen.say(&format!("image {digest}"));
    }
    Ok(())
}

/// The link to Compose, if it is still the demo's, and the folders made for it, if nobody has put anything in them.
fn remove_link(screen: &Screen, made: &Made) -> Result<()> {
    let Some(link) = &made.compose_link else {
        return Ok(());
    };
    let cache = paths::cache()?;
    if fs::read_link(link).is_ok_and(|target| target.starts_with(cache)) {
        fs::remove_file(link).map_err(Error::io(format!("remove {}", link.display())))?;
        screen.say(&format!("the link {}", link.display()));
    }
    for folder in made.link_folders.iter().rev() {
        if is_empty(folder) {
            fs::remove_dir(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
            screen.say(&format!("the folder {}", folder.display()));
        }
    }
    Ok(())
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
