//! What `host doctor` looks at, and what it finds there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{ConfigName, RuntimeName};
use crate::operation::Activate;

/// Something outside of this program that deploys go through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "farSide", rename_all = "kebab-case")]
pub enum FarSide {
    /// The artifact registry.
    Registry,
    /// The Docker Engine of a runtime.
    Engine {
        /// Where.
        runtime: RuntimeName,
    },
    /// The Compose program and project of a runtime.
    Compose {
        /// Where.
        runtime: RuntimeName,
        /// What the project must have a place for.
        services: Vec<Activate>,
    },
    /// The controlled env file of a runtime, and the locks beside it.
    EnvFile {
        /// Where.
        runtime: RuntimeName,
    },
    /// The API server of a Kubernetes runtime.
    Cluster {
        /// Where.
        runtime: RuntimeName,
    },
    /// A health endpoint of the configuration.
    Health {
        /// Its name there.
        endpoint: ConfigName,
    },
}

impl FarSide {
    /// The forms that [`Self::id`] has.
    pub const FORM: &str = "registry, engine/<runtime>, compose/<runtime>, env-file/<runtime>, cluster/<runtime>, runs/<runtime> or health/<name in host.toml>";

    /// As in policies, and as the name of its check.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Registry => "registry".to_owned(),
            Self::Engine { runtime } => format!("engine/{runtime}"),
            Self::Compose { runtime, .. } => format!("compose/{runtime}"),
            Self::EnvFile { runtime } => format!("env-file/{runtime}"),
            Self::Cluster { runtime } => format!("cluster/{runtime}"),
            Self::Health { endpoint } => format!("health/{endpoint}"),
        }
    }

    /// Whether `text` is an id that some configuration could have.
    #[must_use]
    pub fn is_id(text: &str) -> bool {
        match text.split_once('/') {
            None => text == "registry",
            Some(("engine" | "compose" | "env-file" | "cluster" | "runs", runtime)) => {
                RuntimeName::parse(runtime).is_ok()
            }
            Some(("health", endpoint)) => ConfigName::parse(endpoint).is_ok(),
            Some(_) => false,
        }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it has to be.
    Ok,
    /// Deploys work; somebody should look at it.
    Warning,
    /// Deploys that need it do not work, or should not.
    Problem,
}

impl Severity {
    /// As in texts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, and where.
    pub evidence: String,
    /// What to do; nothing where all is well.
    pub recommended_action: Option<String>,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn ok(evidence: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, evidence: evidence.into(), recommended_action: None }
    }

    /// Somebody should look at it.
    #[must_use]
    pub fn warning(evidence: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            evidence: evidence.into(),
            recommended_action: Some(action.into()),
        }
    }

    /// It does not work.
    #[must_use]
    pub fn problem(evidence: impl Into<String>, action: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, ..Self::warning(evidence, action) }
    }

    /// An error of this program, which says what is wrong, then `; `, then what to do. Where it says only the first,
    /// `action` is what to do.
    #[must_use]
    pub fn told(error: &str, action: &str) -> Self {
        match error.split_once("; ") {
            Some((evidence, action)) => Self::problem(evidence, action),
            None => Self::problem(error, action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_one_and_little_else_is() {
        let runtime = || RuntimeName::parse("main-server").expect("a runtime");
        for far_side in [
            FarSide::Registry,
            FarSide::Engine { runtime: runtime() },
            FarSide::Compose { runtime: runtime(), services: Vec::new() },
            FarSide::EnvFile { runtime: runtime() },
            FarSide::Cluster { runtime: runtime() },
            FarSide::Health { endpoint: ConfigName::parse("shop").expect("a name") },
        ] {
            assert!(FarSide::is_id(&far_side.id()), "{}", far_side.id());
        }
        assert!(FarSide::is_id("runs/main-server"), "what `host runs` asks");
        for other in ["", "registry/x", "engine", "engine/", "engines/main-server", "health/", "Registry"] {
            assert!(!FarSide::is_id(other), "{other}");
        }
    }

    #[test]
    fn an_error_is_told_in_its_two_parts() {
        let found = Finding::told("it is gone; make it", "look");
        assert_eq!(found, Finding::problem("it is gone", "make it"));
        assert_eq!(Finding::told("it is gone", "look"), Finding::problem("it is gone", "look"));
    }
}
