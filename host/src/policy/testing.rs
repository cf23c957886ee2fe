//! Policy tests as data: `tests/*.json` beside the rules say what must be permitted or denied, and by which rule.
//!
//! ```json
//! { "plugin": "shop",
//!   "context": { "environment": "prod", "operator": "operator", "weekday": "monday", "minuteOfDay": 600 },
//!   "cases": [
//!     { "name": "a shop may be recreated", "action": "recreateService",
//!       "resource": { "type": "Container", "id": "main-server/shop" },
//!       "expect": "permit", "policies": ["owner-activates-compose"] } ] }
//! ```
//! A case may name another `plugin`, a component `digest`, a different `context` (only what differs), and a `reason`:
//! a part of the message that a denial must show.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::files::{self, Text};
use super::problem::{Problem, Problems};
use super::{Context, Decision, Policy, Principal, Request, Weekday};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::fault::Fault;
use crate::names::{Digest, Environment, ServiceName};
use crate::operation::stamp_prefix;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The file in `tests`.
    pub file: String,
    /// The case.
    pub name: String,
    /// What was expected and what came, in words; none where the case passed.
    pub failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plugin: ServiceName,
    context: Context,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    plugin: Option<ServiceName>,
    digest: Option<Digest>,
    #[serde(default)]
    context: Different,
    action: Action,
    resource: Target,
    expect: Expected,
    policies: BTreeSet<String>,
    reason: Option<String>,
}

/// What differs from the file's context.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Different {
    environment: Option<Environment>,
    operator: Option<String>,
    weekday: Option<Weekday>,
    minute_of_day: Option<u16>,
}

/// A resource; its group follows from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Permit,
    Deny,
}

impl Expected {
    fn of(allowed: bool) -> Self {
        if allowed { Self::Permit } else { Self::Deny }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }
}

/// Loads the policies of `dir` and runs all of their tests, in the order of the files.
///
/// # Errors
/// Policies that cannot be loaded, tests that cannot be read or are none.
pub fn run(dir: &Path) -> Result<Vec<Outcome>, Fault> {
    let policy = Policy::load(dir)?;
    let mut outcomes = Vec::new();
    for text in files::read_tests(dir)? {
        let file = parse(&text)?;
        for case in &file.cases {
            let failure = failure(case, &policy.decide(&request(case, &file)));
            outcomes.push(Outcome { file: text.name.clone(), name: case.name.clone(), failure });
        }
    }
    if outcomes.is_empty() {
        return Err(Fault::usage(
            "policy-tests-missing",
            format!("{} has no policy tests", dir.display()),
            "write what must be permitted and denied into tests/*.json beside the rules",
        ));
    }
    Ok(outcomes)
}

fn parse(text: &Text) -> Result<File, Problems> {
    let file: File = text.json("policy-test", "mend the test, or remove it")?;
    let mut seen = BTreeSet::new();
    let mut problems = Problems::default();
    problems.extend(file.cases.iter().filter(|case| !seen.insert(&case.name)).map(|case| {
        let what = format!("{}: two cases are called {:?}", text.place_of(&case.name), case.name);
        Problem::new("policy-test", what, "give each a name of its own")
    }));
    problems.or(file)
}

fn request(case: &Case, file: &File) -> Request {
    let plugin = case.plugin.as_ref().unwrap_or(&file.plugin);
    let Target { kind, ref id } = case.resource;
    let group = match kind {
        ResourceType::EnvKey => {
            id.split_once('/').map(|(runtime, _)| format!("{runtime}/{}", stamp_prefix(plugin)))
        }
        ResourceType::SecretKey => id.split_once('/').map(|(source, _)| source.to_owned()),
        _ => None,
    };
    let Different { environment, operator, weekday, minute_of_day } = &case.context;
    let usual = &file.context;
    Request {
        principal: Principal {
            plugin: plugin.clone(),
            digest: case.digest.clone().unwrap_or_else(|| Digest::of(b"")),
        },
        access: Access { action: case.action, resource: Resource { kind, id: id.clone(), group } },
        context: Context {
            environment: environment.as_ref().unwrap_or(&usual.environment).clone(),
            operator: operator.as_ref().unwrap_or(&usual.operator).clone(),
            weekday: weekday.unwrap_or(usual.weekday),
            minute_of_day: minute_of_day.unwrap_or(usual.minute_of_day),
        },
    }
}

fn failure(case: &Case, decision: &Decision) -> Option<String> {
    let reason = decision.reason.as_deref().unwrap_or_default();
    let decided: BTreeSet<_> = decision.policies.iter().cloned().collect();
    let found = Expected::of(decision.allowed);
    if found != case.expect || decided != case.policies {
        let expected = verdict(case.expect, &case.policies);
        return Some(format!("expected {expected}, got {}{}", verdict(found, &decided), indented(reason)));
    }
    let part = case.reason.as_deref()?;
    (!reason.contains(part)).then(|| format!("the reason does not say {part:?}{}", indented(reason)))
}

/// `permit by owner-rolls-back`.
fn verdict(expected: Expected, policies: &BTreeSet<String>) -> String {
    if policies.is_empty() {
        return format!("{} by no policy", expected.as_str());
    }
    let policies: Vec<_> = policies.iter().map(String::as_str).collect();
    format!("{} by {}", expected.as_str(), policies.join(", "))
}

/// `text` below a first line.
fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |below, line| below + "\n    " + line)
}
