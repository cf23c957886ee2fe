//! What a deploy changes, taken down so that it can be compared.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    Error, Project, Result, http,
    image::REVISION,
    project::{NEIGHBOUR, PROJECT_MANAGER, Service},
};

/// Everything that a refused deploy must leave as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The container's id, and when it was started.
    pub container: Option<(String, String)>,
    /// The neighbour's id, and when it was started.
    pub neighbour: Option<(String, String)>,
    /// Every image name of the service with its id.
    pub images: BTreeMap<String, String>,
    /// The env file.
    pub env_file: Vec<u8>,
}

impl Snapshot {
    /// Takes it down.
    pub fn of(project: &Project) -> Result<Self> {
        Self::of_service(project, &PROJECT_MANAGER)
    }

    /// Takes it down for another service.
    pub fn of_service(project: &Project, service: &Service) -> Result<Self> {
        let docker = project.docker();
        let neighbour = format!("{}-{NEIGHBOUR}-1", project.name());
        let mut images = docker.image_names(service.name)?;
        for before in ["*/", "*/*/"] {
            images.extend(docker.image_names(&format!("{before}{}", service.name))?);
        }
        let env_file = project.env_file();
        Ok(Self {
            container: docker.container(service.container)?.map(|container| identity(&container)),
            neighbour: docker.container(&neighbour)?.map(|container| identity(&container)),
            images,
            env_file: fs::read(&env_file).map_err(Error::io(format!("read {}", env_file.display())))?,
        })
    }

    /// What is not as it was, in words; empty if all is.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<&'static str> {
        let compared = [
            ("the container", self.container == after.container),
            ("the neighbour", self.neighbour == after.neighbour),
            ("the image names", self.images == after.images),
            ("the env file", self.env_file == after.env_file),
        ];
        compared.into_iter().filter(|(_, same)| !same).map(|(what, _)| what).collect()
    }
}

fn identity(container: &Value) -> (String, String) {
    (text(container, "/Id"), text(container, "/State/StartedAt"))
}

/// Which commit runs, from the four places that can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The revision label of the container's image.
    pub label: String,
    /// The stamped commit in the container's environment.
    pub env: String,
    /// `/deploy/commit` of the health answer.
    pub health_commit: String,
    /// `/deploy/requestedCommit` of the health answer.
    pub health_requested: String,
}

impl Running {
    /// Asks the engine and the container itself.
    pub fn of(project: &Project) -> Result<Self> {
        Self::of_service(project, &PROJECT_MANAGER)
    }

    /// The same of another service.
    pub fn of_service(project: &Project, service: &Service) -> Result<Self> {
        let docker = project.docker();
        let container = docker.container(service.container)?;
        let container =
            container.ok_or_else(|| Error::unexpected(service.container, "there is no such container"))?;
        let mut env = container.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
        let stamp = format!("{}COMMIT=", service.stamp_prefix());
        let env = env.find_map(|entry| entry.as_str()?.strip_prefix(&stamp)).unwrap_or_default();
        let labels = container.pointer("/Config/Labels");
        let label = labels.and_then(|labels| labels.get(REVISION)?.as_str()).unwrap_or_default();

        let address = format!("{}:8080", docker.address(service.container)?);
        let answer = http::get(&address, "/health")?;
        let health: Value = serde_json::from_str(&answer.body)
            .map_err(|error| Error::unexpected(format!("http://{address}/health"), error))?;
        if answer.status != 200 {
            return Err(Error::unexpected(format!("http://{address}/health"), answer.status));
        }
        Ok(Self {
            label: label.to_owned(),
            env: env.to_owned(),
            health_commit: text(&health, "/deploy/commit"),
            health_requested: text(&health, "/deploy/requestedCommit"),
        })
    }

    /// Whether all four say this commit.
    #[must_use]
    pub fn is(&self, commit: &str) -> bool {
        [&self.label, &self.env, &self.health_commit, &self.health_requested]
            .into_iter()
            .all(|it| it == commit)
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
