//! The parts of a report.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{CallError, Literal, SecretPresence, Whereabouts};
use crate::names::{Commit, Digest, Environment, ServiceName};
use crate::operation::Kind;
use crate::provenance::Provenance;

/// The report's `build.boundary` (specification: "pull-only/no-build").
const BOUNDARY: &str = "pull-only/no-build";

/// The report's `registry.digestSource`: in a dry run the specification's word for where the digest will come from, in a
/// live run where it came from.
pub(super) const DIGEST_SOURCE: &str = "live-registry-manifest-head";

/// The artifact in the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryPart {
    /// The URL whose HEAD answers whether it is there.
    pub probe_url: String,
    /// `unidesk/project-manager`.
    pub repository: String,
    /// The commit.
    #[schemars(with = "Commit")]
    pub tag: String,
    /// As a machine beside the registry names it: `127.0.0.1:5000/unidesk/project-manager:<commit>`. Empty in the reports of
    /// releases that did not say.
    #[serde(default)]
    pub image_ref: String,
    /// What the registry serves under the tag; nothing where it was not asked.
    pub digest: Option<Digest>,
    /// Where the digest comes from.
    #[schemars(extend("const" = DIGEST_SOURCE))]
    pub digest_source: String,
    /// Must stand on the image.
    pub required_labels: BTreeMap<String, String>,
}

/// Where the artifact comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourcePart {
    /// As people name it.
    pub repository: String,
    /// The commit.
    pub commit: Commit,
    /// In the repository; nothing where the specification is silent.
    pub dockerfile: Option<String>,
    /// The CI command that publishes it.
    pub producer: String,
}

/// The proof that nothing is built; true of every argument vector that this program can run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the field names and types are the specification's")]
pub struct BuildPart {
    /// Images are pulled.
    #[schemars(extend("const" = BOUNDARY))]
    pub boundary: String,
    /// Never.
    #[schemars(extend("const" = false))]
    pub will_compile: bool,
    /// Never.
    #[schemars(extend("const" = false))]
    pub will_run_cargo_build: bool,
    /// Never.
    #[schemars(extend("const" = false))]
    pub will_run_docker_build: bool,
    /// Never.
    #[schemars(extend("const" = false))]
    pub will_run_docker_compose_build: bool,
}

impl Default for BuildPart {
    fn default() -> Self {
        Self {
            boundary: BOUNDARY.to_owned(),
            will_compile: false,
            will_run_cargo_build: false,
            will_run_docker_build: false,
            will_run_docker_compose_build: false,
        }
    }
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TargetPart {
    /// A service of a Compose project.
    #[serde(rename_all = "camelCase")]
    Compose {
        /// Logical name.
        runtime: String,
        /// The one service that is recreated.
        compose_service: String,
        /// The container it runs as.
        container_name: String,
        /// Names that will point to the artifact.
        images: Vec<String>,
        /// In the specification's words; the step has the whole argument vector.
        recreate_command: String,
    },
    /// Deployments.
    Kubernetes {
        /// Logical name.
        runtime: String,
        /// All of them, or none.
        deployments: Vec<DeploymentPart>,
        /// Secrets and `ConfigMap`s that are brought up to date for their pods.
        objects: Vec<ObjectPart>,
    },
}

/// A Deployment that is patched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentPart {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The container in its pod template.
    pub container: String,
    /// What that container will run.
    pub image: String,
}

/// An object that is brought up to date from a secret source; names, never a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectPart {
    /// `secret`, `config-map`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The source in the operator's configuration.
    pub source: String,
    /// Keys of the object that are written; others stay as they are.
    pub keys: Vec<String>,
}

/// A pair of service and environment that can be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SupportedPart {
    /// Which service.
    pub service: ServiceName,
    /// Where.
    pub environment: Environment,
}

/// Presence and length of secrets; never a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsPart {
    /// Name, kind and place of the source.
    pub secret_source: String,
    /// All are there; nothing where the source was not asked.
    pub required_secrets_present: Option<bool>,
    /// These are not; empty where the source was not asked.
    pub missing_secret_keys: Vec<String>,
    /// Each; empty where the source was not asked.
    pub keys: Vec<SecretPresence>,
    /// What to do about missing keys, or about the source itself.
    pub recommended_action: Option<String>,
}

/// One thing that is held against the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerificationPart {
    /// What is looked at.
    pub what: Looked,
    /// Where.
    pub target: String,
    /// What must stand there.
    pub expectations: Vec<ExpectationPart>,
    /// Nothing where it was not asked.
    pub satisfied: Option<bool>,
}

/// What a verification looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Looked {
    /// The labels of the image that the registry has.
    #[serde(rename = "image labels in the registry")]
    Labels,
    /// Image, labels and environment of the running container.
    #[serde(rename = "container")]
    Container,
    /// Image, labels, environment and annotations of the pods.
    #[serde(rename = "pods")]
    Pods,
    /// The health payload.
    #[serde(rename = "health")]
    Health,
}

impl Looked {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "image labels in the registry",
            Self::Container => "container",
            Self::Pods => "pods",
            Self::Health => "health",
        }
    }
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationPart {
    /// Where.
    pub pointer: String,
    /// What; nothing where nothing may stand there, or only the artifact's digest can tell and it is not known yet.
    pub equals: Option<Literal>,
    /// Nothing may stand there.
    #[serde(default)]
    pub absent: bool,
    /// Nothing where it was not asked, or nothing is there.
    pub found: Option<Literal>,
}

