//! `host deploy apply`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Args};

use super::chosen::ChosenArgs;
use super::together::{self, Looked};
use super::{OnFailureFlag, saved};
use crate::commands::Global;
use crate::commands::arguments::reason;
use crate::commands::operator::{asked, can_ask};
use crate::console;
use crate::fault::Fault;
use crate::names::ServiceName;
use crate::recording::Recording;
use crate::report::{Decision, Mode, Several};
use crate::run::{Agreed, Order, Request};

/// Bring several services to the commits that the desired state names
///
/// What is in sync is left alone. The others are deployed at the same time where their targets allow it, and one that fails
/// does not keep the others from it. A service that needs an approval is left alone unless it is named. Without --dry-run or --run-now it looks at everything,
/// changes nothing, shows the plan and asks.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy apply --env prod --dry-run
  host deploy apply --env dev --run-now --on-failure rollback
  host deploy apply prod.plan --run-now
  host deploy apply --env dev --service backend-core --commit $(git rev-parse HEAD) --run-now")]
pub struct ApplyArgs {
    /// A plan that `host deploy plan --out` wrote: exactly this is done, or nothing
    #[arg(value_name = "PLAN", conflicts_with_all = ["env", "service", "all", "commit", "dry_run", "on_failure", "override_desired"])]
    plan: Option<PathBuf>,
    /// To this environment
    #[arg(long, value_name = "ENV", required_unless_present = "plan")]
    env: Option<String>,
    #[command(flatten)]
    chosen: ChosenArgs,
    /// Show what would be done; offline, nothing is asked and nothing changed
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "run_now")]
    dry_run: bool,
    /// Do it
    #[arg(long, action = ArgAction::SetTrue)]
    run_now: bool,
    /// Wait for another deploy of the same service to end, and look at everything after it
    #[arg(long, action = ArgAction::SetTrue)]
    wait: bool,
    /// What happens to done changes of a service when a later step of it fails
    #[arg(long, value_enum, default_value_t = OnFailureFlag::Leave)]
    on_failure: OnFailureFlag,
    /// Why another commit is deployed than the desired state names; it is written down
    #[arg(long, value_name = "REASON", requires = "commit")]
    override_desired: Option<String>,
}

impl ApplyArgs {
    pub fn offline(&self) -> bool {
        self.dry_run
    }
}

pub async fn run(args: &ApplyArgs, global: &Global) -> Result<u8, Fault> {
    let host = Arc::new(global.host()?);
    if let Some(plan) = &args.plan {
        return saved::apply(&host, plan, args.run_now, args.wait, global.output).await;
    }
    let env = args.env.as_deref().unwrap_or_default();
    let mode = match (args.dry_run, args.run_now) {
        (true, _) => Mode::DryRun,
        (_, true) => Mode::Live,
        _ => Mode::Plan,
    };
    let requests = args.chosen.requests(Some(env), &host, mode)?;
    let reason = args.override_desired.as_deref().map(reason).transpose()?;
    let how = |request: Request| Request {
        wait: args.wait,
        on_failure: args.on_failure.into(),
        override_desired: reason.clone(),
        ..request
    };
    let requests: Vec<Request> = requests.into_iter().map(how).collect();
    let interrupt = together::interrupt(mode);
    let named = |service: &ServiceName| args.chosen.names(service);
    let (settled, requests) = match mode {
        Mode::DryRun => (Vec::new(), requests),
        Mode::Plan | Mode::Live => together::unsettled(&host, requests, &interrupt).await,
    };
    let Looked { reports, mut planned, fault, .. } = together::run(&host, requests, mode, &interrupt).await;
    let several = Several::new(settled.iter().cloned().chain(reports).collect(), named);
    together::tell(&several, global.output)?;
    let code = super::unkept(fault.as_ref(), several.decision.exit_code());
    if mode != Mode::Plan || several.decision != Decision::Planned || planned.is_empty() {
        return Ok(code);
    }
    if !can_ask(global.output) {
        console::notice("nothing was changed: say --run-now to deploy, or --dry-run to only look");
        return Ok(2);
    }
    planned.retain(|(request, _)| several.gated.iter().all(|gated| gated.service != request.service));
    // What is pending is pending for all that a yes could mean.
    let (ready, pending): (Vec<_>, Vec<_>) =
        planned.into_iter().partition(|(_, plan)| Recording::unmet(plan.steps()).next().is_none());
    if !pending.is_empty() || ready.is_empty() {
        console::notice("nothing was changed: what is pending above must be met before a live deploy");
        return Ok(Decision::Blocked.exit_code());
    }
    let question =
        format!("deploy {} to {} now?", crate::words::counted(ready.len(), "service", "services"), env);
    let answer = tokio::select! {
        () = interrupt.raised() => return Ok(Decision::Interrupted.exit_code()),
        answer = asked(&question) => answer?,
    };
    if !answer {
        return Ok(0);
    }
    let agreed = |(request, plan)| Order {
        request: Request { mode: Mode::Live, ..request },
        agreed: Some(Agreed::Shown(plan)),
    };
    let ready: Vec<Order> = ready.into_iter().map(agreed).collect();
    let Looked { reports, fault, .. } = together::run(&host, ready, Mode::Live, &interrupt).await;
    let several = Several::new(settled.into_iter().chain(reports).collect(), named);
    together::tell(&several, global.output)?;
    Ok(super::unkept(fault.as_ref(), several.decision.exit_code()))
}
