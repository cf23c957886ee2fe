//! `host registry status`.

use clap::Args;

use super::look::look;
use crate::commands::Global;
use crate::fault::Fault;
use crate::installation::Verdict;

/// Show how the registry is installed on its machine: exit 0 whenever that could be found out, 4 where it could not
///
/// It only reads, in one round trip, and needs no Docker here.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry status
  host registry status --output json | jq '.installed, .decision'")]
pub struct StatusArgs {}

pub async fn run(_: &StatusArgs, global: &Global) -> Result<u8, Fault> {
    let means = |verdict: Verdict| {
        let answered = verdict != Verdict::InfraBlocked;
        (answered, if answered { 0 } else { verdict.exit_code() })
    };
    look(global, "status", means).await
}
