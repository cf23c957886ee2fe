//! `host registry health`.

use clap::Args;

use super::look::look;
use crate::commands::Global;
use crate::fault::Fault;
use crate::installation::Verdict;

/// Check that the registry runs as it should: exit 0 healthy, 6 service-degraded, 1 not installed or unhealthy, 4 out of reach
///
/// It only reads, in one round trip, and needs no Docker here.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry health
  host registry health --output json | jq -r '.checks[] | select(.ok | not) | .evidence'")]
pub struct HealthArgs {}

pub async fn run(_: &HealthArgs, global: &Global) -> Result<u8, Fault> {
    look(global, "health", |verdict| (verdict == Verdict::Healthy, verdict.exit_code())).await
}
