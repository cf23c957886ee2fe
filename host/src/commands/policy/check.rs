//! `host policy check`.

use std::fmt::Write;
use std::path::Path;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::FolderArgs;
use crate::commands::{Global, Output, print, print_json};
use crate::config::Config;
use crate::fault::Fault;
use crate::names::{Digest, ServiceName};
use crate::policy::check::{Checked, check};
use crate::policy::{Problem, RuleFacts};
use crate::report::SCHEMA;
use crate::run::components;
use crate::words::nearest;

/// Find everything that is wrong with the policies
///
/// Schema, rules, entities and the form of the data tests: what could never apply, what nobody knows, what others may
/// write. A folder with a problem is refused by every other command too, but for rules that never apply to anything that
/// is owned, or that another rule forbids altogether. Ends with code 0, or 2 where there is a problem; warnings count for
/// nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy check
  host policy check policies --output json | jq '.problems[].place'")]
pub struct CheckArgs {
    #[command(flatten)]
    folder: FolderArgs,
}

/// What `host policy check` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCheck {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// There is no problem.
    ok: bool,
    /// The policy folder.
    folder: String,
    /// SHA-256 over policies, schema and entities, as far as they could be read.
    digest: Digest,
    /// The rules that could be understood, by id.
    rules: Vec<RuleFacts>,
    /// Services with a block in the entities.
    services: Vec<ServiceName>,
    /// How many data tests there are.
    tests: usize,
    /// Ids of rules about things that nobody owns yet.
    idle: Vec<String>,
    /// What must be mended.
    problems: Vec<Problem>,
    /// What may be meant.
    warnings: Vec<Warning>,
}

/// Something that may be meant.
#[derive(Serialize, JsonSchema)]
struct Warning {
    /// Stable, for scripts.
    code: &'static str,
    /// What is odd, and where.
    message: String,
    /// What to do about it.
    remedy: String,
}

pub fn run(args: &CheckArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let folder = args.folder.or(config.policies.clone());
    let Checked { digest, rules, services, tests, idle, problems } = check(&folder);
    let answer = PolicyCheck {
        schema_version: SCHEMA,
        ok: problems.is_empty(),
        folder: folder.display().to_string(),
        digest,
        rules,
        warnings: warnings(&config, &folder, &services, tests)?,
        services,
        tests,
        idle,
        problems,
    };
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&text(&answer))?,
    }
    Ok(if answer.ok { 0 } else { 2 })
}

fn warnings(
    config: &Config,
    folder: &Path,
    services: &[ServiceName],
    tests: usize,
) -> Result<Vec<Warning>, Fault> {
    let plugins = config.plugins.display();
    let mut warnings = Vec::new();
    if tests == 0 {
        warnings.push(Warning {
            code: "policy-tests-missing",
            message: format!("{} has no policy tests", folder.display()),
            remedy: "write what must be permitted and denied into tests/*.json beside the rules".to_owned(),
        });
    }
    let mut installed = if config.plugins.exists() { components(&config.plugins)? } else { Vec::new() };
    if installed.is_empty() {
        warnings.push(Warning {
            code: "plugins-missing",
            message: format!("there is no component in {plugins}, so services and plugins were not compared"),
            remedy: "set `plugins` in host.toml to the folder of the components".to_owned(),
        });
        return Ok(warnings);
    }
    installed.sort();
    let near = |name: &ServiceName, known: &[ServiceName]| {
        nearest(name.as_str(), known.iter().map(ServiceName::as_str))
            .map(|near| format!("did you mean {near:?}? If not, "))
            .unwrap_or_default()
    };
    for service in services.iter().filter(|service| !installed.contains(service)) {
        warnings.push(Warning {
            code: "plugin-missing",
            message: format!(
                "{service} has a block in entities.json, and no plugin {service}.wasm in {plugins}"
            ),
            remedy: near(service, &installed) + "install its plugin, or remove the block",
        });
    }
    for plugin in installed.iter().filter(|plugin| !services.contains(plugin)) {
        warnings.push(Warning {
            code: "plugin-unlisted",
            message: format!(
                "{plugins}/{plugin}.wasm has no block in entities.json, so it is denied everything"
            ),
            remedy: near(plugin, services) + "list under services what it owns, or remove the plugin",
        });
    }
    Ok(warnings)
}

fn text(answer: &PolicyCheck) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, answer);
    out
}

fn write_text(out: &mut String, answer: &PolicyCheck) -> std::fmt::Result {
    writeln!(out, "policies  {}\ndigest    {}", answer.folder, answer.digest)?;
    let rules = counted(answer.rules.len(), "rule");
    let (services, tests) = (counted(answer.services.len(), "service"), counted(answer.tests, "test"));
    writeln!(out, "found     {rules}, {services}, {tests}")?;
    if !answer.idle.is_empty() {
        writeln!(out, "idle      about things that nobody owns yet:")?;
        answer.idle.iter().try_for_each(|id| writeln!(out, "            {id}"))?;
    }
    for Problem { code, place, message, remedy } in &answer.problems {
        let place = place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        writeln!(out, "\nproblem {code}{place}\n  {message}\n  help: {remedy}")?;
    }
    for Warning { code, message, remedy } in &answer.warnings {
        writeln!(out, "\nwarning {code}\n  {message}\n  help: {remedy}")?;
    }
    let (problems, warnings) = (answer.problems.len(), answer.warnings.len());
    writeln!(out, "\n{}, {}", counted(problems, "problem"), counted(warnings, "warning"))
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
