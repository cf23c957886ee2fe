//! `host deploy plan`.

use std::sync::Arc;

use clap::{ArgAction, Args};

use super::chosen::ChosenArgs;
use super::together::{self, Looked};
use crate::commands::Global;
use crate::fault::Fault;
use crate::report::{Mode, Several};
use crate::run::Request;

/// Show what deploying several services would do, and how what runs stands to that; nothing is changed
///
/// Commits come from the desired state, `desired` under `[catalog]` in host.toml, or from --commit.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy plan
  host deploy plan --env prod --offline
  host deploy plan --env prod --service project-manager --commit $(git rev-parse HEAD)")]
pub struct PlanArgs {
    /// Only this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    #[command(flatten)]
    chosen: ChosenArgs,
    /// Ask nobody: what would be done, not how things are
    #[arg(long, action = ArgAction::SetTrue)]
    offline: bool,
}

impl PlanArgs {
    pub fn offline(&self) -> bool {
        self.offline
    }
}

pub async fn run(args: &PlanArgs, global: &Global) -> Result<u8, Fault> {
    let host = Arc::new(global.host()?);
    let mode = if args.offline { Mode::DryRun } else { Mode::Plan };
    let requests = args.chosen.requests(args.env.as_deref(), &host, mode)?;
    let compared = |request: Request| Request { compare: !args.offline, ..request };
    let requests: Vec<Request> = requests.into_iter().map(compared).collect();
    let interrupt = together::interrupt(mode);
    let Looked { reports, fault, .. } = together::run(&host, requests, mode, &interrupt).await;
    let several = Several::new(reports, |_| true);
    together::tell(&several, global.output)?;
    Ok(super::unkept(fault.as_ref(), several.decision.exit_code()))
}
