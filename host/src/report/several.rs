//! Several services in one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Style, pending, short, wrapped};
use super::{Decision, Report, SCHEMA, StepOutcome};
use crate::names::{Digest, Environment, ServiceName};

/// What `host deploy plan` and `host deploy apply` answer: the reports of several services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Several {
    /// [`SCHEMA`].
    pub schema_version: u32,
    /// Exit code 0.
    pub ok: bool,
    /// The worst of them.
    pub decision: Decision,
    /// Each.
    pub services: Vec<Report>,
    /// Those that were left alone, because they need an approval and nobody named them; they count for nothing above.
    pub gated: Vec<Report>,
    /// The plan that was written, if one was.
    pub saved: Option<SavedPart>,
}

/// A plan in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SavedPart {
    /// Its name: SHA-256 of its canonical form.
    pub plan: Digest,
    /// Where.
    pub file: PathBuf,
    /// Until when it may be applied; RFC 3339, UTC.
    pub expires: String,
}

impl Several {
    /// These reports together; `named` are the services that somebody asked for by name.
    #[must_use]
    pub fn new(reports: Vec<Report>, named: impl Fn(&ServiceName) -> bool) -> Self {
        let waits = |report: &Report| {
            !named(&report.service)
                && matches!(report.decision, Decision::InSync | Decision::Planned | Decision::Blocked)
                && gated(report)
        };
        let (gated, services): (Vec<_>, Vec<_>) = reports.into_iter().partition(waits);
        let worst = services.iter().map(|report| report.decision).max_by_key(|one| one.severity());
        let decision = worst.unwrap_or(Decision::Planned);
        Self { schema_version: SCHEMA, ok: decision.exit_code() == 0, decision, services, gated, saved: None }
    }

    /// A row per service and a column per environment, then what a person has to know of those that are not simply planned.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut text, style);
        text
    }

    fn write(&self, out: &mut String, style: Style) -> std::fmt::Result {
        let environments: BTreeSet<&Environment> =
            self.services.iter().map(|report| &report.environment).collect();
        let mut rows: BTreeMap<&ServiceName, BTreeMap<&Environment, &Report>> = BTreeMap::new();
        for report in &self.services {
            rows.entry(&report.service).or_default().insert(&report.environment, report);
        }
        let name = rows.keys().map(|name| name.as_str().len()).max().unwrap_or(0).max("SERVICE".len());
        let cell = self.services.iter().map(|report| words(report).chars().count()).max().unwrap_or(0);
        let mut head = format!("{:<name$}", "SERVICE");
        for environment in &environments {
            write!(head, "  {:<cell$}", environment.as_str())?;
        }
        writeln!(out, "{}", head.trim_end())?;
        for (service, cells) in &rows {
            let mut line = format!("{:<name$}", service.as_str());
            for environment in &environments {
                let Some(report) = cells.get(environment) else {
                    write!(line, "  {:<cell$}", "")?;
                    continue;
                };
                let words = words(report);
                let blank = " ".repeat(cell - words.chars().count());
                write!(line, "  {}{blank}", style.of_decision(report.decision, &words))?;
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out, "\n{}", self.counted())?;
        for report in &self.gated {
            let left = format!(
                "{} → {} is left alone: it needs an approval, and is deployed only where it is named (--service {})",
                report.service, report.environment, report.service
            );
            wrapped(out, &left, 0)?;
        }
        let told = |report: &&Report| {
            let reason = report.state.as_ref().is_some_and(|part| part.reason.is_some());
            report.error.is_some() || pending(report) || reason || report.verified_before.is_some()
        };
        for report in self.services.iter().filter(told) {
            write_detail(out, report, style)?;
        }
        Ok(())
    }

    /// `12 planned, 1 unsupported`.
    fn counted(&self) -> String {
        let mut counts: BTreeMap<u8, (Decision, usize)> = BTreeMap::new();
        for report in &self.services {
            counts.entry(report.decision.severity()).or_insert((report.decision, 0)).1 += 1;
        }
        let told: Vec<_> =
            counts.values().map(|(decision, count)| format!("{count} {}", decision.as_str())).collect();
        told.join(", ")
    }
}

/// One cell of the table.
fn words(report: &Report) -> String {
    let gates = if pending(report) { ", pending" } else { "" };
    let word = report.state.as_ref().map_or(report.decision.as_str(), |part| part.state.words());
    format!("{} {word}{gates}", short(report.commit.as_str()))
}

/// Whether a deploy needs an approval.
fn gated(report: &Report) -> bool {
    report.steps.iter().any(|step| step.operation == "guard.require-approval")
}

fn write_detail(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let head = format!("{} → {}", report.service, report.environment);
    let word = report.state.as_ref().map_or(report.decision.as_str(), |part| part.state.words());
    writeln!(out, "\n{}: {word}", style.bold(&head))?;
    // Of what is unknown the error below tells why.
    let reason =
        report.state.as_ref().and_then(|part| part.reason.as_ref()).filter(|_| report.error.is_none());
    for line in reason.iter().flat_map(|reason| reason.lines()) {
        wrapped(out, line, 2)?;
    }
    if let Some(before) = &report.verified_before {
        wrapped(out, &format!("in {} {}", before.environment, before.told()), 2)?;
    }
    for step in report.steps.iter().filter(|step| step.outcome == StepOutcome::Pending) {
        wrapped(out, &format!("pending: {}: {}", step.operation, step.message.as_deref().unwrap_or("")), 2)?;
    }
    let Some(error) = &report.error else { return Ok(()) };
    for line in error.message.lines() {
        wrapped(out, line, 2)?;
    }
    match &report.recommended_action {
        Some(action) => wrapped(out, &format!("next: {action}"), 2),
        None => Ok(()),
    }
}
