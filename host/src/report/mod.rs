//! The report: one serialisable value; the text form is a rendering of it. Field names and exit codes are the contract
//! with everything that reads them.

mod before;
mod build;
mod fault;
mod parts;
mod retention;
mod several;
mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use before::previous_commit;
pub use build::{Facts, Result as RunResult, build, deploy_command, step_part, way_back_flag};
pub use fault::FaultReport;
pub use parts::{
    BuildPart, DeploymentPart, DesiredPart, ErrorPart, ExpectationPart, GuardPart, LastDeployPart, Looked,
    ObjectPart, PluginPart, PolicyPart, RegistryPart, RollbackPart, RunPart, SecretsPart, SourcePart, State,
    StatePart, StepDecision, StepOutcome, StepPart, SupportedPart, TargetPart, VerificationPart,
    VerifiedPart,
};
pub use retention::{RetentionPart, retention_part};
pub use several::{SavedPart, Several};
pub use text::{Style, duration, render, short, step_line, wrapped};

use crate::names::{Commit, Environment, ServiceName, Shape};

/// Version of the report's fields.
pub const SCHEMA: u32 = 1;

/// How a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Offline; nothing is reached.
    DryRun,
    /// Real reads; nothing is changed.
    Plan,
    /// The real thing.
    Live,
}

impl Mode {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::Plan => "plan",
            Self::Live => "live",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// A dry run or a plan went through.
    Planned,
    /// The requested commit runs already, and everything proves it; nothing was done.
    InSync,
    /// The requested commit runs, and everything proves it.
    Deployed,
    /// It did not work.
    Failed,
    /// It did not work, and everything is as before.
    RolledBack,
    /// A guard, a hold or a missing approval.
    Blocked,
    /// Policy.
    Denied,
    /// Nobody knows how to deploy this there.
    Unsupported,
    /// A channel to a far side is missing; nothing was changed.
    InfraBlocked,
    /// The world changed between plan and change.
    Stale,
    /// The plugin did something that was not planned; it was refused.
    Diverged,
    /// The requested commit runs, but not whole.
    Degraded,
    /// Ctrl-C.
    Interrupted,
}

impl Decision {
    /// The process's exit code (design: table of decisions).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Planned | Self::InSync | Self::Deployed => 0,
            Self::Failed | Self::RolledBack => 1,
            Self::Blocked | Self::Denied | Self::Unsupported => 3,
            Self::InfraBlocked => 4,
            Self::Stale | Self::Diverged => 5,
            Self::Degraded => 6,
            Self::Interrupted => 130,
        }
    }

    /// Which of two is worse: what left the world otherwise than wanted, before what changed nothing.
    #[must_use]
    pub fn severity(self) -> u8 {
        match self {
            Self::InSync => 0,
            Self::Planned => 1,
            Self::Deployed => 2,
            Self::Unsupported => 3,
            Self::Blocked => 4,
            Self::Denied => 5,
            Self::InfraBlocked => 6,
            Self::Stale => 7,
            Self::Diverged => 8,
            Self::Degraded => 9,
            Self::RolledBack => 10,
            Self::Failed => 11,
            Self::Interrupted => 12,
        }
    }

    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::InSync => "in-sync",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Blocked => "blocked",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::InfraBlocked => "infra-blocked",
            Self::Stale => "stale",
            Self::Diverged => "diverged",
            Self::Degraded => "degraded",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What `host deploy` answers: everything that is told of one deploy of one service, or of what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    pub schema_version: u32,
    /// Exit code 0.
    pub ok: bool,
    /// How it was asked for.
    pub mode: Mode,
    /// How it ended.
    pub decision: Decision,
    /// The service that was asked for.
    pub service: ServiceName,
    /// The environment that was asked for.
    pub environment: Environment,
    /// The commit that was asked for.
    pub commit: Commit,
    /// How it is deployed; nothing where the pair is unsupported.
    pub shape: Option<Shape>,
    /// Where the pair is unsupported, those that are: of this service, or all where nobody knows it. Otherwise empty, and in
    /// the reports of releases that did not say.
    #[serde(default)]
    pub supported: Vec<SupportedPart>,
    /// Whether the same command may succeed later without anybody changing anything.
    pub retryable: bool,
    /// What to do next.
    pub recommended_action: Option<String>,
    /// The artifact.
    pub registry: Option<RegistryPart>,
    /// Where the artifact comes from.
    pub source: Option<SourcePart>,
    /// Nothing is ever built.
    pub build: BuildPart,
    /// What is changed.
    pub target: Option<TargetPart>,
    /// Presence and length, where the service needs secrets.
    pub runtime_secrets: Option<SecretsPart>,
    /// Everything that is held against the request.
    pub verification: Vec<VerificationPart>,
    /// Whether a supervisor must approve first.
    pub requires_supervisor_approval: bool,
    /// Where the service must not be deployed from inside itself.
    pub self_bootstrap_guard: Option<GuardPart>,
    /// What the deploy touches.
    pub affected_runtime: Vec<String>,
    /// What it never touches.
    pub excluded_targets: Vec<String>,
    /// What the desired state wants there; nothing where there is none, where it does not name the service, and where it
    /// binds nobody.
    pub desired_state: Option<DesiredPart>,
    /// Whether the commit was verified in the environment that goes before; nothing where none does.
    #[serde(default)]
    pub verified_before: Option<VerifiedPart>,
    /// How what runs stands to the requested commit; nothing where nobody looked.
    #[serde(default)]
    pub state: Option<StatePart>,
    /// What the target says was deployed to it last; nothing where it was not asked, or says nothing.
    pub last_deploy: Option<LastDeployPart>,
    /// How to go back.
    pub rollback: RollbackPart,
    /// Every operation, in order.
    pub steps: Vec<StepPart>,
    /// What a failure would take back, last change first; empty where that was not asked for.
    pub failure_path: Vec<StepPart>,
    /// What becomes of old images after a proved deploy, in each runtime; empty where no deploy is planned or proved, and
    /// in the reports of releases that kept all of them.
    #[serde(default)]
    pub retention: Vec<RetentionPart>,
    /// Who knew how.
    pub plugin: Option<PluginPart>,
    /// What decided.
    pub policy: PolicyPart,
    /// Where it is written down.
    pub run: Option<RunPart>,
    /// What went wrong.
    pub error: Option<ErrorPart>,
}
