//! Everything that a test needs, as `lab run` prepared it.

use std::{env, path::Path};

use crate::{Docker, Error, Project, Registry, Result, project::Settings};

/// The engine's address.
pub const DOCKER_HOST: &str = "HOST_LAB_DOCKER_HOST";

/// The `DOCKER_CONFIG` that makes Compose work, where it is not installed.
pub const DOCKER_CONFIG: &str = "HOST_LAB_DOCKER_CONFIG";

/// The registry's `host:port`.
pub const REGISTRY: &str = "HOST_LAB_REGISTRY";

/// An engine with Compose v2, and a registry.
#[derive(Debug)]
pub struct Bench {
    docker: Docker,
    registry: Registry,
}

impl Bench {
    /// What was found or started.
    #[must_use]
    pub fn new(docker: Docker, registry: Registry) -> Self {
        Self { docker, registry }
    }

    /// What `lab run` prepared for this test.
    pub fn from_environment() -> Result<Self> {
        let value = |key| env::var(key).ok().filter(|value| !value.is_empty());
        let (Some(host), Some(registry)) = (value(DOCKER_HOST), value(REGISTRY)) else {
            return Err(Error::Missing {
                what: "the lab",
                why: format!("{DOCKER_HOST} and {REGISTRY} are not set"),
                remedy: "run the tests with `cargo xtask test`".to_owned(),
            });
        };
        let docker = Docker::at(host).with_config(value(DOCKER_CONFIG).map(Into::into));
        Ok(Self::new(docker, Registry::at(registry)))
    }

    /// The variables that [`from_environment`](Self::from_environment) reads.
    pub fn environment(&self) -> Result<Vec<(&'static str, String)>> {
        let config = self.docker.config().map(|folder| folder.display().to_string());
        Ok(vec![
            (DOCKER_HOST, self.docker.endpoint()?),
            (DOCKER_CONFIG, config.unwrap_or_default()),
            (REGISTRY, self.registry.address().to_owned()),
        ])
    }

    /// The engine.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Writes a project for this bench.
    pub fn project(&self, directory: &Path, name: &str, settings: &Settings) -> Result<Project> {
        Project::write(directory, name, self, settings)
    }
}
