//! `host registry install`.

use std::fmt::Write;
use std::sync::Arc;

use clap::{ArgAction, Args};
use schemars::JsonSchema;
use serde::Serialize;

use super::errand::{End, Errand, bug, denied, fault};
use super::look::{StandingPart, standing, text};
use crate::answer::CallError;
use crate::backend::Backend;
use crate::commands::operator::{asked, can_ask, listen};
use crate::commands::{Global, Output, print, print_json};
use crate::console::{self, Console};
use crate::fault::Fault;
use crate::gate::Gate;
use crate::gate::halt::Halt;
use crate::installation::{Action, Standing, State, Verb};
use crate::operation::Operation;
use crate::progress::Interrupt;
use crate::recording::Recording;
use crate::report::{Decision, ErrorPart, Mode, SCHEMA, Style};
use crate::step::Step;

/// Install the registry on its machine, or bring what is there to what the configuration says
///
/// It may be run again at any time: what is so already is left alone, and nothing is restarted for it. Managed files that
/// somebody changed are overwritten; a file of somebody else is refused. The storage is never deleted, moved or chowned. It
/// ends with the checks and the exit code of `health`.
///
/// Without --dry-run or --run-now it shows what would be done and asks; where nobody can be asked it ends with code 2.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry install --dry-run
  host registry install --run-now
  host registry install --dry-run --output json | jq -r '.actions[].command'")]
pub struct InstallArgs {
    /// Show what would be done there; its machine is looked at, and nothing is changed
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "run_now")]
    dry_run: bool,
    /// Do it
    #[arg(long, action = ArgAction::SetTrue)]
    run_now: bool,
}

/// What is asked before and after.
const LOOK: Operation = Operation::InspectRegistry { evidence: false };

/// What `host registry install` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryInstall {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Of a run that looks: whether an install could be made. Of a live run: whether all is as it should be now.
    ok: bool,
    /// Look, or do.
    mode: Mode,
    /// Whether anything was changed, or may have been: a connection that is lost half-way does not tell.
    changed: bool,
    /// What was to be done, in this order; nothing where all was as it should be.
    actions: Vec<Action>,
    /// Why it was not done, or not to its end.
    error: Option<ErrorPart>,
    /// How the registry is: after a live run, or before one.
    #[serde(flatten)]
    standing: StandingPart,
}

/// What one run came to.
struct Ran {
    mode: Mode,
    standing: Standing,
    changed: bool,
    actions: Vec<Action>,
    failed: Option<(Decision, CallError)>,
}

pub async fn run(args: &InstallArgs, global: &Global) -> Result<u8, Fault> {
    let mode = match (args.dry_run, args.run_now) {
        (true, _) => Mode::DryRun,
        (_, true) => Mode::Live,
        _ => Mode::Plan,
    };
    let interrupt = listen();
    let (code, actions) = once(global, mode, None, &interrupt).await?;
    if mode != Mode::Plan || code != 0 || actions.is_empty() {
        return Ok(code);
    }
    if !can_ask(global.output) {
        console::notice("nothing was changed: say --run-now to install, or --dry-run to only look");
        return Ok(2);
    }
    let answer = tokio::select! {
        () = interrupt.raised() => return Ok(Decision::Interrupted.exit_code()),
        answer = asked("do this now?") => answer?,
    };
    if !answer {
        return Ok(0);
    }
    once(global, Mode::Live, Some(&actions), &interrupt).await.map(|(code, _)| code)
}

/// One run and its answer: the exit code, and the actions. Where somebody said yes to actions, it is those or none.
async fn once(
    global: &Global,
    mode: Mode,
    agreed: Option<&[Action]>,
    interrupt: &Interrupt,
) -> Result<(u8, Vec<Action>), Fault> {
    let errand = Errand::begin(global, "install", mode.as_str())?;
    let ended = install(&errand, mode, agreed, interrupt).await.map(Ran::told);
    let (end, answer) = errand.close(ended)?;
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&shown(&answer))?,
    }
    Ok((end.code, answer.actions))
}

async fn install(
    errand: &Errand,
    mode: Mode,
    agreed: Option<&[Action]>,
    interrupt: &Interrupt,
) -> Result<Ran, Fault> {
    let installation = &errand.config.registry.installation;
    let audience = Arc::new(Console::new(if mode == Mode::Live { Mode::Live } else { Mode::DryRun }));
    let observing = Backend::Observing(Arc::clone(&errand.far));
    let mut gate = errand.gate(observing, Arc::clone(&audience) as _, interrupt, 0);
    let first = gate.perform(LOOK).await.map_err(fault)?;
    let unreached = first.as_ref().err().filter(|error| decision(error) == Decision::InfraBlocked).cloned();
    let before = standing(installation, first)?;
    let ran = |standing, actions, failed| Ran { mode, standing, changed: false, actions, failed };
    if let Some(error) = unreached {
        return Ok(ran(before, Vec::new(), Some((Decision::InfraBlocked, error))));
    }
    match gate.perform(Operation::InstallRegistry).await.map_err(fault)? {
        Ok(_) => {}
        Err(CallError::Denied { reason, .. }) => return Err(denied(reason)),
        Err(error) => return Ok(ran(before, Vec::new(), Some((decision(&error), error)))),
    }
    let found = gate.steps().last().and_then(|step| step.before.clone());
    let found: State = serde_json::from_value(found.unwrap_or_default())
        .map_err(|error| bug(&format!("a state cannot be read back: {error}")))?;
    let actions = found.actions(installation);
    if agreed.is_some_and(|agreed| agreed != actions) {
        let why = "something changed there since this was shown; nothing was done: look again".to_owned();
        return Ok(ran(before, actions, Some((Decision::Stale, CallError::Mismatch(why)))));
    }
    if mode != Mode::Live || actions.is_empty() {
        return Ok(ran(before, actions, None));
    }
    // Recorded, so that the live pass may ask it again at its end.
    drop(gate.perform(LOOK).await.map_err(fault)?);
    let recording = Recording::new(gate.into_steps());
    let live = Backend::Live(Arc::clone(&errand.far), recording);
    let gate = errand.gate(live, audience, interrupt, 0);
    done(errand, gate, before, actions).await
}

