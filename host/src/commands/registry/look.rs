//! What `status` and `health` have in common: the question, and the form of its answer.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use super::errand::{End, Errand, bug, denied};
use crate::answer::{Answer, CallError};
use crate::commands::{Global, Output, print, print_json};
use crate::config::Installation;
use crate::console;
use crate::fault::Fault;
use crate::installation::{Check, Scope, Standing, Verdict};
use crate::operation::Operation;
use crate::report::{SCHEMA, Style};

/// What `host registry status` and `health` answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryHealth {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Of `status`: whether the question was answered. Of `health`: whether all is as it should be.
    ok: bool,
    #[serde(flatten)]
    standing: StandingPart,
}

/// How the registry is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandingPart {
    /// Whether anything of it is there.
    installed: bool,
    /// In a word.
    decision: Verdict,
    /// Whether it may be better later without anybody changing anything.
    retryable: bool,
    /// Parts that are as they should be.
    healthy_scopes: Vec<Scope>,
    /// Parts that are not.
    failed_scopes: Vec<Scope>,
    /// Whether artifacts can be had.
    runtime_api_healthy: bool,
    /// What this says of the machine it is on, where that is easily misread.
    note: Option<&'static str>,
    /// Channels that are missing (specification, "CLI").
    missing_channels: Vec<Scope>,
    /// Each thing that was looked at.
    checks: Vec<Check>,
}

/// Specification, "CLI": a degraded service is not a machine that is offline.
const DEGRADED: &str = "artifacts can be had: this is about how the registry is kept running, not about its machine being \
                        offline, and it says nothing of anything else there";

/// Looks through the gate and tells it; `means` says what that is to the command: whether all is well, and the exit code.
///
/// # Errors
/// A [`Fault`] where policy, configuration or the journal does not let it look.
pub async fn look(
    global: &Global,
    command: &str,
    means: impl Fn(Verdict) -> (bool, u8),
) -> Result<u8, Fault> {
    let errand = Errand::begin(global, command, "look")?;
    let ended = looked(&errand).await.map(|standing| {
        let verdict = standing.verdict;
        let (ok, code) = means(verdict);
        let answer = RegistryHealth { schema_version: SCHEMA, ok, standing: standing.into() };
        (End { decision: verdict.as_str().to_owned(), code }, answer)
    });
    let (end, answer) = errand.close(ended)?;
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => {
            let style = Style { colour: console::colour_on_stdout(), steps: false };
            print(&text(&answer.standing, style))?;
        }
    }
    Ok(end.code)
}

async fn looked(errand: &Errand) -> Result<Standing, Fault> {
    standing(
        &errand.config.registry.installation,
        errand.ask(Operation::InspectRegistry { evidence: false }).await?,
    )
}

/// What the answer to the question says.
///
/// # Errors
/// A [`Fault`] where policy did not permit it.
pub fn standing(installation: &Installation, answer: Result<Answer, CallError>) -> Result<Standing, Fault> {
    match answer {
        Ok(Answer::Installation(observed)) => Ok(Standing::of(installation, &observed)),
        Ok(_) => Err(bug("it answered something else")),
        Err(CallError::Denied { reason, .. }) => Err(denied(reason)),
        Err(error @ CallError::Unavailable(_)) => Ok(Standing::blocked(error.message(), true)),
        Err(error) => Ok(Standing::blocked(error.message(), error.retryable())),
    }
}

impl From<Standing> for StandingPart {
    fn from(standing: Standing) -> Self {
        let (healthy_scopes, failed_scopes) = (standing.scopes(true), standing.scopes(false));
        let Standing { verdict, retryable, installed, runtime_api_healthy, checks } = standing;
        let missing_channels =
            if verdict == Verdict::InfraBlocked { failed_scopes.clone() } else { Vec::new() };
        Self {
            installed,
            decision: verdict,
            retryable,
            healthy_scopes,
            failed_scopes,
            runtime_api_healthy,
            note: (verdict == Verdict::ServiceDegraded).then_some(DEGRADED),
            missing_channels,
            checks,
        }
    }
}

/// For people.
#[must_use]
pub fn text(standing: &StandingPart, style: Style) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, standing, style);
    text
}

fn write(out: &mut String, standing: &StandingPart, style: Style) -> std::fmt::Result {
    let code = match standing.decision.exit_code() {
        0 => "1;32",
        6 => "1;33",
        _ => "1;31",
    };
    writeln!(out, "registry: {}\n", style.paint(code, standing.decision.as_str()))?;
    for Check { name, ok, evidence, recommended_action, .. } in &standing.checks {
        let mark = if *ok { style.paint("32", "✓") } else { style.paint("1;31", "✗") };
        writeln!(out, "  {mark} {name:<26} {evidence}")?;
        if let Some(action) = recommended_action {
            writeln!(out, "      → {action}")?;
        }
    }
    if let Some(note) = standing.note {
        writeln!(out, "\n{note}")?;
    }
    Ok(())
}
