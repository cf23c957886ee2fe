//! The report as an operator reads it: fine at 80 columns and without colour. The decision is a word, never only a
//! colour.

use std::fmt::{self, Write};

use super::{
    Decision, ExpectationPart, Mode, Report, StepOutcome, StepPart, TargetPart, VerificationPart, retention,
};
use crate::answer::Literal;
use crate::names::{Commit, Shape};
use crate::operation::Kind;

/// The code of an error that a plugin reports itself.
const PLUGIN: &str = "plugin";

/// Columns of the narrowest terminal that an operator uses.
const WIDTH: usize = 80;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With colour.
    pub colour: bool,
    /// With the list of steps; not where they were told as they happened.
    pub steps: bool,
}

impl Style {
    /// `text` in the colour of an ANSI code, where colour is wanted.
    #[must_use]
    pub fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What stands out.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn decision(self, decision: Decision) -> String {
        self.of_decision(decision, decision.as_str())
    }

    /// `text` in the colour of a decision.
    pub(super) fn of_decision(self, decision: Decision, text: &str) -> String {
        let code = match decision.exit_code() {
            0 => "1;32",
            6 => "1;33",
            _ => "1;31",
        };
        self.paint(code, text)
    }
}

/// The whole report as text, ending with a line break.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write_report(&mut text, report, style);
    text
}

fn write_report(out: &mut String, report: &Report, style: Style) -> fmt::Result {
    let shape = report.shape.as_ref().map_or("", Shape::as_str);
    let head =
        format!("{} → {}  {}", style.bold(report.service.as_str()), report.environment, style.dim(shape));
    writeln!(out, "{}", head.trim_end())?;
    field(out, "commit", report.commit.as_str())?;
    if let Some(registry) = &report.registry {
        field(out, "artifact", &format!("{}:{}", registry.repository, short(&registry.tag)))?;
        match &registry.digest {
            Some(digest) => field(out, "digest", digest.as_str())?,
            None => field(out, "probe", &registry.probe_url)?,
        }
    }
    if let Some(warning) = report.steps.iter().find_map(|step| step.warning.as_ref()) {
        field(out, "warning", &style.paint("33", warning))?;
    }
    write_target(out, report)?;
    if let Some(run) = &report.run {
        field(out, "run", &run.id)?;
    }
    let total: u64 = report.steps.iter().map(|step| step.duration_ms).sum();
    let word = style.decision(report.decision);
    match report.mode {
        Mode::Live if report.steps.iter().any(may_have_changed) => {
            field(out, "decision", &format!("{word} after {}", duration(total)))?;
        }
        Mode::Live => {
            field(out, "decision", &format!("{word} after {} (changed nothing)", duration(total)))?;
        }
        Mode::Plan => field(out, "decision", &format!("{word} (plan: looked, changed nothing)"))?,
        Mode::DryRun => field(out, "decision", &format!("{word} (dry run: asked nobody, changed nothing)"))?,
    }
    if style.steps && !report.steps.is_empty() {
        writeln!(out)?;
        for step in &report.steps {
            writeln!(out, "{}", step_line(step, style))?;
        }
    }
    if report.mode != Mode::Live && !report.failure_path.is_empty() {
        writeln!(out, "\n{}", style.bold("taken back if something fails"))?;
        for step in &report.failure_path {
            writeln!(out, "  {}", step.target)?;
        }
    }
    if !report.verification.is_empty() {
        writeln!(out, "\n{}", style.bold("verification"))?;
        for one in &report.verification {
            write_verification(out, one, report, style)?;
        }
    }
    write_guards(out, report, style)?;
    retention::write(out, &report.retention, style)?;
    if let Some(error) = &report.error {
        let place = match error.step.as_deref() {
            Some(step) => format!(" at {step}"),
            None if error.code == PLUGIN => " (in its own words)".to_owned(),
            None => String::new(),
        };
        writeln!(out, "\n{}{place}", style.paint("1;31", &format!("error {}", error.code)))?;
        for line in error.message.lines() {
            wrapped(out, line, 2)?;
        }
    }
    writeln!(out)?;
    match &report.recommended_action {
        // A command to copy: never broken into lines.
        Some(command) if report.decision == Decision::Planned && !pending(report) => {
            writeln!(out, "next:\n  {command}")?;
        }
        Some(action) => wrapped(out, &format!("next: {action}"), 0)?,
        None => {}
    }
    if report.rollback.previous_commit.is_some()
        && matches!(report.decision, Decision::Deployed | Decision::Degraded)
    {
        writeln!(out, "back:\n  {}", report.rollback.command)?;
    }
    Ok(())
}

