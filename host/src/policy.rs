//! What a plugin may do: Cedar policies, default deny. Ownership is data (`entities.json`), rules are few (`*.cedar`).
//!
//! Everything is read, parsed and checked once, at load; whatever could never apply or cannot be trusted is a [`Fault`]
//! there. A decision evaluates the rules over the two or three entities that the question is about.

pub mod check;
mod compare;
mod explain;
mod files;
mod owned;
mod ownership;
mod problem;
mod question;
mod reach;
mod rules;
mod schema;
mod shape;
mod slices;
pub mod survey;
pub mod testing;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cedar_policy::{AuthorizationError, Authorizer, Decision as Effect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Action};
use crate::fault::Fault;
use crate::names::{ConfigName, Digest, Environment, RuntimeName, ServiceName};
use crate::operation::OwnedDeployment;
pub use compare::{Change, ChangedRule};
pub use problem::{Place, Problem};

use explain::Denial;
pub(crate) use files::other_writer;
use ownership::Ownership;
use problem::Problems;
use question::Asking;
use rules::{Rule, Rules};
use schema::Vocabulary;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Principal {
    /// The plugin of a service, as the component that was really loaded.
    Plugin {
        /// The service whose plugin it is.
        plugin: ServiceName,
        /// Of the component.
        digest: Digest,
    },
    /// The host itself.
    #[serde(rename_all = "camelCase")]
    BuiltIn {
        /// Which part of it.
        built_in: BuiltIn,
    },
}

impl Principal {
    /// The service whose plugin asks; nothing where the host itself does.
    #[must_use]
    pub fn plugin(&self) -> Option<&ServiceName> {
        match self {
            Self::Plugin { plugin, .. } => Some(plugin),
            Self::BuiltIn { .. } => None,
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plugin { plugin, .. } => write!(f, "Plugin::\"{plugin}\""),
            Self::BuiltIn { built_in } => write!(f, "BuiltIn::{:?}", built_in.as_str()),
        }
    }
}

/// A part of the host that asks for itself, through the same gate as a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// `host doctor`.
    Doctor,
    /// `host registry`.
    Registry,
    /// `host runs`.
    Runs,
    /// What keeps a plan, and holds it against where it is applied.
    Plans,
    /// What removes old images after a deploy.
    Retention,
}

impl BuiltIn {
    /// The id in the policy schema.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Registry => "registry",
            Self::Runs => "runs",
            Self::Plans => "plans",
            Self::Retention => "retention",
        }
    }

    /// The parts of the host that ask for `action`, which no plugin ever does; none for what plugins ask.
    #[must_use]
    pub fn asking(action: Action) -> &'static [Self] {
        match action {
            Action::Diagnose => &[Self::Doctor],
            Action::InspectRegistry | Action::InstallRegistry | Action::ListArtifacts => &[Self::Registry],
            Action::ReadRuns => &[Self::Runs],
            Action::Identify => &[Self::Plans],
            Action::RemoveImage => &[Self::Retention],
            _ => &[],
        }
    }
}

/// A day of the week in the configured time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The id in the policy schema.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

/// The circumstances of a run. Whether it is a dry run is none of them: a dry run is judged as the live run would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Context {
    /// That is deployed to; nothing where a part of the host asks that is about no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Who runs the host.
    pub operator: String,
    /// In the configured time zone.
    pub weekday: Weekday,
    /// Minutes since midnight in that zone, 0 to 1439.
    pub minute_of_day: u16,
    /// Whether the commit was verified in the environment that goes before this one, or none does.
    #[serde(default = "in_order")]
    pub verified_before: bool,
    /// Who approved this deploy.
    #[serde(default)]
    pub approvers: Approvers,
}

/// Who approved a deploy, by role; never who asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Approvers {
    /// Those who answer for what must not go wrong.
    pub supervisor: BTreeSet<String>,
    /// Those who deploy.
    pub operator: BTreeSet<String>,
}

