//! Which services can be deployed where.

use serde::Serialize;

use super::Host;
use crate::fault::Fault;
use crate::names::ServiceName;

/// A service and where it can be deployed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// Its name.
    pub service: String,
    /// Of its plugin.
    pub version: String,
    /// Supported ones.
    pub environments: Vec<EnvironmentRow>,
    /// Why its plugin cannot be used.
    pub error: Option<String>,
}

/// One supported environment.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentRow {
    /// `dev`, `prod`.
    pub name: String,
    /// How it is deployed there.
    pub shape: String,
    /// Where that is.
    pub runtime: String,
}

impl Host {
    /// Every service that has a plugin or that policy knows, by name.
    pub fn services(&self) -> Result<Vec<ServiceRow>, Fault> {
        let mut names = self.policy.plugins();
        let folder = &self.config.plugins;
        let entries = std::fs::read_dir(folder).map_err(|error| {
            Fault::usage(
                "plugins-folder",
                format!("the plugin folder {} cannot be read: {error}", folder.display()),
                "set `plugins` in host.toml to the folder of the components",
            )
        })?;
        names.extend(entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            ServiceName::parse(name.strip_suffix(".wasm")?).ok()
        }));
        names.sort();
        names.dedup();
        Ok(names.iter().map(|name| self.service(name)).collect())
    }

    fn service(&self, name: &ServiceName) -> ServiceRow {
        let described = self
            .engine
            .load(name, &self.config.component(name))
            .and_then(|loaded| self.engine.describe(&loaded, tokio::runtime::Handle::current()));
        match described {
            Ok(descriptor) => ServiceRow {
                service: name.to_string(),
                version: descriptor.version,
                environments: descriptor
                    .environments
                    .into_iter()
                    .map(|one| EnvironmentRow {
                        name: one.name.to_string(),
                        shape: one.shape,
                        runtime: one.runtime.to_string(),
                    })
                    .collect(),
                error: None,
            },
            Err(fault) => ServiceRow {
                service: name.to_string(),
                version: String::new(),
                environments: Vec::new(),
                error: Some(fault.to_string()),
            },
        }
    }
}
