//! A Compose project on D601, as a person there would keep it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;

use super::{D601, rootfs::SERVICES};
use crate::{
    Error, Result, paths,
    project::{ENV_FILE, ENV_FILE_PATH, Service, write_files},
};

/// The label of Compose that names the project of a container or a network.
const LABEL: &str = "label=com.docker.compose.project";

/// A project there; its containers and files live as long as D601 does.
#[derive(Clone, Debug)]
pub struct RemoteProject<'a> {
    d601: &'a D601,
    name: String,
}

impl<'a> RemoteProject<'a> {
    /// Writes the files of a project into the folder for projects there, with these services and the neighbour.
    pub(super) fn write(d601: &'a D601, name: &str, services: &[Service]) -> Result<Self> {
        let project = Self { d601, name: name.to_owned() };
        let work = tempfile::tempdir().map_err(Error::io("make a temporary folder"))?;
        let folder = work.path().join(name);
        write_files(&folder, services)?;
        d601.copy(&folder, SERVICES)?;
        project.write_env_file(ENV_FILE)?;
        Ok(project)
    }

    /// Its name for Compose.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder there.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{SERVICES}/{}", self.name)
    }

    /// The env file there that deploys are stamped into.
    #[must_use]
    pub fn env_file(&self) -> String {
        format!("{}/{ENV_FILE_PATH}", self.directory())
    }

    /// What is in the env file now.
    pub fn read_env_file(&self) -> Result<String> {
        self.d601.ssh(&["cat", &self.env_file()])
    }

    /// Replaces the env file, readable by its owner only.
    pub fn write_env_file(&self, content: impl AsRef<[u8]>) -> Result<()> {
        let work = tempfile::tempdir().map_err(Error::io("make a temporary folder"))?;
        let file = work.path().join("env");
        paths::write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
            .map_err(Error::io(format!("protect {}", file.display())))?;
        self.d601.copy(&file, &self.env_file())
    }

    /// Runs `docker compose` for this project there, as a person would, and gives what it printed.
    pub fn compose(&self, arguments: &[&str]) -> Result<String> {
        let (file, env_file) = (format!("{}/docker-compose.yml", self.directory()), self.env_file());
        let compose = ["docker", "compose", "--project-name", &self.name, "--file", &file];
        self.d601.ssh(&[&compose, ["--env-file", env_file.as_str()].as_slice(), arguments].concat())
    }

    /// What `docker inspect` there says about a container, or nothing if there is none of this name.
    pub fn container(&self, name: &str) -> Result<Option<Value>> {
        let filter = format!("name=^/{name}$");
        if self.d601.ssh(&["docker", "ps", "--all", "--quiet", "--filter", &filter])?.is_empty() {
            return Ok(None);
        }
        let text = self.d601.ssh(&["docker", "container", "inspect", name])?;
        let mut all: Vec<Value> = serde_json::from_str(&text)
            .map_err(|error| Error::unexpected("docker container inspect on D601", error))?;
        Ok(all.pop())
    }

    /// What a container there answers to `GET /health`, asked there.
    pub fn health(&self, container: &str) -> Result<Value> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        let addresses = self.d601.ssh(&["docker", "container", "inspect", "--format", format, container])?;
        let address = addresses.split_whitespace().next().unwrap_or_default();
        let url = format!("http://{address}:8080/health");
        let body = self.d601.ssh(&["curl", "--silent", "--max-time", "5", &url])?;
        serde_json::from_str(&body).map_err(|error| Error::unexpected(url, error))
    }

    /// Removes its containers and networks; its files stay.
    pub fn remove(&self) -> Result<()> {
        let filter = format!("{LABEL}={}", self.name);
        for (list, remove) in [
            (
                ["docker", "ps", "--all", "--quiet"].as_slice(),
                ["docker", "rm", "--force", "--volumes"].as_slice(),
            ),
            (&["docker", "network", "ls", "--quiet"], &["docker", "network", "rm"]),
        ] {
            let ids = self.d601.ssh(&[list, &["--filter", &filter]].concat())?;
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                self.d601.ssh(&[remove, ids.as_slice()].concat())?;
            }
        }
        Ok(())
    }
}