impl Approvers {
    /// Each role, and who approved in it.
    #[must_use]
    pub fn by_role(&self) -> [(&'static str, &BTreeSet<String>); 2] {
        [("operator", &self.operator), ("supervisor", &self.supervisor)]
    }

    /// Who approved in the role of this name; nothing for one that nobody knows.
    #[must_use]
    pub fn of(&self, role: &str) -> Option<&BTreeSet<String>> {
        self.by_role().into_iter().find(|(name, _)| *name == role).map(|(_, names)| names)
    }

    /// Somebody approved in the role of this name; one that nobody knows counts for nothing.
    pub fn add(&mut self, role: &str, signer: String) {
        let names = match role {
            "operator" => &mut self.operator,
            "supervisor" => &mut self.supervisor,
            _ => return,
        };
        names.insert(signer);
    }
}

/// A test of rules that says nothing of it is about a deploy that keeps the order.
fn in_order() -> bool {
    true
}

/// One question: may this one do this to that, now? Kept with a run, so that it can be judged again later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// What is done to what.
    pub access: Access,
    /// In which circumstances.
    pub context: Context,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it may happen.
    pub allowed: bool,
    /// Ids of the policies that decided, sorted; empty where no policy permits it.
    pub policies: Vec<String>,
    /// For a denial the whole message: what was denied, why, and what would permit it. The first line stands alone.
    pub reason: Option<String>,
    /// Where a plan may be made of it, and it may not happen before somebody approved that: in which role, one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

impl Decision {
    /// That it may happen.
    #[must_use]
    pub fn permitted(policies: Vec<String>) -> Self {
        Self { allowed: true, policies, reason: None, needs: Vec::new() }
    }
}

/// What a rule says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RuleFacts {
    /// Its `@id`.
    pub id: String,
    /// Where it stands.
    pub place: Place,
    /// Its `@reason`.
    pub reason: String,
}

impl RuleFacts {
    fn of(id: &str, rule: &Rule) -> Self {
        Self { id: id.to_owned(), place: rule.place.clone(), reason: rule.reason.clone() }
    }
}

/// A policy folder as far as it can be read, and everything that is wrong with it.
struct Read {
    digest: Digest,
    /// The host's own where the folder's is none.
    vocabulary: Option<Vocabulary>,
    rules: Rules,
    /// Nothing where the file cannot be read as a whole.
    ownership: Option<Ownership>,
    /// Whether nothing is wrong with the entities.
    owned: bool,
    /// Ids of rules that something is wrong with.
    wrong: BTreeSet<String>,
    problems: Problems,
}

impl Read {
    /// One mistake does not hide the others, as far as the rest can be understood without what is wrong: an author mends
    /// them in one go.
    fn of(dir: &Path) -> Self {
        let mut problems = Problems::default();
        let sources = files::read(dir, &mut problems);
        let rules = rules::parse(&sources.policies, &mut problems);
        let whole = problems.len() == 0;
        let before = problems.len();
        let ownership = sources.entities.as_ref().and_then(|file| ownership::parse(file, &mut problems));
        let owned = ownership.is_some() && problems.len() == before;
        let vocabulary = sources.schema.as_ref().and_then(|file| problems.taken(schema::parse(file)));
        let vocabulary = vocabulary.or_else(|| problems.taken(schema::own()));
        let wrong = vocabulary.as_ref().map_or_else(BTreeSet::new, |vocabulary| {
            rules::check(&rules, &sources.policies, vocabulary, ownership.as_ref(), &mut problems)
        });
        if whole {
            problems.extend(rules::none_permits(&rules));
        }
        let digest = Digest::from_hash(sources.hash);
        Self { digest, vocabulary, rules, ownership, owned, wrong, problems }
    }
}

/// The rules, who owns what, and the digest of both: everything that decides.
#[derive(Debug)]
pub struct Policy {
    digest: Digest,
    vocabulary: Vocabulary,
    rules: Rules,
    ownership: Ownership,
    /// Whether the folder could be used; where it could not, there are no rules.
    usable: bool,
}

impl Policy {
    /// Reads and checks the policies of the folder `dir`.
    ///
    /// # Errors
    /// A usage fault that lists everything that could never apply or cannot be trusted, with file, line and remedy: see
    /// the modules for each check.
    pub fn load(dir: &Path) -> Result<Self, Fault> {
        let Read { digest, vocabulary, rules, ownership, problems, .. } = Read::of(dir);
        problems.or(())?;
        match (vocabulary, ownership) {
            (Some(vocabulary), Some(ownership)) => {
                Ok(Self { digest, vocabulary, rules, ownership, usable: true })
            }
            // Whatever keeps one of them from being read is a problem.
            _ => Err(Fault::internal(
                "policy",
                format!("{} was read, but not whole", dir.display()),
                "report this as a bug",
            )),
        }
    }

    /// What decides where the policies cannot be used: nothing is permitted, and every denial says why.
    ///
    /// # Errors
    /// If the host's own schema cannot be read.
    pub fn unusable() -> Result<Self, Fault> {
        let mut problems = Problems::default();
        let vocabulary = problems.taken(schema::own());
        let vocabulary = problems.or(vocabulary)?;
        let vocabulary = vocabulary.ok_or_else(|| {
            Fault::internal("policy", "the host's own schema was not read", "report this as a bug")
        })?;
        let (rules, ownership) = (Rules::default(), Ownership::default());
        Ok(Self { digest: Digest::of(b""), vocabulary, rules, ownership, usable: false })
    }

