//! `host deploy`.

mod apply;
mod approve;
mod chosen;
mod plan;
mod saved;
pub mod show;
mod together;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::arguments::{commit, environment, reason, service};
use super::operator::{asked, can_ask, listen};
use super::{Global, Output, print, print_json};
use crate::config::Summary;
use crate::console::{self, Console};
use crate::fault::Fault;
use crate::gate::Audience;
use crate::journal::OnFailure;
use crate::progress::Interrupt;
use crate::recording::Recording;
use crate::report::{Decision, Mode, Style, render};
use crate::run::{Agreed, Done, Host, Request};

/// Deploy one commit of one service, or show what that would do
///
/// Without --dry-run or --run-now it looks at everything, changes nothing, shows the plan and asks; where nobody can be
/// asked it ends with code 2.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy project-manager --env prod --commit 0123456789abcdef0123456789abcdef01234567 --dry-run
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --run-now --on-failure rollback
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --run-now --wait
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --dry-run --output json
  host deploy plan --env prod --offline
  host deploy apply --env prod --dry-run")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct DeployArgs {
    #[command(subcommand)]
    several: Option<SeveralCommand>,
    #[command(flatten)]
    one: Option<OneArgs>,
    #[command(flatten)]
    how: Option<HowArgs>,
}

#[derive(Subcommand)]
enum SeveralCommand {
    Plan(plan::PlanArgs),
    Show(show::ShowArgs),
    Approve(approve::ApproveArgs),
    Apply(apply::ApplyArgs),
}

#[derive(Args)]
struct OneArgs {
    /// Service to deploy (`host services` lists them)
    service: String,
    /// Environment to deploy to
    #[arg(long, value_name = "ENV")]
    env: String,
}

/// What one service is deployed from, and how.
#[derive(Args)]
pub(in crate::commands) struct HowArgs {
    /// Commit to deploy: the full 40 hexadecimal digits
    #[arg(long, value_name = "SHA")]
    commit: String,
    /// Show what would be done; offline, nothing is asked and nothing changed
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "run_now")]
    dry_run: bool,
    /// Do it
    #[arg(long, action = ArgAction::SetTrue)]
    run_now: bool,
    /// Wait for another deploy of the same service to end, and look at everything after it
    #[arg(long, action = ArgAction::SetTrue)]
    wait: bool,
    /// What happens to done changes when a later step fails
    #[arg(long, value_enum, default_value_t = OnFailureFlag::Leave)]
    on_failure: OnFailureFlag,
    /// Why another commit is deployed than the desired state names; it is written down
    #[arg(long, value_name = "REASON")]
    override_desired: Option<String>,
    /// What CI said when it published the artifact; the registry must serve that digest
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
}

