//! `host registry list`.

mod rows;
mod text;

use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use self::rows::{Knowledge, MissingRow, RepositoryRow};
use super::errand::{End, Errand, bug, denied};
use crate::answer::{Answer, CallError};
use crate::commands::runs::targets::{self, Targets, Untold};
use crate::commands::{Global, Output, arguments, print, print_json};
use crate::console;
use crate::fault::Fault;
use crate::inventory::{Cursor, Page};
use crate::names::ServiceName;
use crate::operation::{ListArtifacts, Operation};
use crate::report::{Decision, ErrorPart, SCHEMA, Style};
use crate::run::{Host, repository};

/// Show what is in the registry, a page at a time, with what runs and what the desired state wants beside it
///
/// It only reads, and nothing is ever deployed because of it. Commits that the desired state names and the registry does not
/// have are told with the page on which their repository is.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry list
  host registry list --service frontend --limit 100
  host registry list --output json | jq -r '.missing[] | \"\\(.service) \\(.commit)\"'")]
pub struct ListArgs {
    /// Only the repository of this service
    #[arg(long)]
    service: Option<String>,
    /// At most this many artifacts
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only what comes after this one; each page names it for the next one
    #[arg(long, value_name = "REPOSITORY[:COMMIT]")]
    after: Option<String>,
}

/// What `host registry list` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryList {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// The registry could be listed.
    ok: bool,
    /// Why it could not.
    error: Option<ErrorPart>,
    /// Those of this page, by name.
    repositories: Vec<RepositoryRow>,
    /// What the desired state names of the repositories on this page, and the registry does not have.
    missing: Vec<MissingRow>,
    /// How many names in the registry's catalogue are none of a repository.
    refused_names: usize,
    /// Runtimes that could not be asked what was deployed to them.
    untold: Vec<Untold>,
    /// What `--after` takes for the next page; nothing where this is the last one.
    next: Option<String>,
}

pub async fn run(args: &ListArgs, global: &Global) -> Result<u8, Fault> {
    let service = args.service.as_deref().map(arguments::service).transpose()?;
    let after = args.after.as_deref().map(cursor).transpose()?;
    let host = global.host()?;
    let repository =
        service.as_ref().map(|service| repository(&host.config.registry.namespace, service)).transpose()?;
    let call = ListArtifacts { repository, after, limit: args.limit };
    let errand = Errand::of(host.config.clone(), Arc::clone(&host.policy), "list", "look")?;
    let (end, answer) = errand.close(listed(&errand, &host, service.as_ref(), call).await)?;
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => {
            let style = Style { colour: console::colour_on_stdout(), steps: false };
            print(&text::text(&answer, &again(args, &host), style))?;
        }
    }
    Ok(end.code)
}

async fn listed(
    errand: &Errand,
    host: &Host,
    service: Option<&ServiceName>,
    call: ListArtifacts,
) -> Result<(End, RegistryList), Fault> {
    let desired = host.desired()?;
    let service = service.map(ServiceName::as_str);
    let (answer, targets) = tokio::join!(
        Box::pin(errand.ask(Operation::ListArtifacts(call.clone()))),
        targets::ask_through(&errand.far, &host.policy, &host.config, &errand.journal, service),
    );
    let (listed, Targets { rows, untold }) = (page(answer?)?, targets?);
    let knowledge = Knowledge::new(&host.config.registry.namespace, desired, rows, service)?;
    let (decision, code, answer) = match listed {
        Ok(page) => ("listed", 0, told(page, &call, &knowledge, untold)),
        Err(error) => failed(&error, untold),
    };
    Ok((End { decision: decision.to_owned(), code }, answer))
}

fn cursor(text: &str) -> Result<Cursor, Fault> {
    Cursor::parse(text).map_err(|error| {
        Fault::usage("usage", format!("--after: {error}"), "give what the page before named for it")
    })
}

/// What the answer says.
fn page(answer: Result<Answer, CallError>) -> Result<Result<Page, CallError>, Fault> {
    match answer {
        Ok(Answer::Artifacts(page)) => Ok(Ok(*page)),
        Ok(_) => Err(bug("it answered something else")),
        Err(CallError::Denied { reason, .. }) => Err(denied(reason)),
        Err(error) => Ok(Err(error)),
    }
}

fn told(page: Page, call: &ListArtifacts, knowledge: &Knowledge, untold: Vec<Untold>) -> RegistryList {
    RegistryList {
        schema_version: SCHEMA,
        ok: true,
        error: None,
        missing: knowledge.missing(&page, call),
        refused_names: page.refused,
        next: page.next.as_ref().map(ToString::to_string),
        repositories: page.repositories.into_iter().map(|shelf| knowledge.repository(shelf)).collect(),
        untold,
    }
}

fn failed(error: &CallError, untold: Vec<Untold>) -> (&'static str, u8, RegistryList) {
    let decision = match error {
        CallError::Unavailable(_) | CallError::Unreachable { .. } => Decision::InfraBlocked,
        _ => Decision::Failed,
    };
    let answer = RegistryList {
        schema_version: SCHEMA,
        ok: false,
        error: Some(ErrorPart {
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            step: Some("host.artifacts".to_owned()),
            retryable: error.retryable(),
        }),
        repositories: Vec::new(),
        missing: Vec::new(),
        refused_names: 0,
        untold,
        next: None,
    };
    (decision.as_str(), decision.exit_code(), answer)
}

/// The same command, for another page.
fn again(args: &ListArgs, host: &Host) -> String {
    let service = args.service.as_ref().map(|service| format!(" --service {service}")).unwrap_or_default();
    format!("host registry list{service} --limit {}{}", args.limit, host.flags)
}