    /// The same, where these people are in these roles: a rule about approvers means something else with each of them.
    #[must_use]
    pub fn counting(self, roles: &BTreeMap<ConfigName, BTreeSet<String>>) -> Self {
        if roles.is_empty() {
            return self;
        }
        let named =
            roles.iter().flat_map(|(role, names)| names.iter().map(move |name| format!("{role} {name}\n")));
        let text = named.fold(format!("{}\n", self.digest), |text, line| text + &line);
        Self { digest: Digest::of(text.as_bytes()), ..self }
    }

    /// SHA-256 over schema, policies and entities, and over the roles that count with them. A comment counts too: what was reviewed is what is hashed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether `plugin` is in the entities; one that is not is denied everything.
    #[must_use]
    pub fn knows(&self, plugin: &ServiceName) -> bool {
        self.ownership.knows(plugin)
    }

    /// Every plugin in the entities, sorted.
    #[must_use]
    pub fn plugins(&self) -> Vec<ServiceName> {
        self.ownership.services().cloned().collect()
    }

    /// Every Deployment of a runtime that is a service's own, by the entities.
    #[must_use]
    pub fn deployments(&self, runtime: &RuntimeName) -> Vec<OwnedDeployment> {
        self.ownership.deployments(runtime)
    }

    /// What the rule called `id` says of itself.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<RuleFacts> {
        Some(RuleFacts::of(id, self.rules.get(id)?))
    }

    /// Every environment in the entities.
    #[must_use]
    pub fn environments(&self) -> &[Environment] {
        self.ownership.environments()
    }

    /// Answers `request`. Whatever keeps a rule from being evaluated denies: a rule that fails might have forbidden it.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Decision {
        self.decide_all(std::slice::from_ref(request))
    }

    /// Answers all `requests` of one operation at once: it may happen if each may (so it may where nothing is asked).
    /// A denial is told once for everything that is denied for the same reason.
    #[must_use]
    pub fn decide_all(&self, requests: &[Request]) -> Decision {
        let mut permits = BTreeSet::new();
        let mut denials = Vec::new();
        let same =
            |one: &Request, other: &Request| one.principal == other.principal && one.context == other.context;
        for requests in requests.chunk_by(same) {
            let asking = Asking::new(requests, &self.vocabulary, &self.ownership);
            for request in requests {
                match self.judge(request, asking.as_ref()) {
                    Ok(policies) => permits.extend(policies),
                    Err(denial) => denials.push(denial),
                }
            }
        }
        if denials.is_empty() {
            return Decision::permitted(permits.into_iter().collect());
        }
        let policies: BTreeSet<_> =
            denials.iter().flat_map(|denial| denial.policies.iter().cloned()).collect();
        Decision {
            allowed: false,
            policies: policies.into_iter().collect(),
            reason: Some(explain::told(&denials)),
            needs: Vec::new(),
        }
    }

    /// The policies that permit `request`, or why it is denied.
    fn judge<'a>(
        &self,
        request: &'a Request,
        asking: Result<&Asking, &String>,
    ) -> Result<Vec<String>, Denial<'a>> {
        if !self.usable {
            return Err(Denial::without_policies(request));
        }
        if request.principal.plugin().is_some_and(|plugin| !self.knows(plugin)) {
            return Err(Denial::unknown_plugin(request, &self.ownership));
        }
        let question = asking
            .map_err(String::clone)
            .and_then(|asking| asking.about(&request.access, &self.vocabulary))
            .map_err(|error| Denial::unanswerable(request, &error))?;
        let rules = self.rules.about(request.access.action.as_str());
        let response = Authorizer::new().is_authorized(&question.request, rules, question.entities);
        let failed: Vec<_> = response.diagnostics().errors().map(failure).collect();
        if !failed.is_empty() {
            return Err(Denial::failed(request, failed, &self.rules));
        }
        let policies: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        match response.decision() {
            Effect::Allow => Ok(policies),
            Effect::Deny if policies.is_empty() => {
                Err(Denial::unpermitted(request, &question, &self.rules, &self.vocabulary, &self.ownership))
            }
            Effect::Deny => Err(Denial::forbidden(request, policies, &self.rules)),
        }
    }
}

/// Id and error of a rule that could not be evaluated.
fn failure(error: &AuthorizationError) -> (String, String) {
    match error {
        AuthorizationError::PolicyEvaluationError(failed) => {
            (failed.policy_id().to_string(), failed.inner().to_string())
        }
    }
}
