//! The lab as a program; `cargo xtask` builds and calls it.

mod demo;
mod down;
mod needs;
mod playground;
mod run;
mod screen;
mod standing;
mod status;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use lab::components;

use crate::screen::Screen;

/// Real components for tests and the demo.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Deploy a sample service for real, step by step
    Demo {
        /// Remove everything that the demo made, and nothing else
        #[arg(long)]
        clean: bool,
    },
    /// Make the plugins into components, one line each
    Components,
    /// Bring up an engine, a registry and D601, and leave them running
    Up,
    /// Take down what `up` made, and nothing else
    Down,
    /// Tell what of it runs
    Status,
    /// Run test programs beside an engine and a registry; exit 69 if there can be none here
    Run {
        /// The lab is already in namespaces of its own
        #[arg(long, hide = true)]
        inside: bool,
        #[arg(required = true, value_name = "PROGRAM")]
        programs: Vec<PathBuf>,
        /// Arguments for each program
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let screen = Screen::new();
    match Arguments::parse().command {
        Verb::Demo { clean: false } => demo::run(&screen),
        Verb::Demo { clean: true } => demo::clean(&screen),
        Verb::Components => make_components(&screen),
        Verb::Up => up::run(&screen),
        Verb::Down => down::run(&screen),
        Verb::Status => status::run(&screen),
        Verb::Run { inside, programs, arguments } => run::run(&screen, inside, &programs, &arguments).await,
    }
}

fn make_components(screen: &Screen) -> ExitCode {
    let components = match components::build() {
        Ok(components) => components,
        Err(error) => return screen.failed(&error),
    };
    let mut code = ExitCode::SUCCESS;
    for component in components {
        match component.made {
            Ok((file, size)) => {
                println!("component {} ok ({} kB, {})", component.name, size / 1000, file.display());
            }
            Err(error) => {
                println!("component {} FAILED", component.name);
                code = screen.failed(&error);
            }
        }
    }
    code
}
