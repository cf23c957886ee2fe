//! How the lab talks to a person.

use std::{
    env,
    fmt::Display,
    io::{self, IsTerminal as _},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use lab::{paths, process};

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// The terminal, or whatever stands in for it.
pub struct Screen {
    colour: bool,
}

impl Screen {
    /// Colour on a terminal, unless `NO_COLOR` is set.
    pub fn new() -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && io::stdout().is_terminal() }
    }

    /// The beginning of a step.
    pub fn title(&self, text: &str) -> Step<'_> {
        println!("\n{}", self.paint(BOLD, text));
        Step { screen: self, start: Instant::now() }
    }

    /// One sentence.
    pub fn say(&self, text: &str) {
        println!("  {}", self.paint(DIM, text));
    }

    /// A command line that is about to be run, with paths as they are typed in the root of the checkout.
    pub fn command(&self, command: &Command) {
        self.line(&process::show(command));
    }

    /// A line for a shell, with paths as they are typed in the root of the checkout.
    pub fn line(&self, text: &str) {
        println!("  {}", self.paint(BOLD, &format!("$ {}", from_root(text))));
    }

    /// Tells of an error that ends the program.
    pub fn failed(&self, error: &dyn Display) -> ExitCode {
        eprintln!("{} {error}", self.paint(RED, "error:"));
        ExitCode::FAILURE
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The command with paths as they are typed in the root of the checkout.
pub fn shown(command: &Command) -> String {
    from_root(&process::show(command))
}

/// The text with paths as they are in the root of the checkout.
pub fn from_root(text: &str) -> String {
    text.replace(&format!("{}/", paths::root().display()), "")
}

/// A step that is under way.
pub struct Step<'a> {
    screen: &'a Screen,
    start: Instant,
}

impl Step<'_> {
    /// The end of it, with how long it took.
    pub fn done(&self, text: &str) {
        println!("  {} {text} ({})", self.screen.paint(GREEN, "ok"), seconds(self.start.elapsed()));
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