fn write_target(out: &mut String, report: &Report) -> fmt::Result {
    match &report.target {
        Some(TargetPart::Compose { runtime, compose_service, container_name, images, recreate_command }) => {
            field(
                out,
                "target",
                &format!("{runtime}: service {compose_service}, container {container_name}"),
            )?;
            let images: Vec<String> = images
                .iter()
                .map(|image| image.replace(report.commit.as_str(), short(report.commit.as_str())))
                .collect();
            field(out, "images", &images.join(", "))?;
            if report.mode != Mode::Live {
                field(out, "recreate", recreate_command)?;
            }
        }
        Some(TargetPart::Kubernetes { runtime, deployments, objects }) => {
            for one in deployments {
                field(
                    out,
                    "target",
                    &format!("{runtime}: {}/{} container {}", one.namespace, one.name, one.container),
                )?;
            }
            for one in objects {
                let keys = one.keys.join(", ");
                let into = format!("{} {}/{}", one.kind, one.namespace, one.name);
                field(out, "syncs", &format!("{} into {into}: {keys}", one.source))?;
            }
        }
        None => {}
    }
    if let Some(wanted) = report.desired_state.as_ref().filter(|wanted| !wanted.matches) {
        let why = wanted.reason.as_ref().map_or_else(
            || "a live deploy of another one says why: --override-desired REASON".to_owned(),
            |reason| format!("overridden: {reason}"),
        );
        field(out, "desired", &format!("{}; {why}", wanted.commit))?;
    }
    if let Some(before) = &report.verified_before {
        field(out, &format!("in {}", before.environment), &before.told())?;
    }
    if let Some(last) = &report.last_deploy {
        field(out, "last", &last.provenance.to_string())?;
        if let Some(drift) = &last.drift {
            field(out, "drifted", drift)?;
        }
    }
    for other in &report.excluded_targets {
        field(out, "never", other)?;
    }
    Ok(())
}

/// One step in one line of at most 80 columns; the terminal shows the same line as it happens.
#[must_use]
pub fn step_line(step: &StepPart, style: Style) -> String {
    let mark = match step.outcome {
        StepOutcome::Ok | StepOutcome::AlreadySo | StepOutcome::Met => style.paint("32", "✓"),
        StepOutcome::Planned | StepOutcome::NotAsked => style.dim("·"),
        StepOutcome::Pending => style.paint("33", "!"),
        _ => style.paint("1;31", "✗"),
    };
    // What was not asked for took no time that anybody would want to know.
    let asked = !matches!(
        step.outcome,
        StepOutcome::Planned
            | StepOutcome::NotAsked
            | StepOutcome::Met
            | StepOutcome::Pending
            | StepOutcome::Denied
    );
    let time = if asked { duration(step.duration_ms) } else { String::new() };
    // Of a step back it is worth a word what is taken back.
    let undone = step.target.split_once(' ').filter(|_| step.operation == "host.undo");
    let operation = undone.map_or_else(|| step.operation.clone(), |(change, _)| format!("undo {change}"));
    let kind = format!("{:?}", step.kind).to_lowercase();
    format!("  {mark} {:>2}  {:<24} {kind:<7} {:<12} {time:>9}", step.seq, operation, step.outcome.as_str())
        .trim_end()
        .to_owned()
}

/// Whether a gate would hold a live run.
pub(super) fn pending(report: &Report) -> bool {
    report.steps.iter().any(|step| step.outcome == StepOutcome::Pending)
}

/// Whether a step may have left something otherwise than it was.
fn may_have_changed(step: &StepPart) -> bool {
    use StepOutcome::{AlreadySo, Denied, Planned};
    step.kind == Kind::Change && !matches!(step.outcome, Planned | AlreadySo | Denied)
}

