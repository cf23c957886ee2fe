//! `host policy`.

pub mod check;
pub mod diff;
pub mod explain;
pub mod matrix;
mod page;
pub mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Global;
use crate::fault::Fault;

/// Check and test the policies, and show what they decide
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy check
  host policy test policies
  host policy explain project-manager --env prod
  host policy matrix --html policies.html
  host policy diff policies.old policies")]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Subcommand)]
enum PolicyCommand {
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Explain(explain::ExplainArgs),
    Matrix(matrix::MatrixArgs),
    Diff(diff::DiffArgs),
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
        PolicyCommand::Matrix(args) => matrix::run(args, global),
        PolicyCommand::Diff(args) => diff::run(args, global),
    }
}
