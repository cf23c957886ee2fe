//! One file per command: its arguments, what it does, what it prints. The doc comments are the help text.

mod arguments;
mod completions;
mod deploy;
mod doctor;
mod man;
mod operator;
mod policy;
mod registry;
mod runs;
mod schema;
mod services;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Config, choose};
use crate::console;
use crate::fault::Fault;
use crate::names::ServiceName;
use crate::report::FaultReport;
use crate::run::Host;
use crate::who::requester;
use crate::words;

/// Deploys commit-pinned artifacts the way the owners of the services wrote it down, inside what policy permits.
///
/// It only ever consumes artifacts that CI published: it never compiles, never builds an image, never deploys `latest`.
#[derive(Parser)]
#[command(name = "host", version, after_help = EXAMPLES, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --dry-run
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --run-now
  host services
  host runs list --service project-manager
  host policy explain project-manager --env prod
  host doctor

Exit codes: 0 planned or deployed · 1 failed or rolled back · 2 usage or configuration ·
3 blocked, denied or unsupported · 4 a channel is missing · 5 the plan no longer fits ·
6 degraded · 130 interrupted";

/// Flags of every command.
#[derive(Args)]
pub struct Global {
    /// Configuration file; otherwise that of the environment, ./host.toml, the XDG directory or the specification's defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Form of the answer on standard output; everything else goes to standard error
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Form of the answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// One document, camelCase
    Json,
}

#[derive(Subcommand)]
enum Command {
    Deploy(deploy::DeployArgs),
    #[command(visible_alias = "artifact-registry")]
    Registry(registry::RegistryArgs),
    Services(services::ServicesArgs),
    Runs(runs::RunsArgs),
    Policy(policy::PolicyArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Global {
    fn config(&self) -> Result<Config, Fault> {
        let _phase = crate::timing::phase("config");
        Config::load(&choose(self.config.as_deref())?)
    }

    fn host(&self) -> Result<Host, Fault> {
        self.host_for(None)
    }

    /// The host, which is told early what it will be asked to deploy.
    fn host_for(&self, service: Option<&ServiceName>) -> Result<Host, Fault> {
        let config = self.config()?;
        let file = config.file.as_ref().filter(|_| self.config.is_some());
        let flags = file
            .map(|file| format!(" --config {}", words::shell(&file.display().to_string())))
            .unwrap_or_default();
        Host::open_for(config, flags, requester(), service)
    }
}

impl Cli {
    /// Whether the answer is JSON; an error is then JSON as well.
    #[must_use]
    pub fn json(&self) -> bool {
        self.global.output == Output::Json
    }

    /// Whether the command may reach a far side; everything else runs without any I/O but files.
    #[must_use]
    pub fn reaches_out(&self) -> bool {
        match &self.command {
            Command::Deploy(args) => !args.offline(),
            Command::Registry(args) => !args.offline(),
            Command::Runs(args) => !args.offline(),
            Command::Doctor(_) => true,
            _ => false,
        }
    }

    /// Runs the one command; the exit code is the command's answer.
    ///
    /// # Errors
    /// A [`Fault`] if it could not do its work.
    pub async fn run(&self) -> Result<u8, Fault> {
        match &self.command {
            Command::Deploy(args) => deploy::run(args, &self.global).await,
            Command::Registry(args) => registry::run(args, &self.global).await,
            Command::Services(args) => services::run(args, &self.global),
            Command::Runs(args) => runs::run(args, &self.global).await,
            Command::Policy(args) => policy::run(args, &self.global).await,
            Command::Doctor(args) => doctor::run(args, &self.global).await,
            Command::Schema(args) => schema::run(args, self.global.output),
            Command::Completions(args) => completions::run(args),
            Command::Man(args) => man::run(args),
        }
    }
}

/// One JSON document on standard output.
fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Fault> {
    let phase = crate::timing::phase("output");
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Fault::internal(
            "output",
            format!("the answer cannot be written as JSON: {error}"),
            "report this as a bug",
        )
    })?;
    drop(phase);
    print_own(&format!("{}\n", words::escaped_json(&text)))
}

/// The answer for people on standard output.
fn print(text: &str) -> Result<(), Fault> {
    print_own(&console::safe(text, console::colour_on_stdout()))
}

/// Text that has nothing in it that came from outside, on standard output. A reader that went away (`| head`) is no
/// error of ours.
fn print_own(text: &str) -> Result<(), Fault> {
    use std::io::Write;
    let _phase = crate::timing::phase("output");
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Fault::internal(
            "output",
            format!("standard output cannot be written: {error}"),
            "check where it goes; the run itself is in the journal: `host runs list`",
        )),
        _ => Ok(()),
    }
}

/// A fault as the one JSON document on standard output.
pub fn print_fault(fault: &Fault) {
    // What cannot be printed here is told on standard error by the caller anyway.
    let _ = print_json(&FaultReport::from(fault));
}

#[cfg(test)]
mod tests;