fn write_verification(
    out: &mut String,
    one: &VerificationPart,
    report: &Report,
    style: Style,
) -> fmt::Result {
    let to_come = report.mode != Mode::Live && report.decision == Decision::Planned;
    // Where the question itself failed, nothing was found that could be shown beside what was expected.
    let unanswered = one.expectations.iter().all(|one| one.found.is_none());
    let word = match one.satisfied {
        Some(true) => style.paint("32", "✓ as requested"),
        Some(false) if unanswered => style.paint("1;31", "✗ not confirmed, see the error"),
        Some(false) => style.paint("1;31", "✗ not as requested"),
        None if to_come => style.dim("· will be checked"),
        None => style.dim("· not checked"),
    };
    writeln!(out, "  {:<30} {word}", one.what.as_str())?;
    // Also where nothing may stand: then nothing is expected.
    let differs = |expectation: &&ExpectationPart| expectation.found != expectation.equals;
    match one.satisfied {
        Some(false) if !unanswered => {
            for expectation in one.expectations.iter().filter(differs) {
                let found = expectation.found.as_ref().map_or_else(|| "nothing".to_owned(), readable);
                writeln!(out, "      {}", expectation.pointer)?;
                writeln!(out, "        expected {}", bounded(&expected(expectation)))?;
                writeln!(out, "        found    {}", bounded(&found))?;
            }
        }
        None if to_come => {
            for expectation in &one.expectations {
                let equals = bounded(&expected(expectation));
                let line = format!("      {} = {equals}", expectation.pointer);
                if line.chars().count() <= WIDTH {
                    writeln!(out, "{line}")?;
                } else {
                    writeln!(out, "      {} =\n          {equals}", expectation.pointer)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn expected(expectation: &ExpectationPart) -> String {
    if expectation.absent {
        return Literal::Absent.to_string();
    }
    expectation.equals.as_ref().map_or_else(|| "the artifact's digest".to_owned(), readable)
}

/// A value as a person compares it: of a commit or digest the beginning; JSON has the whole.
fn readable(value: &Literal) -> String {
    match value {
        Literal::Text(text) if Commit::parse(text).is_ok() => format!("{}…", short(text)),
        other => other.to_string(),
    }
}

fn write_guards(out: &mut String, report: &Report, style: Style) -> fmt::Result {
    if let Some(secrets) = &report.runtime_secrets {
        writeln!(out, "\n{}", style.bold("secrets"))?;
        wrapped(out, &format!("from {}", secrets.secret_source), 2)?;
        if secrets.required_secrets_present.is_none() {
            writeln!(out, "  not asked")?;
        }
        for key in &secrets.keys {
            let state =
                if key.present { format!("present, {} bytes", key.length) } else { "missing".to_owned() };
            writeln!(out, "  {:<48} {state}", key.key)?;
        }
        if let (Some(true), Some(action)) = (secrets.required_secrets_present, &secrets.recommended_action) {
            wrapped(out, action, 2)?;
        }
    }
    let pending: Vec<_> = report.steps.iter().filter(|step| step.outcome == StepOutcome::Pending).collect();
    // Where they are what blocked the run, the error says so.
    if !pending.is_empty() && report.decision != Decision::Blocked {
        writeln!(out, "\n{}", style.bold("pending before a live deploy"))?;
        for step in pending {
            wrapped(out, &format!("{}: {}", step.operation, step.message.as_deref().unwrap_or("")), 2)?;
        }
    }
    Ok(())
}

fn field(out: &mut String, name: &str, value: &str) -> fmt::Result {
    filled(out, &format!("  {name:<9} "), "            ", value)
}

/// The lines of a message, each wrapped and indented.
pub fn wrapped(out: &mut String, text: &str, indent: usize) -> fmt::Result {
    let lead = " ".repeat(indent + text.len() - text.trim_start().len());
    filled(out, &lead, &format!("{lead}  "), text)
}

/// Words in lines of at most [`WIDTH`] columns; a word that is longer, such as an address, stays whole, and so does a
/// command between back-ticks: it is there to be copied.
fn filled(out: &mut String, first: &str, next: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in words(text) {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            next.clone_into(&mut line);
        } else if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(command) if open => *command += &[" ", word].concat(),
            _ => words.push(word.to_owned()),
        }
        open ^= word.matches('`').count() % 2 == 1;
    }
    words
}

fn bounded(text: &str) -> String {
    const LONGEST: usize = 70;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// As much of a commit as a person compares.
#[must_use]
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Milliseconds as a person reads them.
#[must_use]
pub fn duration(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}
