//! How an engine is reached, and what it says about its containers and images.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{Error, Result, process};

/// The `docker` program, pointed at one engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Docker {
    host: Option<String>,
    config: Option<PathBuf>,
}

impl Docker {
    /// The engine that a plain `docker` reaches: `DOCKER_HOST`, the current context or the default socket.
    #[must_use]
    pub fn of_the_user() -> Self {
        Self::default()
    }

    /// The engine at an address such as `unix:///run/x.sock`.
    #[must_use]
    pub fn at(host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), config: None }
    }

    /// The same engine, with another `DOCKER_CONFIG`: this is how a Compose that is not installed is found.
    #[must_use]
    pub fn with_config(self, config: Option<PathBuf>) -> Self {
        Self { config, ..self }
    }

    /// The `DOCKER_CONFIG` folder, if it is not the user's.
    #[must_use]
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// A `docker` command for this engine.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new("docker");
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host).env_remove("DOCKER_CONTEXT");
        }
        if let Some(config) = &self.config {
            command.env("DOCKER_CONFIG", config);
        }
        command
    }

    /// Runs `docker` with these arguments and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        process::output(self.command().args(arguments))
    }

    /// Whether the engine answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.run(&["version", "--format", "{{.Server.Version}}"]).is_ok()
    }

    /// The address of the engine.
    pub fn endpoint(&self) -> Result<String> {
        match &self.host {
            Some(host) => Ok(host.clone()),
            // `DOCKER_HOST` and the current context are both taken into account here.
            None => self.run(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]),
        }
    }

    /// What `docker inspect` says about a container, or nothing if there is none of this name.
    pub fn container(&self, name: &str) -> Result<Option<Value>> {
        let filter = format!("name=^/{name}$");
        if self.run(&["ps", "--all", "--quiet", "--filter", &filter])?.is_empty() {
            return Ok(None);
        }
        let text = self.run(&["container", "inspect", name])?;
        let mut all: Vec<Value> = parse("docker container inspect", &text)?;
        Ok(all.pop())
    }

    /// The id of every image name whose repository is `repository`.
    pub fn image_names(&self, repository: &str) -> Result<BTreeMap<String, String>> {
        let format = "{{.Repository}}:{{.Tag}} {{.ID}}";
        let text = self.run(&["image", "ls", "--no-trunc", "--format", format, repository])?;
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(name, id)| (name.to_owned(), id.to_owned())).collect())
    }

    /// Removes those of these images that are there, with all their names; each by any digest that an engine may know it by.
    pub fn remove_images<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a String>,
    ) -> Result<Vec<&'a String>> {
        let present = self.run(&["image", "ls", "--all", "--quiet", "--no-trunc"])?;
        let here = digests.into_iter().filter(|digest| present.lines().any(|line| line == *digest));
        here.map(|digest| self.run(&["image", "rm", "--force", digest]).map(|_| digest)).collect()
    }

    /// The address of a container in its first network.
    pub fn address(&self, container: &str) -> Result<String> {
        let networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        let text = self.run(&["container", "inspect", "--format", networks, container])?;
        let first = text.split_whitespace().next().map(str::to_owned);
        first.ok_or_else(|| Error::unexpected(format!("the address of {container}"), "it is in no network"))
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::unexpected(what, error))
}
