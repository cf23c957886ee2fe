//! Whether the files that `[catalog]` in host.toml names can be used: what CI publishes, and what should run.

use std::path::Path;

use crate::config::{Catalogue, Config, Desired};
use crate::diagnosis::Finding;
use crate::engine::Descriptor;
use crate::fault::Fault;
use crate::names::{ImageName, ServiceName};
use crate::policy::Policy;
use crate::run::sourced;
use crate::words::counted;

/// What CI publishes, where host.toml says so.
pub struct Published<'a> {
    file: &'a Path,
    namespace: &'a ImageName,
    catalogue: Result<Catalogue, Fault>,
}

impl<'a> Published<'a> {
    /// Nothing where host.toml names no file.
    pub fn read(config: &'a Config) -> Option<Self> {
        let file = config.artifacts.as_deref()?;
        Some(Self { file, namespace: &config.registry.namespace, catalogue: Catalogue::load(file) })
    }

    /// Whether it can be used at all.
    pub fn look(&self) -> Finding {
        match &self.catalogue {
            Ok(_) => Finding::ok(format!("artifacts: {}", self.file.display())),
            Err(fault) => problem(fault),
        }
    }

    /// What contradicts a plugin.
    pub fn against(&self, service: &ServiceName, descriptor: &Descriptor) -> Option<Finding> {
        let catalogue = self.catalogue.as_ref().ok()?;
        let mut descriptor = descriptor.clone();
        sourced(catalogue, self.file, self.namespace, service, &mut descriptor)
            .err()
            .map(|fault| problem(&fault))
    }
}

/// What should run, where host.toml says so; every service must have a plugin or a block in the policies.
pub fn desired(config: &Config, policy: &Policy, components: &[ServiceName]) -> Option<Finding> {
    let file = config.desired.as_deref()?;
    let mut services = policy.plugins();
    services.extend_from_slice(components);
    Some(match Desired::load(file, &services, policy.environments()) {
        Ok(desired) => {
            let each = |environment| {
                let count = desired.of(environment).count();
                format!("{} in {environment}", counted(count, "service", "services"))
            };
            let all: Vec<_> = desired.environments().map(each).collect();
            Finding::ok(format!("desired: {}, {}", file.display(), all.join(", ")))
        }
        Err(fault) => problem(&fault),
    })
}

fn problem(fault: &Fault) -> Finding {
    Finding::problem(fault.message.clone(), fault.help.clone())
}
