//! `host deploy plan`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Args};
use jiff::SignedDuration;

use super::chosen::ChosenArgs;
use super::together::{self, Looked};
use super::{OnFailureFlag, saved};
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
  host deploy plan --env prod --out prod.plan && host deploy show prod.plan
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
    /// Write the plan of what is not in sync to this file, for `host deploy show` and `apply`
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    out: Option<PathBuf>,
    /// How long the written plan may be applied: 24h, 90m
    #[arg(long, value_name = "TIME", default_value = "24h", requires = "out", value_parser = lasting)]
    expires_in: SignedDuration,
    /// Sign that you ask for the written plan; without it nobody's approval of it counts
    #[arg(long, value_name = "KEY", requires = "out")]
    key: Option<PathBuf>,
    /// What applying the written plan does to done changes of a service when a later step of it fails
    #[arg(long, value_enum, default_value_t = OnFailureFlag::Leave, requires = "out")]
    on_failure: OnFailureFlag,
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
    if let Some(out) = &args.out {
        let how = |request: Request| Request { on_failure: args.on_failure.into(), keep: true, ..request };
        let requests = requests.into_iter().map(how).collect();
        return saved::save(&host, requests, out, args.expires_in, args.key.as_deref(), global.output).await;
    }
    let compared = |request: Request| Request { compare: !args.offline, ..request };
    let requests: Vec<Request> = requests.into_iter().map(compared).collect();
    let interrupt = together::interrupt(mode);
    let Looked { reports, fault, .. } = together::run(&host, requests, mode, &interrupt).await;
    let several = Several::new(reports, |_| true);
    together::tell(&several, global.output)?;
    Ok(super::unkept(fault.as_ref(), several.decision.exit_code()))
}

/// How long a plan lasts, as it is written on the command line.
pub(super) fn lasting(text: &str) -> Result<SignedDuration, String> {
    let lasting: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    if lasting.is_positive() { Ok(lasting) } else { Err("a plan has to last some time: 24h, 90m".to_owned()) }
}
