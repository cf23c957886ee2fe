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
//! A file about a part of the host itself has `builtIn` in the place of `plugin`; about the doctor, no environment.
//!
//! A case may name another `plugin`, a component `digest`, a different `context` (only what differs; nobody approved where
//! none is named: `"approvers": { "supervisor": ["ann"] }`), and a `reason`:
//! a part of the message that a denial must show.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::{self, Text};
use super::problem::{Problem, Problems};
use super::{Approvers, BuiltIn, Context, Policy, Principal, Request, Weekday};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::fault::Fault;
use crate::names::{Digest, Environment, ServiceName};

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outcome {
    /// Its name in the policy folder.
    pub file: String,
    /// The case.
    pub name: String,
    /// What was expected.
    pub expected: Ruling,
    /// What came.
    pub found: Ruling,
    /// The message of a denial that came.
    pub reason: Option<String>,
    /// What was expected and what came, in words; none where the case passed.
    pub failure: Option<String>,
}

/// An answer, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ruling {
    /// Whether it may happen.
    pub effect: Expected,
    /// Ids of the rules that decided; none where no rule permits it.
    pub policies: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plugin: Option<ServiceName>,
    #[serde(rename = "builtIn")]
    built_in: Option<BuiltIn>,
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
    verified_before: Option<bool>,
    approvers: Option<Approvers>,
}

/// A resource; its group follows from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: String,
}

/// Whether something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// It may.
    Permit,
    /// It may not.
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
    let mut problems = Problems::default();
    let files = read(dir, &mut problems);
    let files = problems.or(files)?;
    let outcomes: Vec<Outcome> = files
        .iter()
        .flat_map(|(name, asking, file)| {
            file.cases.iter().map(move |case| (name, asking, &file.context, case))
        })
        .map(|(name, asking, context, case)| outcome(&policy, name, case, &request(case, asking, context)))
        .collect();
    if outcomes.is_empty() {
        return Err(Fault::usage(
            "policy-tests-missing",
            format!("{} has no policy tests", dir.display()),
            "write what must be permitted and denied into tests/*.json beside the rules",
        ));
    }
    Ok(outcomes)
}

/// How many cases the folder `dir` has, and what is wrong with them.
pub(super) fn count(dir: &Path, problems: &mut Problems) -> usize {
    read(dir, problems).iter().map(|(_, _, file)| file.cases.len()).sum()
}

/// The test files of `dir` that can be read, by name, and who asks in them where a case names nobody else.
fn read(dir: &Path, problems: &mut Problems) -> Vec<(String, Principal, File)> {
    let texts = files::read_tests(dir, problems);
    let parsed = texts.into_iter().filter_map(|text| {
        let (asking, file) = parse(&text, problems)?;
        Some((text.name, asking, file))
    });
    parsed.collect()
}

fn parse(text: &Text, problems: &mut Problems) -> Option<(Principal, File)> {
    let file: File = problems.taken(text.json("policy-test", "mend the test, or remove it"))?;
    let asking = match (&file.plugin, file.built_in) {
        (Some(plugin), None) => Principal::Plugin { plugin: plugin.clone(), digest: Digest::of(b"") },
        (None, Some(built_in)) => Principal::BuiltIn { built_in },
        _ => {
            let what = format!("{}: who asks is named by `plugin` or by `builtIn`", text.name);
            problems.push(Problem::new("policy-test", what, "name one of them, and one only"));
            return None;
        }
    };
    let mut seen = BTreeSet::new();
    problems.extend(file.cases.iter().filter(|case| !seen.insert(&case.name)).map(|case| {
        let what = format!("two cases are called {:?}", case.name);
        Problem::at(text.place_of(&case.name), "policy-test", what, "give each a name of its own")
    }));
    Some((asking, file))
}

fn outcome(policy: &Policy, name: &str, case: &Case, request: &Request) -> Outcome {
    let decision = policy.decide(request);
    let expected = Ruling { effect: case.expect, policies: case.policies.clone() };
    let found =
        Ruling { effect: Expected::of(decision.allowed), policies: decision.policies.into_iter().collect() };
    let failure = failure(case, &expected, &found, decision.reason.as_deref().unwrap_or_default());
    Outcome {
        file: name.to_owned(),
        name: case.name.clone(),
        expected,
        found,
        reason: decision.reason,
        failure,
    }
}

/// Who asks in a case: as in its file, but for what the case names.
fn asking(case: &Case, usual: &Principal) -> Principal {
    match (usual, &case.plugin) {
        (Principal::Plugin { plugin, digest }, other) => Principal::Plugin {
            plugin: other.as_ref().unwrap_or(plugin).clone(),
            digest: case.digest.as_ref().unwrap_or(digest).clone(),
        },
        (Principal::BuiltIn { .. }, Some(plugin)) => Principal::Plugin {
            plugin: plugin.clone(),
            digest: case.digest.clone().unwrap_or_else(|| Digest::of(b"")),
        },
        (built_in @ Principal::BuiltIn { .. }, None) => built_in.clone(),
    }
}

fn request(case: &Case, usual: &Principal, context: &Context) -> Request {
    let principal = asking(case, usual);
    let Target { kind, ref id } = case.resource;
    let Different { environment, operator, weekday, minute_of_day, verified_before, approvers } =
        &case.context;
    let usual = context;
    Request {
        access: Access { action: case.action, resource: Resource::asked_by(principal.plugin(), kind, id) },
        principal,
        context: Context {
            environment: environment.as_ref().or(usual.environment.as_ref()).cloned(),
            operator: operator.as_ref().unwrap_or(&usual.operator).clone(),
            weekday: weekday.unwrap_or(usual.weekday),
            minute_of_day: minute_of_day.unwrap_or(usual.minute_of_day),
            verified_before: verified_before.unwrap_or(usual.verified_before),
            approvers: approvers.as_ref().unwrap_or(&usual.approvers).clone(),
        },
    }
}

fn failure(case: &Case, expected: &Ruling, found: &Ruling, reason: &str) -> Option<String> {
    if found != expected {
        return Some(format!("expected {expected}, got {found}{}", indented(reason)));
    }
    let part = case.reason.as_deref()?;
    (!reason.contains(part)).then(|| format!("the reason does not say {part:?}{}", indented(reason)))
}

/// `permit by owner-rolls-back`.
impl std::fmt::Display for Ruling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.policies.is_empty() {
            return write!(f, "{} by no policy", self.effect.as_str());
        }
        let policies: Vec<_> = self.policies.iter().map(String::as_str).collect();
        write!(f, "{} by {}", self.effect.as_str(), policies.join(", "))
    }
}

/// `text` below a first line.
fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |below, line| below + "\n    " + line)
}
