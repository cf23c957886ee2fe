//! Which services can be deployed where.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Host, Trial};
use crate::backend::secrets::Sources;
use crate::engine::{Descriptor, EnvironmentFacts};
use crate::fault::Fault;
use crate::names::{Environment, RuntimeName, ServiceName, Shape};
use crate::operation::Operation;
use crate::report::SupportedPart;

/// A service and where it can be deployed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// Its name.
    pub service: ServiceName,
    /// Of its plugin; empty where that cannot be used.
    pub version: String,
    /// Supported ones.
    pub environments: Vec<EnvironmentRow>,
    /// Why its plugin cannot be used, and what to do about it.
    pub error: Option<String>,
}

/// One supported environment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct EnvironmentRow {
    /// `dev`, `prod`.
    pub name: Environment,
    /// How it is deployed there.
    pub shape: Shape,
    /// Where that is.
    pub runtime: RuntimeName,
    /// What must hold before anything is changed there, in the order in which it is asked for.
    pub gates: Vec<GateRow>,
}

/// One gate of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GateRow {
    /// What kind it is.
    pub gate: GateKind,
    /// The roles of which one approves, the workloads that one must be outside of, or the secrets as `<source>/<key>`.
    pub of: Vec<String>,
    /// Why it is there, where that is said.
    pub reason: Option<String>,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    /// Somebody approved the deploy.
    Approval,
    /// Nobody deploys from inside (`selfBootstrapGuard`).
    Outside,
    /// Secrets are there.
    Secrets,
    /// The desired state names a commit.
    Pinned,
    /// There are only plans and dry runs.
    Hold,
}

impl GateRow {
    fn of(operation: &Operation) -> Option<Self> {
        let (gate, of, reason) = match operation {
            Operation::RequireApproval { roles } => {
                (GateKind::Approval, roles.iter().map(ToString::to_string).collect(), None)
            }
            Operation::RequireOutside { workloads } => {
                (GateKind::Outside, workloads.iter().map(ToString::to_string).collect(), None)
            }
            Operation::RequireSecrets { source, keys, .. } => {
                (GateKind::Secrets, keys.iter().map(|key| format!("{source}/{key}")).collect(), None)
            }
            Operation::RequirePinned => (GateKind::Pinned, Vec::new(), None),
            Operation::Hold { reason } => (GateKind::Hold, Vec::new(), Some(reason.clone())),
            _ => return None,
        };
        Some(Self { gate, of, reason })
    }
}

/// The services that have a component in `folder`, by the names of the files.
///
/// # Errors
/// A [`Fault`] that names a folder that cannot be read.
pub fn components(folder: &Path) -> Result<Vec<ServiceName>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Fault::usage(
            "plugins-folder",
            format!("the plugin folder {} cannot be read: {error}", folder.display()),
            "set `plugins` in host.toml to the folder of the components",
        )
    })?;
    let service = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        ServiceName::parse(name.strip_suffix(".wasm")?).ok()
    };
    Ok(entries.flatten().filter_map(service).collect())
}

/// The pairs of one plugin.
pub(super) fn pairs_of(descriptor: &Descriptor) -> Vec<SupportedPart> {
    let pair = |one: &EnvironmentFacts| SupportedPart {
        service: descriptor.service.clone(),
        environment: one.name.clone(),
    };
    descriptor.environments.iter().map(pair).collect()
}

impl Host {
    /// Every service that has a plugin or that policy knows, by name.
    ///
    /// # Errors
    /// When the plugin folder cannot be read.
    pub fn services(&self) -> Result<Vec<ServiceRow>, Fault> {
        let names = self.service_names()?;
        let runtime = tokio::runtime::Handle::current();
        // Plugins wait for answers, which no thread of the runtime may.
        let rows = std::thread::scope(|threads| {
            threads.spawn(|| names.iter().map(|name| self.service(name, &runtime)).collect()).join()
        });
        rows.map_err(|_| Fault::internal("engine", "the plugins' thread ended early", "report this as a bug"))
    }

    /// Every pair that can be deployed; of a plugin that cannot be used, none.
    pub(super) fn pairs(&self) -> Result<Vec<SupportedPart>, Fault> {
        let described = |name: &ServiceName| {
            let loaded = self.engine.load(name, &self.config.component(name)).ok()?;
            self.engine.describe(&loaded, tokio::runtime::Handle::current()).ok()
        };
        let names = self.service_names()?;
        Ok(names.iter().filter_map(described).flat_map(|one| pairs_of(&one)).collect())
    }

    /// Their names.
    ///
    /// # Errors
    /// When the plugin folder cannot be read.
    pub fn service_names(&self) -> Result<Vec<ServiceName>, Fault> {
        let mut names = self.policy.plugins();
        names.extend(components(&self.config.plugins)?);
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn service(&self, name: &ServiceName, runtime: &tokio::runtime::Handle) -> ServiceRow {
        let row =
            |version, environments, error| ServiceRow { service: name.clone(), version, environments, error };
        match self.environments(name, runtime) {
            Ok((version, environments)) => row(version, environments, None),
            Err(fault) => row(String::new(), Vec::new(), Some(fault.to_string())),
        }
    }

    fn environments(
        &self,
        name: &ServiceName,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(String, Vec<EnvironmentRow>), Fault> {
        let loaded = self.engine.load(name, &self.config.component(name))?;
        let descriptor = self.engine.describe(&loaded, runtime.clone())?;
        let trial = Trial {
            config: &self.config,
            policy: &self.policy,
            secrets: &Arc::new(Sources::new(&self.config)),
            requester: &self.requester,
            runtime,
        };
        let rows = descriptor.environments.into_iter().map(|one| {
            let steps = trial.steps(&self.engine, &loaded, &one);
            let gates = steps.iter().filter_map(|step| GateRow::of(&step.operation)).collect();
            EnvironmentRow { name: one.name, shape: one.shape, runtime: one.runtime, gates }
        });
        Ok((descriptor.version, rows.collect()))
    }
}
