//! `host runs`.

pub(super) mod targets;

use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use self::targets::{TargetRow, Targets, Untold};
use super::{Global, Output, print, print_json};
use crate::console;
use crate::fault::Fault;
use crate::journal::{Journal, RunDetail, RunRow};
use crate::report::{Report, SCHEMA, Style, render, step_part};
use crate::step::Step;
use crate::words::quoted;

/// Longest name that is repeated, in characters.
const LONGEST: usize = 80;

/// Look at what was run: every deploy and dry run of this machine is in the journal, and what the targets tell beside it
#[derive(Args)]
#[command(
    after_help = "Examples:\n  host runs list --service project-manager\n  host runs show 20261120T2259\n  host runs show 20261120T2259 --output json"
)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

impl RunsArgs {
    /// Whether it asks nobody.
    pub fn offline(&self) -> bool {
        !matches!(self.command, RunsCommand::List { journal: false, .. })
    }
}

#[derive(Subcommand)]
enum RunsCommand {
    /// The newest runs first, and what was deployed last to each target, by whomever
    #[command(
        after_help = "Examples:\n  host runs list --service project-manager --limit 5\n  host runs list --journal"
    )]
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Only the journal of this machine: no target is asked
        #[arg(long)]
        journal: bool,
    },
    /// One run: its report, and every operation of every pass
    #[command(after_help = "Example:\n  host runs show 20261120T2259 --output json")]
    Show {
        /// The run's id, or its beginning
        id: String,
    },
}

/// What `host runs list` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunList {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// The journal could be read.
    ok: bool,
    /// The newest first.
    runs: Vec<RunRow>,
    /// The last deploy to each target, as it is written down there.
    targets: Vec<TargetRow>,
    /// Runtimes that could not be asked.
    untold: Vec<Untold>,
}

/// What `host runs show` answers: one run, with every operation of every pass as the journal has it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunShow {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// The journal could be read.
    ok: bool,
    #[serde(flatten)]
    detail: RunDetail,
}

pub async fn run(args: &RunsArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let journal = Journal::open(&config.state)?;
    match &args.command {
        RunsCommand::List { service, limit, journal: only } => {
            let service = service.as_deref();
            let runs = journal.list(service, *limit)?;
            let Targets { rows: targets, untold } =
                if *only { Targets::default() } else { targets::ask(&config, &journal, service).await? };
            match global.output {
                Output::Json => {
                    print_json(&RunList { schema_version: SCHEMA, ok: true, runs, targets, untold })?;
                }
                Output::Text => print(&(list(&runs, service) + &told(&targets, &untold)))?,
            }
        }
        RunsCommand::Show { id } => {
            let Some(detail) = journal.show(id)? else {
                return Err(Fault::usage(
                    "unknown-run",
                    format!("no single run has an id that begins with {}", quoted(id, LONGEST)),
                    "`host runs list` shows the ids; give enough of one to tell it from the others",
                ));
            };
            match global.output {
                Output::Json => print_json(&RunShow { schema_version: SCHEMA, ok: true, detail })?,
                Output::Text => print(&show(&detail))?,
            }
        }
    }
    Ok(0)
}

fn list(runs: &[RunRow], service: Option<&str>) -> String {
    if runs.is_empty() {
        return service.map_or_else(
            || "no runs yet\n".to_owned(),
            |service| format!("there is no run of a service {}\n", quoted(service, LONGEST)),
        );
    }
    let mut lines = vec![format!(
        "{:<23} {:<18} {:<5} {:<12} {:<7} {}",
        "RUN", "SERVICE", "ENV", "COMMIT", "MODE", "DECISION"
    )];
    lines.extend(runs.iter().map(|run| {
        let of = |part: &'_ Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        let commit = of(&run.commit);
        format!(
            "{:<23} {:<18} {:<5} {:<12} {:<7} {}",
            run.id,
            run.service.as_ref().unwrap_or(&run.command),
            of(&run.environment),
            commit.get(..12).unwrap_or(&commit),
            run.mode,
            decision(run)
        )
    }));
    lines.join("\n") + "\n"
}

/// What the targets tell; nothing where none of them tells anything.
fn told(targets: &[TargetRow], untold: &[Untold]) -> String {
    if targets.is_empty() && untold.is_empty() {
        return String::new();
    }
    let mut lines = vec!["\nlast deploy to each target, as it says itself".to_owned()];
    for TargetRow { runtime, service, deploy, in_journal } in targets {
        let whose = if *in_journal { "" } else { ", not in this journal" };
        lines.push(format!("  {runtime}/{service}: {deploy}{whose}"));
    }
    lines.extend(untold.iter().map(|Untold { runtime, error }| format!("  {runtime}: not known: {error}")));
    lines.join("\n") + "\n"
}

fn show(detail: &RunDetail) -> String {
    let run = &detail.run;
    let mut text = format!("{}  {}  by {}\n", run.id, run.started, run.requester);
    let report = detail.report.clone().and_then(|report| serde_json::from_value::<Report>(report).ok());
    if let Some(report) = report {
        text += &render(&report, Style { colour: console::colour_on_stdout(), steps: false });
    } else {
        let asked = match (&run.service, &run.environment, &run.commit) {
            (Some(service), Some(environment), Some(commit)) => {
                format!("{service} → {environment}  commit {commit}")
            }
            _ => format!("host {}", run.command),
        };
        text += &(asked + "\n  decision  " + &decision(run) + "\n");
    }
    let mut lines = vec!["\npass        seq  operation              policy   outcome".to_owned()];
    for row in &detail.operations {
        let name = row.operation.get("operation").and_then(Value::as_str).unwrap_or("?");
        let allowed = row.verdict.get("allowed").and_then(Value::as_bool) == Some(true);
        let step = row.step.clone().map(serde_json::from_value::<Step>);
        let outcome = match step {
            Some(Ok(step)) => step_part(&step, None).outcome.as_str(),
            Some(Err(_)) => "unreadable",
            None => "begun, never ended",
        };
        let policy = if allowed { "permit" } else { "deny" };
        lines.push(format!("{:<11} {:>3}  {name:<22} {policy:<8} {outcome}", row.pass, row.seq));
    }
    lines.extend(detail.messages.iter().map(|message| format!("said: {message}")));
    text + &lines.join("\n") + "\n"
}

/// How a run ended, also where it came to no report.
fn decision(run: &RunRow) -> String {
    match (&run.decision, run.exit_code) {
        (Some(decision), _) => decision.clone(),
        (None, Some(code)) => format!("error (exit {code})"),
        (None, None) => "(unfinished: still going, or killed)".to_owned(),
    }
}
