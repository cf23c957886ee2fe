//! `host deploy`.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use clap::{ArgAction, Args, ValueEnum};

use super::{Global, Output, print, print_json};
use crate::console::{self, Console};
use crate::fault::Fault;
use crate::gate::Audience;
use crate::journal::OnFailure;
use crate::names::{Commit, Environment, NameError, ServiceName};
use crate::progress::{Interrupt, InterruptSender};
use crate::report::{Decision, Mode, Report, Style, render};
use crate::run::{Host, Request, requester};

/// Deploy one commit of one service, or show what that would do
///
/// Without --dry-run or --run-now it looks at everything, changes nothing, shows the plan and asks; where nobody can be
/// asked it ends with code 2.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy project-manager --env prod --commit 0123456789abcdef0123456789abcdef01234567 --dry-run
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --run-now --on-failure rollback
  host deploy project-manager --env prod --commit $(git rev-parse HEAD) --dry-run --output json")]
pub struct DeployArgs {
    /// Service to deploy (`host services` lists them)
    service: String,
    /// Environment to deploy to
    #[arg(long, value_name = "ENV")]
    env: String,
    /// Commit to deploy: the full 40 hexadecimal digits
    #[arg(long, value_name = "SHA")]
    commit: String,
    /// Show what would be done; offline, nothing is asked and nothing changed
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "run_now")]
    dry_run: bool,
    /// Do it
    #[arg(long, action = ArgAction::SetTrue)]
    run_now: bool,
    /// What happens to done changes when a later step fails
    #[arg(long, value_enum, default_value_t = OnFailureFlag::Leave)]
    on_failure: OnFailureFlag,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnFailureFlag {
    /// They stay; the report says what runs
    Leave,
    /// They are taken back, last first
    Rollback,
}

pub async fn run(args: &DeployArgs, global: &Global) -> Result<u8, Fault> {
    let mode = match (args.dry_run, args.run_now) {
        (true, _) => Mode::DryRun,
        (_, true) => Mode::Live,
        _ => Mode::Plan,
    };
    let mut request = request(args, mode)?;
    let host = Host::open(global.config()?, requester())?;
    let interrupt = listen();
    let report = deploy(&host, &request, interrupt.clone()).await?;
    show(&report, global.output)?;
    if mode != Mode::Plan || report.decision != Decision::Planned {
        return Ok(report.decision.exit_code());
    }
    // A reader of JSON gets one document and no question.
    let answer = if global.output == Output::Text { asked(&request)? } else { None };
    match answer {
        Some(true) => {}
        Some(false) => return Ok(0),
        None => {
            console::notice("nothing was changed: say --run-now to deploy, or --dry-run to only look");
            return Ok(2);
        }
    }
    request.mode = Mode::Live;
    let report = deploy(&host, &request, interrupt).await?;
    show(&report, global.output)?;
    Ok(report.decision.exit_code())
}

fn request(args: &DeployArgs, mode: Mode) -> Result<Request, Fault> {
    let bad =
        |flag: &str, error: &NameError, help: &str| Fault::usage("usage", format!("{flag}: {error}"), help);
    Ok(Request {
        service: ServiceName::parse(&args.service)
            .map_err(|error| bad("SERVICE", &error, "`host services` lists the services"))?,
        environment: Environment::parse(&args.env).map_err(|error| {
            bad("--env", &error, "`host services` lists the environments, `prod` for example")
        })?,
        commit: Commit::parse(&args.commit).map_err(|error| {
            let help =
                "name the commit itself, never a branch or a tag: --commit $(git rev-parse <branch or tag>)";
            bad("--commit", &error, help)
        })?,
        mode,
        on_failure: match args.on_failure {
            OnFailureFlag::Leave => OnFailure::Leave,
            OnFailureFlag::Rollback => OnFailure::Rollback,
        },
    })
}

async fn deploy(host: &Host, request: &Request, interrupt: Interrupt) -> Result<Report, Fault> {
    let console: Arc<dyn Audience> = Arc::new(Console::new(request.mode));
    host.deploy(request, console, interrupt).await
}

fn show(report: &Report, output: Output) -> Result<(), Fault> {
    match output {
        Output::Json => print_json(report),
        Output::Text => {
            // Whoever watched the steps on the same terminal does not need them again.
            let watched = report.mode == Mode::Live
                && std::io::stdout().is_terminal()
                && std::io::stderr().is_terminal();
            print(&render(report, Style { colour: console::colour_on_stdout(), steps: !watched }))
        }
    }
}

/// Whether the operator says yes; nothing where nobody can be asked, which is never taken for a yes or a no.
fn asked(request: &Request) -> Result<Option<bool>, Fault> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut terminal = std::io::stderr().lock();
    let question = format!("deploy {} to {} now? [y/N] ", request.service, request.environment);
    let mut answer = String::new();
    let said = terminal
        .write_all(question.as_bytes())
        .and_then(|()| terminal.flush())
        .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    said.map_err(|error| {
        Fault::usage("usage", format!("the answer cannot be read: {error}"), "say --run-now")
    })?;
    Ok(Some(matches!(answer.trim(), "y" | "Y" | "yes")))
}

/// Ctrl-C and SIGTERM ask the run to stop; it then leaves things clean and says so.
fn listen() -> Interrupt {
    let (sender, interrupt) = Interrupt::pair();
    tokio::spawn(raise(sender));
    interrupt
}

async fn raise(sender: InterruptSender) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be heard; Ctrl-C will end the program at once");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        console::notice("stopping: the current change is finished or taken back first");
        sender.raise();
    }
}
