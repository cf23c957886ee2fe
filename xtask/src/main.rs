//! `cargo xtask`: one command for a demo, one for all tests. Standard library only, so that it starts at once.

mod bench;
mod cargo;
mod demo;
mod fuzz;
mod lab;
mod output;
mod tally;
mod test;
mod toolchain;

use std::{env, path::Path, process::ExitCode};

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  demo            build host and its plugins, and deploy a sample service for real, step by step
  demo --clean    remove everything that the demo made, and nothing else
  lab up          start an engine, a registry and D601 (a second host behind ssh), with sample services to deploy
  lab status      what of that runs
  lab down        remove all of that, and nothing else
  test [FILTER]   formatting, clippy, components, and all tests whose name contains FILTER
  fuzz [TARGET|all [SECONDS|FILE]]
                  look for input that breaks a rule: every target, a minute each; or one, for long, or with one input
  bench [ROW...]  measure the goals for speed with a release build, side by side; all, or the rows named:
                  dry-run, call, plugin, live, delivery, kubernetes, catalogue, plan
  components      build host and its plugins, and make the plugins components in target/plugins
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::run(),
        ["demo", "--clean"] => demo::clean(),
        ["components"] => demo::components(),
        ["lab", "up"] => lab::up(),
        ["lab", verb @ ("down" | "status")] => lab::call(verb),
        ["bench", wanted @ ..] if !wanted.iter().any(|word| word.starts_with('-')) => bench::run(wanted),
        ["test"] => test::run(None),
        ["test", filter] if !filter.starts_with('-') => test::run(Some(filter)),
        ["fuzz"] => fuzz::run(None, None),
        ["fuzz", target] if !target.starts_with('-') => fuzz::run(Some(target), None),
        ["fuzz", target, seconds_or_file] => match seconds_or_file.parse() {
            Ok(seconds) => fuzz::run(Some(target), Some(seconds)),
            Err(_) => fuzz::replay(target, Path::new(seconds_or_file)),
        },
        ["--help" | "-h" | "help"] | [_, "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}