/// The live pass, bound to what was observed, and how the registry is after it.
async fn done(errand: &Errand, mut gate: Gate, before: Standing, actions: Vec<Action>) -> Result<Ran, Fault> {
    let installation = &errand.config.registry.installation;
    let mut halted = None;
    let mut after = None;
    for operation in [LOOK, Operation::InstallRegistry, LOOK] {
        match gate.perform(operation).await {
            Ok(Ok(answer)) => after = Some(answer),
            Ok(Err(_)) => break,
            Err(Halt::Journal(journal)) => return Err(journal),
            Err(halt) => {
                halted = Some(halt);
                break;
            }
        }
    }
    let steps = gate.into_steps();
    let change = steps.iter().find(|step| step.operation == Operation::InstallRegistry);
    let changed = change.is_some_and(Step::has_effect);
    let failed = steps.last().and_then(|step| step.outcome.clone().err());
    let failed = match (halted, failed) {
        (Some(Halt::Interrupted), error) => {
            let error = error.unwrap_or_else(|| CallError::Other(Halt::Interrupted.to_string()));
            Some((Decision::Interrupted, error))
        }
        (Some(halt @ Halt::Stale { .. }), _) => {
            Some((Decision::Stale, CallError::Mismatch(halt.to_string())))
        }
        (Some(halt), _) => return Err(fault(halt)),
        (None, error) => error.map(|error| (decision(&error), error)),
    };
    // What failed half-way says nothing of how the registry is now.
    let answer = match (after, &failed) {
        (Some(answer), None) => Ok(answer),
        _ => errand.ask_after(3, LOOK).await?,
    };
    let standing = standing(installation, answer).unwrap_or(before);
    Ok(Ran { mode: Mode::Live, standing, changed, actions, failed })
}

fn decision(error: &CallError) -> Decision {
    match error {
        CallError::Unavailable(_) | CallError::Unreachable { .. } => Decision::InfraBlocked,
        _ => Decision::Failed,
    }
}

impl Ran {
    fn told(self) -> (End, RegistryInstall) {
        let Self { mode, standing, changed, actions, failed } = self;
        let verdict = standing.verdict;
        let (word, code) = match (&failed, mode) {
            (Some((decision, _)), _) => (decision.as_str(), decision.exit_code()),
            (None, Mode::Live) => (verdict.as_str(), verdict.exit_code()),
            (None, _) => (Decision::Planned.as_str(), Decision::Planned.exit_code()),
        };
        let error = failed.map(|(decision, error)| ErrorPart {
            code: if decision == Decision::Failed { error.code() } else { decision.as_str() }.to_owned(),
            message: error.message().to_owned(),
            step: Some(Operation::InstallRegistry.name().to_owned()),
            retryable: error.retryable(),
        });
        let end = End { decision: word.to_owned(), code };
        let ok = code == 0;
        let standing = standing.into();
        (end, RegistryInstall { schema_version: SCHEMA, ok, mode, changed, actions, error, standing })
    }
}

fn shown(answer: &RegistryInstall) -> String {
    let style = Style { colour: console::colour_on_stdout(), steps: false };
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, answer, style);
    out
}

fn write(out: &mut String, answer: &RegistryInstall, style: Style) -> std::fmt::Result {
    for (at, Action { action, target, command, difference }) in answer.actions.iter().enumerate() {
        let what = match action {
            Verb::CreateFolder => "make the folder",
            Verb::CreateStorage => "make the folder of the artifacts,",
            Verb::WriteFile => "write",
            Verb::OverwriteFile => "overwrite",
            Verb::ReloadSystemd => "read the units of",
            Verb::EnableUnit => "enable",
            Verb::StartUnit => "start",
            Verb::RestartUnit => "restart, for it reads its configuration when it starts:",
            Verb::ReloadUnit => "bring to what the files say",
        };
        writeln!(out, "{:>3}. {what} {target}", at + 1)?;
        writeln!(out, "     {}", style.paint("2", command))?;
        for line in difference {
            let code = match line.chars().next() {
                Some('+') => "32",
                Some('-') => "31",
                _ => "2",
            };
            writeln!(out, "       {}", style.paint(code, line))?;
        }
    }
    let end = match (answer.mode, &answer.error) {
        (_, Some(error)) => {
            format!("{}: {}", style.paint("1;31", "the install did not go through"), error.message)
        }
        (_, None) if answer.actions.is_empty() => {
            "nothing to do: all is as rendered, and nothing was restarted".to_owned()
        }
        (Mode::Live, None) => "done".to_owned(),
        _ => "nothing was changed; --run-now does it".to_owned(),
    };
    let gap = if answer.actions.is_empty() { "" } else { "\n" };
    write!(out, "{gap}{end}\n\n{}", text(&answer.standing, style))
}