/// Whether the requester runs inside what would be deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardPart {
    /// The service asks for it.
    pub applies: bool,
    /// Nothing where it was not judged.
    pub result: Option<Whereabouts>,
    /// What it was judged by.
    pub evidence: Vec<String>,
}

/// What the target says was deployed to it last, whoever did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastDeployPart {
    /// By which run, of whom, of which commit.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// How what ran before this run differed from what that one left; nothing where it did not.
    pub drift: Option<String>,
}

/// How to go back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackPart {
    /// The same command with the previous commit.
    pub command: String,
    /// Nothing where it is not known.
    #[schemars(with = "Option<Commit>")]
    pub previous_commit: Option<String>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepPart {
    /// From 1.
    #[schemars(range(min = 1))]
    pub seq: u32,
    /// Interface and function of the contract.
    pub operation: String,
    /// What it is.
    pub kind: Kind,
    /// To what.
    pub target: String,
    /// What policy said.
    pub decision: StepDecision,
    /// What came of it.
    pub outcome: StepOutcome,
    /// What went wrong, or what is pending.
    pub message: Option<String>,
    /// What does not stop the step, and should be looked at: of a look-up in the registry, how the registry itself is.
    pub warning: Option<String>,
    /// The argument vector of the program that the step runs, if it runs one.
    pub argv: Option<Vec<String>>,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

/// What came of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It went well.
    Ok,
    /// A change that would be made.
    Planned,
    /// A change that found everything as it should be.
    AlreadySo,
    /// A read or verification that this pass does not make.
    NotAsked,
    /// A gate that lets a live run pass.
    Met,
    /// A gate that would hold a live run.
    Pending,
    /// A verification that did not find what was expected.
    Unsatisfied,
    /// Policy, a limit or a guard refused.
    Denied,
    /// The far side answered that it is not there.
    NotFound,
    /// The far side could not be reached or did not answer in time.
    Unavailable,
    /// What the far side holds contradicts what was asked for.
    Mismatch,
    /// The call itself was wrong.
    Invalid,
    /// Any other error; its message says which.
    Other,
}

impl StepOutcome {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Planned => "planned",
            Self::AlreadySo => "already-so",
            Self::NotAsked => "not-asked",
            Self::Met => "met",
            Self::Pending => "pending",
            Self::Unsatisfied => "unsatisfied",
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::Unavailable => "unavailable",
            Self::Mismatch => "mismatch",
            Self::Invalid => "invalid",
            Self::Other => "other",
        }
    }
}

impl From<&CallError> for StepOutcome {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Denied { .. } => Self::Denied,
            CallError::NotFound(_) => Self::NotFound,
            CallError::Unavailable(_) | CallError::Unreachable { .. } => Self::Unavailable,
            CallError::Mismatch(_) => Self::Mismatch,
            CallError::Invalid(_) => Self::Invalid,
            CallError::Other(_) => Self::Other,
        }
    }
}

/// What policy said to one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepDecision {
    /// Everything it touches is permitted.
    pub allowed: bool,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// In a plan that is kept: it may only happen once somebody in one of these roles approved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

impl From<&crate::policy::Decision> for StepDecision {
    fn from(verdict: &crate::policy::Decision) -> Self {
        Self { allowed: verdict.allowed, policies: verdict.policies.clone(), needs: verdict.needs.clone() }
    }
}

/// Who knew how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PluginPart {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// The interfaces it imports.
    pub imports: Vec<String>,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyPart {
    /// SHA-256 over policies, schema and entities.
    pub digest: Digest,
}

/// Where it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPart {
    /// For `host runs show`.
    #[schemars(regex(pattern = r"^\d{8}T\d{6}Z-[0-9a-f]{6}$"))]
    pub id: String,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorPart {
    /// Stable, for scripts.
    pub code: String,
    /// What and where.
    pub message: String,
    /// The operation that failed; nothing where none did.
    pub step: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

/// What the desired state says of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesiredPart {
    /// The commit that it names.
    pub commit: Commit,
    /// Whether it is the requested one.
    pub matches: bool,
    /// Why another one is deployed all the same; nothing where nobody said so.
    #[serde(rename = "override")]
    pub reason: Option<String>,
}

impl DesiredPart {
    /// Whether nothing stands against deploying the requested commit.
    #[must_use]
    pub fn is_respected(&self) -> bool {
        self.matches || self.reason.is_some()
    }
}

/// Whether the commit was tried where it has to be tried first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedPart {
    /// Where.
    pub environment: Environment,
    /// Whether a deploy of it was proved there.
    pub verified: bool,
    /// What says so, or what speaks against it.
    pub evidence: String,
}

impl VerifiedPart {
    /// For people.
    #[must_use]
    pub fn told(&self) -> String {
        let word = if self.verified { "verified" } else { "not verified" };
        format!("{word}: {}", self.evidence)
    }
}

/// How what runs stands to what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatePart {
    /// In a word.
    pub state: State,
    /// Why; nothing where all is as wanted.
    pub reason: Option<String>,
}

/// What of a service runs where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The registry's very image, deployed as its provenance says, and well.
    InSync,
    /// Another commit, as a deploy left it, or nothing.
    Behind,
    /// Something that no deploy left there.
    Drifted,
    /// What is wanted, and it is not well.
    Degraded,
    /// That cannot be told.
    Unknown,
}

impl State {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::InSync => "in sync",
            Self::Behind => "behind",
            Self::Drifted => "drifted",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
        }
    }
}
