//! `host policy explain`.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::access::{Action, Resource};
use crate::commands::{Global, Output, arguments, print, print_json};
use crate::console::Console;
use crate::fault::Fault;
use crate::journal::{Journal, OnFailure, OperationRow};
use crate::names::{Commit, Environment, ServiceName};
use crate::operation::Operation;
use crate::policy::{Policy, Request, RuleFacts};
use crate::progress::Interrupt;
use crate::report::{Decision, ErrorPart, Mode, PluginPart, PolicyPart, Report, RunPart, SCHEMA, short};
use crate::run;

/// Show what decides each operation of a deploy
///
/// Runs the plugin as `host deploy --dry-run --on-failure rollback` does, offline, and shows for each operation what policy
/// is asked and which rules answer; for a denial, what would permit it. Ends with code 0 where everything is permitted and 3
/// where something is not; old images stay where their removal is not, and that denies no deploy. A plugin ends at its first
/// denial: what it would have asked after it is not known.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy explain project-manager --env prod
  host policy explain project-manager --env prod --output json | jq '.operations[].requests[]'")]
pub struct ExplainArgs {
    /// Service to deploy (`host services` lists them)
    service: String,
    /// Environment to deploy to
    #[arg(long, value_name = "ENV")]
    env: String,
    /// Commit to deploy; policies do not see it, so without one forty zeros stand for it
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
}

/// What `host policy explain` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyExplanation {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Everything that the deploy needs is permitted, and the plugin came to its end.
    ok: bool,
    /// How the dry run ended.
    decision: Decision,
    /// The service that was asked for.
    service: ServiceName,
    /// The environment that was asked for.
    environment: Environment,
    /// The commit that was asked for, or forty zeros.
    commit: Commit,
    /// Whether the commit only stands for one.
    placeholder_commit: bool,
    /// Who asks.
    plugin: Option<PluginPart>,
    /// What decides.
    policy: PolicyPart,
    /// Where it is written down.
    run: Option<RunPart>,
    /// What the plugin asks for, in order.
    operations: Vec<Explained>,
    /// What a failure would take back, last change first; decided before the first change.
    failure_path: Vec<Explained>,
    /// What the host does about old images after a proved deploy; a denial keeps it from that, and nobody from deploying.
    retention: Vec<Explained>,
    /// Each rule that decides something of it, by id.
    rules: Vec<RuleFacts>,
    /// What went wrong.
    error: Option<ErrorPart>,
}

/// One operation, and what decides it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Explained {
    /// From 1.
    seq: u32,
    /// Interface and function of the contract.
    operation: String,
    /// To what.
    target: String,
    /// Everything it touches is permitted.
    allowed: bool,
    /// Everything that policy is asked; empty for a gate, which only holds the plugin itself back.
    requests: Vec<Asked>,
    /// For a denial the whole message: what is denied, why, and what would permit it.
    reason: Option<String>,
}

/// One thing that policy is asked, and its answer.
#[derive(Serialize, JsonSchema)]
struct Asked {
    /// What is done.
    action: Action,
    /// To what.
    resource: Resource,
    /// Whether it may.
    allowed: bool,
    /// The rules that decide; empty where none permits it.
    policies: Vec<String>,
}

pub async fn run(args: &ExplainArgs, global: &Global) -> Result<u8, Fault> {
    let placeholder = "0".repeat(40);
    let commit = args.commit.as_deref().unwrap_or(&placeholder);
    let mode = Mode::DryRun;
    let request = run::Request {
        service: arguments::service(&args.service)?,
        environment: arguments::environment(&args.env)?,
        commit: arguments::commit(commit)?,
        mode,
        wait: false,
        on_failure: OnFailure::Rollback,
        override_desired: None,
        artifact: None,
        compare: false,
        keep: false,
    };
    let host = global.host()?;
    let done = host.deploy(&request, None, Arc::new(Console::new(mode)), Interrupt::pair().1).await?;
    if let Some(fault) = done.journal {
        return Err(fault);
    }
    let rows = asked(&host, &done.report)?;
    let answer = explanation(&host.policy, done.report, &rows, args.commit.is_none())?;
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&text(&answer))?,
    }
    let denied = answer.operations.iter().chain(&answer.failure_path).any(|one| !one.allowed);
    Ok(if denied { Decision::Denied } else { answer.decision }.exit_code())
}

/// What was really asked: the journal has it.
fn asked(host: &run::Host, report: &Report) -> Result<Vec<OperationRow>, Fault> {
    let Some(run) = &report.run else { return Ok(Vec::new()) };
    let detail = Journal::open(&host.config.state)?.show(&run.id)?;
    Ok(detail.map(|detail| detail.operations).unwrap_or_default())
}