impl HowArgs {
    /// Whether it is asked for offline.
    pub(in crate::commands) fn offline(&self) -> bool {
        self.dry_run
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum OnFailureFlag {
    /// They stay; the report says what runs
    Leave,
    /// They are taken back, last first
    Rollback,
}

impl From<OnFailureFlag> for OnFailure {
    fn from(flag: OnFailureFlag) -> Self {
        match flag {
            OnFailureFlag::Leave => Self::Leave,
            OnFailureFlag::Rollback => Self::Rollback,
        }
    }
}

impl DeployArgs {
    /// Whether it is asked for offline.
    pub fn offline(&self) -> bool {
        match (&self.several, &self.how) {
            (Some(SeveralCommand::Plan(args)), _) => args.offline(),
            (Some(SeveralCommand::Show(_) | SeveralCommand::Approve(_)), _) => false,
            (Some(SeveralCommand::Apply(args)), _) => args.offline(),
            (None, how) => how.as_ref().is_none_or(HowArgs::offline),
        }
    }
}

pub async fn run(args: &DeployArgs, global: &Global) -> Result<u8, Fault> {
    match (&args.several, &args.one, &args.how) {
        (Some(SeveralCommand::Plan(args)), ..) => plan::run(args, global).await,
        (Some(SeveralCommand::Show(args)), ..) => show::run(args, global).await,
        (Some(SeveralCommand::Approve(args)), ..) => approve::run(args, global).await,
        (Some(SeveralCommand::Apply(args)), ..) => apply::run(args, global).await,
        (None, Some(args), Some(how)) => one(&args.service, &args.env, how, global).await,
        (None, Some(_), None) => {
            Err(Fault::usage("usage", "deploy which commit?", "name it: --commit $(git rev-parse HEAD)"))
        }
        (None, None, _) => Err(Fault::usage("usage", "deploy what?", "try `host deploy --help`")),
    }
}

/// Deploys one service: the one way for every command that does.
pub(in crate::commands) async fn one(
    service: &str,
    env: &str,
    how: &HowArgs,
    global: &Global,
) -> Result<u8, Fault> {
    let mode = match (how.dry_run, how.run_now) {
        (true, _) => Mode::DryRun,
        (_, true) => Mode::Live,
        _ => Mode::Plan,
    };
    let mut request = request(service, env, how, mode)?;
    let host = global.host_for(Some(&request.service))?;
    // A dry run has nothing to leave clean: Ctrl-C may end it at once.
    let interrupt = if mode == Mode::DryRun { Interrupt::pair().1 } else { listen() };
    let (code, done) = deploy(&host, &request, None, global.output, &interrupt).await?;
    if mode != Mode::Plan || done.report.decision != Decision::Planned {
        return Ok(code);
    }
    if !can_ask(global.output) {
        console::notice("nothing was changed: say --run-now to deploy, or --dry-run to only look");
        return Ok(2);
    }
    if done.report.desired_state.as_ref().is_some_and(|desired| !desired.is_respected()) {
        console::notice(
            "nothing was changed: the desired state wants another commit; --override-desired REASON says why it does not hold",
        );
        return Ok(Decision::Blocked.exit_code());
    }
    let unmet = done.recording.as_ref().map_or(0, |plan| Recording::unmet(plan.steps()).count());
    if unmet > 0 {
        console::notice("nothing was changed: what is pending above must be met before a live deploy");
        return Ok(Decision::Blocked.exit_code());
    }
    let question = format!("deploy {} to {} now?", request.service, request.environment);
    let answer = tokio::select! {
        () = interrupt.raised() => return Ok(Decision::Interrupted.exit_code()),
        answer = asked(&question) => answer?,
    };
    if !answer {
        return Ok(0);
    }
    request.mode = Mode::Live;
    let agreed = done.recording.map(Agreed::Shown);
    let (code, _) = deploy(&host, &request, agreed.as_ref(), global.output, &interrupt).await?;
    Ok(code)
}

fn request(name: &str, env: &str, how: &HowArgs, mode: Mode) -> Result<Request, Fault> {
    Ok(Request {
        service: service(name)?,
        environment: environment(env)?,
        commit: commit(&how.commit)?,
        mode,
        wait: how.wait,
        on_failure: how.on_failure.into(),
        override_desired: how.override_desired.as_deref().map(reason).transpose()?,
        artifact: how.artifact.as_deref().map(Summary::load).transpose()?,
        compare: false,
        keep: false,
    })
}

/// One run and its answer: the exit code, and what came of it.
async fn deploy(
    host: &Host,
    request: &Request,
    agreed: Option<&Agreed>,
    output: Output,
    interrupt: &Interrupt,
) -> Result<(u8, Done), Fault> {
    let console = Arc::new(Console::new(request.mode));
    let audience: Arc<dyn Audience> = Arc::clone(&console) as _;
    let done = host.deploy(request, agreed, audience, interrupt.clone()).await?;
    match output {
        Output::Json => print_json(&done.report)?,
        Output::Text => {
            let style = Style { colour: console::colour_on_stdout(), steps: !console.told() };
            print(&render(&done.report, style))?;
        }
    }
    let code = unkept(done.journal.as_ref(), done.report.decision.exit_code());
    Ok((code, done))
}

/// The exit code of a run that ended with `code`, and that is not in the journal if there is a fault.
fn unkept(fault: Option<&Fault>, code: u8) -> u8 {
    let Some(fault) = fault else { return code };
    console::notice(&format!("error: this run is not in the journal: {fault}"));
    code.max(fault.exit_code())
}
