//! `host policy`.

pub mod check;
pub mod explain;
pub mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Global;
use crate::fault::Fault;

/// Check and test the policies, and show what decides each operation of a deploy
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy check
  host policy test policies
  host policy explain project-manager --env prod")]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Subcommand)]
enum PolicyCommand {
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
}

/// Which policies.
#[derive(Args)]
struct FolderArgs {
    /// Policy folder; otherwise that of the configuration
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl FolderArgs {
    fn or(&self, configured: PathBuf) -> PathBuf {
        self.folder.clone().unwrap_or(configured)
    }
}

pub async fn run(args: &PolicyArgs, global: &Global) -> Result<u8, Fault> {
    match &args.command {
        PolicyCommand::Check(args) => check::run(args, global),
        PolicyCommand::Test(args) => test::run(args, global),
        PolicyCommand::Explain(args) => explain::run(args, global).await,
    }
}
