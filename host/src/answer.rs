//! What comes back from the other side of the gate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::diagnosis::Finding;
use crate::identity::Identities;
use crate::installation::Observed;
use crate::inventory::Page;
use crate::names::{Pointer, ServiceName};
use crate::provenance::Provenance;

/// A typed JSON value, as the contract knows it: the text `"true"` is not the flag `true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Literal {
    /// Nothing may be there; `null` in JSON.
    Absent,
    /// A boolean.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// What must stand at a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Where.
    pub pointer: Pointer,
    /// What.
    pub equals: Literal,
}

/// An expectation held against what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Where.
    pub pointer: Pointer,
    /// Nothing where the pointer leads to nothing, or to something that is no literal.
    pub found: Option<Literal>,
    /// Whether it is what was expected.
    pub satisfied: bool,
}

/// A running container, reduced to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerView {
    /// The id by which the engine knows the container's image.
    pub image_digest: Option<String>,
    /// Image labels that were asked for and are there.
    pub labels: Vec<(String, String)>,
    /// Environment entries that were asked for and are there.
    pub env: Vec<(String, String)>,
}

/// What the pods of a Deployment are made from, reduced to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadView {
    /// Of the container, as it is written there.
    pub image: String,
    /// Environment entries that were asked for and have a value there.
    pub env: Vec<(String, String)>,
    /// Annotations that were asked for and are there.
    pub annotations: Vec<(String, String)>,
}

/// A pod, reduced to what a rollout tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// The digest by which its node knows the image.
    pub image_digest: Option<String>,
    /// Whether requests reach it.
    pub ready: bool,
}

/// Whether a gate would let a live run pass, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateState {
    /// Met, or pending.
    pub met: bool,
    /// What is missing and what to do, or what was found.
    pub reason: String,
    /// Where the gate is about secrets: what is known of them; never a value.
    pub secrets: Option<SecretsFound>,
    /// Where the gate is about the place from which is deployed.
    pub located: Option<Located>,
}

impl GateState {
    /// Of a gate that is judged by what was declared and said alone.
    #[must_use]
    pub fn new(met: bool, reason: String) -> Self {
        Self { met, reason, secrets: None, located: None }
    }
}

/// Where this program runs, seen from the workloads that it must be outside of, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// Where.
    pub result: Whereabouts,
    /// What it was judged by; for people.
    pub evidence: Vec<String>,
}

/// Where the requester runs, seen from the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Whereabouts {
    /// In what would be deployed, or in what steers it.
    Inside,
    /// Not in it.
    Outside,
    /// Nobody can tell.
    Unknown,
}

/// What is known of the secrets of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretsFound {
    /// Name, kind and place of the source.
    pub source: String,
    /// Each key that was asked for; nothing where the source was not asked.
    pub keys: Option<Vec<SecretPresence>>,
    /// Something about the source that should be put right, though it stops nothing.
    pub warning: Option<String>,
}

/// All that is ever known of a secret outside its backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretPresence {
    /// The key.
    pub key: String,
    /// Whether it is there and not empty.
    pub present: bool,
    /// Length of the value in bytes.
    pub length: usize,
}

/// What a retention of images did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Image names that are gone, with their tag.
    pub removed: Vec<String>,
    /// Why something stays that was to go; nothing where nothing does.
    pub left: Option<String>,
}

/// The answer to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "camelCase")]
pub enum Answer {
    /// Nothing was asked: a read or verification in a pass that does not reach it.
    NotAsked,
    /// A change was done, or recorded.
    Done,
    /// A gate was judged.
    Gate(GateState),
    /// `resolve`.
    Artifact(Box<Artifact>),
    /// `compose.inspect`; nothing where there is no such container.
    Container(Option<ContainerView>),
    /// `kubernetes.inspect`; nothing where there is no such Deployment.
    Workload(Option<WorkloadView>),
    /// `compose.expect`, `kubernetes.expect`, `health.expect`.
    Checks(Vec<Check>),
    /// `kubernetes.await-rollout`.
    Pods(Vec<PodView>),
    /// `host.diagnose`; the first finding says what is there.
    Diagnosis(Vec<Finding>),
    /// `host.registry`.
    Installation(Box<Observed>),
    /// `host.artifacts`.
    Artifacts(Box<Page>),
    /// `host.runs`.
    Runs(Vec<(ServiceName, Provenance)>),
    /// Which registry, machines, engines and clusters those are.
    Identities(Box<Identities>),
}

/// Why a call gave no result: the contract's `error`. It goes to the plugin as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "detail", rename_all = "kebab-case")]
pub enum CallError {
    /// The policy, a limit or a guard refused.
    #[error("denied: {reason}")]
    Denied {
        /// Names action, resource and what would permit it.
        reason: String,
        /// The policies that decided.
        policies: Vec<String>,
    },
    /// The far side answered that it is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// The far side could not be reached or did not answer in time; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The way to the far side's machine is missing, so nothing at all can be done there.
    #[error("unavailable: {text}")]
    Unreachable {
        /// Names the way and what keeps it.
        text: String,
        /// Whether it may come back without anybody repairing it: a machine that is down may, a changed host key may not.
        retryable: bool,
    },
    /// The far side answered, and what it holds contradicts what was asked for.
    #[error("mismatch: {0}")]
    Mismatch(String),
    /// The argument itself is wrong.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl CallError {
    /// Stable code for reports and the journal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::NotFound(_) => "not-found",
            Self::Unavailable(_) | Self::Unreachable { .. } => "unavailable",
            Self::Mismatch(_) => "mismatch",
            Self::Invalid(_) => "invalid",
            Self::Other(_) => "other",
        }
    }

    /// What happened, without the word for its kind.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Denied { reason, .. } => reason,
            Self::NotFound(text)
            | Self::Unavailable(text)
            | Self::Unreachable { text, .. }
            | Self::Mismatch(text)
            | Self::Invalid(text)
            | Self::Other(text) => text,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unreachable { retryable: true, .. })
    }
}
