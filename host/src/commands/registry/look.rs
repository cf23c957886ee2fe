//! What `status` and `health` have in common: the question, and the form of its answer.

use std::fmt::Write;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Answer, CallError};
use crate::backend::live::{Connections, FarSides};
use crate::commands::{Global, Output, print, print_json};
use crate::console;
use crate::fault::Fault;
use crate::gate::built_in::Asking;
use crate::installation::{Check, Scope, Standing, Verdict};
use crate::operation::Operation;
use crate::policy::{BuiltIn, Policy};
use crate::report::{SCHEMA, Style};
use crate::run::circumstances;
use crate::who::requester;

/// What `host registry status` and `health` answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "fields of the contract (design: the registry's commands)")]
pub struct RegistryHealth {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Of `status`: whether the question was answered. Of `health`: whether all is as it should be.
    ok: bool,
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

/// Asks through the gate.
pub async fn look(global: &Global) -> Result<Standing, Fault> {
    let config = global.config()?;
    let policy = Arc::new(Policy::load(&config.policies)?);
    let far = Arc::new(FarSides::new(Arc::new(Connections::new(&config))));
    let asking = Asking {
        policy: &policy,
        built_in: BuiltIn::Registry,
        context: circumstances(&config.zone, &requester(), None, true),
        far: &far,
    };
    let bug = |what: String| Fault::internal("registry", what, "report this as a bug");
    match asking.ask(Operation::InspectRegistry).await {
        Ok(Ok(Answer::Installation(observed))) => Ok(Standing::of(&config.registry.installation, &observed)),
        Ok(Ok(_)) => Err(bug("it answered something else".to_owned())),
        Ok(Err(CallError::Denied { reason, .. })) => Err(Fault::denied(
            reason,
            "let a rule permit it, as registry.cedar of the release does; nobody was asked",
        )),
        Ok(Err(error @ CallError::Unavailable(_))) => Ok(Standing::blocked(error.message(), true)),
        Ok(Err(error)) => Ok(Standing::blocked(error.message(), error.retryable())),
        Err(halt) => Err(bug(halt.to_string())),
    }
}

/// Prints it; `ok` is what the command means by that.
pub fn tell(standing: Standing, ok: bool, output: Output) -> Result<(), Fault> {
    let (healthy_scopes, failed_scopes) = (standing.scopes(true), standing.scopes(false));
    let Standing { verdict, retryable, installed, runtime_api_healthy, checks } = standing;
    let missing_channels = if verdict == Verdict::InfraBlocked { failed_scopes.clone() } else { Vec::new() };
    let answer = RegistryHealth {
        schema_version: SCHEMA,
        ok,
        installed,
        decision: verdict,
        retryable,
        healthy_scopes,
        failed_scopes,
        runtime_api_healthy,
        note: (verdict == Verdict::ServiceDegraded).then_some(DEGRADED),
        missing_channels,
        checks,
    };
    match output {
        Output::Json => print_json(&answer),
        Output::Text => print(&text(&answer, Style { colour: console::colour_on_stdout(), steps: false })),
    }
}

fn text(answer: &RegistryHealth, style: Style) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, answer, style);
    text
}

fn write(out: &mut String, answer: &RegistryHealth, style: Style) -> std::fmt::Result {
    let code = match answer.decision.exit_code() {
        0 => "1;32",
        6 => "1;33",
        _ => "1;31",
    };
    writeln!(out, "registry: {}\n", style.paint(code, answer.decision.as_str()))?;
    for Check { name, ok, evidence, recommended_action, .. } in &answer.checks {
        let mark = if *ok { style.paint("32", "✓") } else { style.paint("1;31", "✗") };
        writeln!(out, "  {mark} {name:<26} {evidence}")?;
        if let Some(action) = recommended_action {
            writeln!(out, "      → {action}")?;
        }
    }
    if let Some(note) = answer.note {
        writeln!(out, "\n{note}")?;
    }
    Ok(())
}
