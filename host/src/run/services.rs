//! Which services can be deployed where.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Host;
use crate::fault::Fault;
use crate::names::{Environment, RuntimeName, ServiceName, Shape};

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

impl Host {
    /// Every service that has a plugin or that policy knows, by name.
    pub fn services(&self) -> Result<Vec<ServiceRow>, Fault> {
        Ok(self.service_names()?.iter().map(|name| self.service(name)).collect())
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

    fn service(&self, name: &ServiceName) -> ServiceRow {
        let described = self
            .engine
            .load(name, &self.config.component(name))
            .and_then(|loaded| self.engine.describe(&loaded, tokio::runtime::Handle::current()));
        match described {
            Ok(descriptor) => ServiceRow {
                service: name.clone(),
                version: descriptor.version,
                environments: descriptor
                    .environments
                    .into_iter()
                    .map(|one| EnvironmentRow { name: one.name, shape: one.shape, runtime: one.runtime })
                    .collect(),
                error: None,
            },
            Err(fault) => ServiceRow {
                service: name.clone(),
                version: String::new(),
                environments: Vec::new(),
                error: Some(fault.to_string()),
            },
        }
    }
}