fn explanation(
    policy: &Policy,
    report: Report,
    rows: &[OperationRow],
    placeholder_commit: bool,
) -> Result<PolicyExplanation, Fault> {
    let (mut operations, mut failure_path, mut retention) = (Vec::new(), Vec::new(), Vec::new());
    let mut rules = Vec::new();
    for row in rows {
        let operation: Operation = read(&row.operation)?;
        let requests: Vec<Request> = read(&row.requests)?;
        let decision = policy.decide_all(&requests);
        let answered = requests.iter().map(|request| {
            let decision = policy.decide(request);
            let access = request.access.clone();
            rules.extend(decision.policies.iter().filter_map(|id| policy.rule(id)));
            Asked {
                action: access.action,
                resource: access.resource,
                allowed: decision.allowed,
                policies: decision.policies,
            }
        });
        let explained = Explained {
            seq: row.seq,
            operation: operation.name().to_owned(),
            target: operation.target(),
            allowed: decision.allowed,
            requests: answered.collect(),
            reason: decision.reason,
        };
        match operation {
            Operation::Undo { .. } => failure_path.push(explained),
            Operation::Retain(_) => retention.push(explained),
            _ => operations.push(explained),
        }
    }
    rules.sort_by(|one, other| one.id.cmp(&other.id));
    rules.dedup();
    Ok(PolicyExplanation {
        schema_version: SCHEMA,
        ok: report.ok,
        decision: report.decision,
        service: report.service,
        environment: report.environment,
        commit: report.commit,
        placeholder_commit,
        plugin: report.plugin,
        policy: report.policy,
        run: report.run,
        operations,
        failure_path,
        retention,
        rules,
        error: report.error,
    })
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(value).map_err(|error| {
        let what = format!("what was just written to the journal cannot be read: {error}");
        Fault::internal("journal", what, "report this as a bug")
    })
}

fn text(answer: &PolicyExplanation) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, answer);
    out
}

fn write_text(out: &mut String, answer: &PolicyExplanation) -> std::fmt::Result {
    writeln!(out, "{} → {}", answer.service, answer.environment)?;
    let stands = if answer.placeholder_commit { " (stands for any; policies do not see it)" } else { "" };
    writeln!(out, "  commit    {}{stands}", answer.commit)?;
    if let Some(plugin) = &answer.plugin {
        writeln!(out, "  plugin    {} {}\n            {}", plugin.name, plugin.version, plugin.digest)?;
    }
    writeln!(out, "  policies  {}", answer.policy.digest)?;
    for operation in &answer.operations {
        write_operation(out, operation, &answer.commit)?;
    }
    if !answer.failure_path.is_empty() {
        writeln!(out, "\nwith --on-failure rollback, if something fails:")?;
    }
    for operation in &answer.failure_path {
        write_operation(out, operation, &answer.commit)?;
    }
    if !answer.retention.is_empty() {
        writeln!(out, "\nafter a proved deploy, for old images:")?;
    }
    for operation in &answer.retention {
        write_operation(out, operation, &answer.commit)?;
    }
    if !answer.rules.is_empty() {
        writeln!(out, "\nrules")?;
    }
    for rule in &answer.rules {
        writeln!(out, "  {} ({})\n    {}", rule.id, rule.place, rule.reason)?;
    }
    let denied = |operations: &[Explained]| operations.iter().any(|one| !one.allowed);
    if denied(&answer.operations) {
        writeln!(out, "\ndenied: the plugin ended there; what it would have asked next is not known")
    } else if denied(&answer.failure_path) {
        writeln!(out, "\ndenied: a deploy without --on-failure rollback is permitted")
    } else if let Some(error) = &answer.error {
        writeln!(out, "\n{}, which is not for policy to say: {}", answer.decision.as_str(), error.message)
    } else if denied(&answer.retention) {
        writeln!(out, "\nthe deploy is permitted; old images stay")
    } else {
        writeln!(out, "\neverything is permitted")
    }
}

fn write_operation(out: &mut String, one: &Explained, commit: &Commit) -> std::fmt::Result {
    let target = one.target.replace(commit.as_str(), short(commit.as_str()));
    writeln!(out, "\n{:>3}  {} {target}", one.seq, one.operation)?;
    if one.requests.is_empty() {
        writeln!(out, "     · asks policy for nothing: it only holds the plugin itself back")?;
    }
    let permitted: Vec<&Asked> = one.requests.iter().filter(|asked| asked.allowed).collect();
    // What the same rules permit stands together.
    for group in permitted.chunk_by(|one, other| one.policies == other.policies) {
        let rules = group.first().map(|asked| asked.policies.join(", ")).unwrap_or_default();
        writeln!(out, "     ✓ permitted by {rules}")?;
        for asked in group {
            writeln!(out, "         {:<17} {}", asked.action.as_str(), asked.resource)?;
        }
    }
    // The message names everything that is denied.
    if let Some(reason) = &one.reason {
        writeln!(out, "     ✗ denied")?;
        reason.lines().try_for_each(|line| writeln!(out, "         {line}"))?;
    }
    Ok(())
}
