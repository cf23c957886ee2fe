//! Which registry, machines, engines, projects and clusters these were: what a name in `host.toml` led to when a plan was made.
//! A plan is for these, and for nothing that the same name leads to by then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::diagnosis::FarSide;
use crate::names::{ComposeService, ConfigName, RuntimeName};
use crate::operation::{HealthTarget, Operation};
use crate::step::Step;

/// What the steps of a plan go through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Compose runtimes, and which services of their project are recreated.
    pub engines: BTreeMap<RuntimeName, BTreeSet<ComposeService>>,
    /// Kubernetes runtimes.
    pub clusters: BTreeSet<RuntimeName>,
    /// Sources of secrets, each for a deploy to this runtime.
    pub secrets: BTreeMap<ConfigName, RuntimeName>,
}

/// What they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// Where artifacts come from.
    pub registry: RegistryIdentity,
    /// What is changed.
    pub runtimes: BTreeMap<RuntimeName, RuntimeIdentity>,
    /// Kind and place of each source of secrets; nothing of what is in it.
    pub secrets: BTreeMap<ConfigName, String>,
}

/// The registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryIdentity {
    /// As seen from `via`.
    pub url: String,
    /// The machine from which it is seen; nothing for this one.
    pub via: Option<MachineIdentity>,
}

/// Another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineIdentity {
    /// In `host.toml`: `[ssh.<name>]`.
    pub name: ConfigName,
    /// What `ssh` was told to connect to.
    pub destination: String,
    /// The key that it proved to have: type and fingerprint, as `ssh` shows them.
    pub host_key: String,
}

/// A runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", tag = "kind")]
pub enum RuntimeIdentity {
    /// A Compose project of an engine.
    Compose {
        /// The machine that it is on; nothing for this one.
        via: Option<MachineIdentity>,
        /// The engine's id, which is its own for as long as its storage is.
        engine: String,
        /// The project.
        project: String,
        /// Its folder.
        directory: String,
        /// What its files say of each service that is recreated: `docker compose config --hash`.
        services: BTreeMap<ComposeService, String>,
    },
    /// A cluster.
    Kubernetes {
        /// The machine that its node is; nothing for this one.
        via: Option<MachineIdentity>,
        /// Of the kubeconfig.
        context: String,
        /// The API server, as the kubeconfig has it.
        server: String,
        /// UID of the namespace kube-system, which a cluster has for life.
        cluster: String,
    },
}

impl Identities {
    /// The same without what files there say.
    #[must_use]
    pub fn places(&self) -> Self {
        let mut places = self.clone();
        for runtime in places.runtimes.values_mut() {
            if let RuntimeIdentity::Compose { services, .. } = runtime {
                services.clear();
            }
        }
        places
    }
}

impl Scope {
    /// Of these steps.
    #[must_use]
    pub fn of(steps: &[Step], config: &Config) -> Self {
        let mut scope = Self::default();
        for step in steps {
            scope.add(&step.operation, config);
        }
        scope
    }

    /// Each of them, and the registry, as policy knows it.
    #[must_use]
    pub fn far_sides(&self) -> Vec<String> {
        let engines = self.engines.keys().map(|runtime| FarSide::Engine { runtime: runtime.clone() });
        let clusters = self.clusters.iter().map(|runtime| FarSide::Cluster { runtime: runtime.clone() });
        std::iter::once(FarSide::Registry).chain(engines).chain(clusters).map(|one| one.id()).collect()
    }

    fn add(&mut self, operation: &Operation, config: &Config) {
        match operation {
            Operation::Deliver(call) => self.runtime(&call.runtime, config),
            Operation::Activate(call) => {
                self.engines.entry(call.runtime.clone()).or_default().insert(call.service.clone());
            }
            Operation::InspectContainer(call) => self.runtime(&call.runtime, config),
            Operation::ExpectContainer(call) => self.runtime(&call.runtime, config),
            Operation::PatchDeployments(call) => self.runtime(&call.runtime, config),
            Operation::AwaitRollout(call) => self.runtime(&call.runtime, config),
            Operation::InspectWorkload(call) => self.runtime(&call.runtime, config),
            Operation::ExpectWorkload(call) => self.runtime(&call.runtime, config),
            Operation::SyncObject(call) => {
                self.runtime(&call.runtime, config);
                self.secrets.insert(call.source.clone(), call.runtime.clone());
            }
            Operation::RequireSecrets { source, runtime, .. } => {
                self.secrets.insert(source.clone(), runtime.clone());
            }
            Operation::ExpectHealth(call) => match &call.target {
                HealthTarget::Service { runtime, .. } | HealthTarget::Container { runtime, .. } => {
                    self.runtime(runtime, config);
                }
                HealthTarget::Endpoint { .. } => {}
            },
            // Gates that ask nobody, and what only the host itself asks.
            Operation::Resolve(_)
            | Operation::RequireApproval { .. }
            | Operation::RequireOutside { .. }
            | Operation::RequirePinned
            | Operation::Hold { .. }
            | Operation::Diagnose(_)
            | Operation::Identify(_)
            | Operation::InspectRegistry { .. }
            | Operation::InstallRegistry
            | Operation::ListArtifacts(_)
            | Operation::ReadRuns { .. }
            | Operation::Retain(_)
            | Operation::Undo { .. } => {}
        }
    }

    fn runtime(&mut self, name: &RuntimeName, config: &Config) {
        if config.clusters.contains_key(name) {
            self.clusters.insert(name.clone());
        } else {
            self.engines.entry(name.clone()).or_default();
        }
    }
}
