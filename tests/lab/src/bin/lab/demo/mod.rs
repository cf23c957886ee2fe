//! The demo: from nothing to real deploys that a person can watch.

mod clean;
mod components;
mod deploys;
mod made;

use std::process::ExitCode;

use lab::{Result, lock::Lock, paths};

pub use self::clean::clean;
use self::{deploys::Deploys, made::Made};
use crate::screen::Screen;

/// The name of the demo's Compose project.
const PROJECT: &str = "host-demo";

/// Runs the demo; what it made stays for playing on.
pub fn run(screen: &Screen) -> ExitCode {
    match demonstrate(screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = screen.failed(&error);
            screen.say("what was made so far is removed by: cargo xtask demo --clean");
            code
        }
    }
}

fn demonstrate(screen: &Screen) -> Result<()> {
    let _lock = Lock::take("demo", &|text| screen.say(text))?;
    let folder = paths::target()?.join("demo");
    let mut made = Made::load(&folder)?;
    let bench = components::prepare(screen, &mut made)?;
    let deploys = Deploys::publish(screen, &mut made, &bench)?;
    deploys.run(screen)?;
    deploys.say_goodbye(screen)
}
