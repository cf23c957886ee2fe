//! A Compose project with the services that tests deploy, and the `host.toml` to deploy to it.

use std::{
    fmt::Display,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Bench, Docker, Error, PushedImage, Result, image::NAMESPACE, paths};

/// A service that can be deployed to the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, which is also that of its Compose service.
    pub name: &'static str,
    /// The image that the Compose file names.
    pub image: &'static str,
    /// The name that its container has, whatever the project: there can be one of it on an engine.
    pub container: &'static str,
    /// Keys of the env file that its container gets besides the stamp.
    pub secrets: &'static [&'static str],
}

/// The service that most tests deploy.
pub const PROJECT_MANAGER: Service =
    Service { name: SERVICE, image: SERVICE, container: CONTAINER, secrets: &[] };

/// The service with secrets.
pub const BAIDU_NETDISK: Service = Service {
    name: "baidu-netdisk",
    image: "baidu-netdisk",
    container: "baidu-netdisk-backend",
    secrets: &[
        "UNIDESK_BAIDU_NETDISK_CLIENT_ID",
        "UNIDESK_BAIDU_NETDISK_CLIENT_SECRET",
        "UNIDESK_BAIDU_NETDISK_TOKEN_KEY",
    ],
};

/// The service whose image has another name than it.
pub const FRONTEND: Service =
    Service { name: "frontend", image: "unidesk-frontend", container: "unidesk-frontend", secrets: &[] };

/// The service whose health knows nothing of deploys.
pub const TODO_NOTE: Service =
    Service { name: "todo-note", image: "todo-note", container: "todo-note-backend", secrets: &[] };

/// The service that is as plain as can be.
pub const OA_EVENT_FLOW: Service = Service {
    name: "oa-event-flow",
    image: "oa-event-flow",
    container: "oa-event-flow-backend",
    secrets: &[],
};

/// The service that everything else talks to.
pub const BACKEND_CORE: Service =
    Service { name: "backend-core", image: "backend-core", container: "unidesk-backend-core", secrets: &[] };

/// The service that only a supervisor lets be deployed.
pub const CODE_QUEUE_MGR: Service = Service {
    name: "code-queue-mgr",
    image: "code-queue-mgr",
    container: "code-queue-mgr-backend",
    secrets: &[],
};

/// A service that runs on D601.
pub const FINDJOB: Service =
    Service { name: "findjob", image: "findjob", container: "findjob-backend", secrets: &[] };

/// Another one there.
pub const PIPELINE: Service =
    Service { name: "pipeline", image: "pipeline", container: "pipeline-backend", secrets: &[] };

/// One there that cannot be deployed yet.
pub const MET_NONLINEAR: Service = Service {
    name: "met-nonlinear",
    image: "met-nonlinear",
    container: "met-nonlinear-backend",
    secrets: &[],
};

/// All that are in the project of the main server, beside the neighbour.
pub const SERVICES: [Service; 7] =
    [PROJECT_MANAGER, BAIDU_NETDISK, FRONTEND, TODO_NOTE, OA_EVENT_FLOW, BACKEND_CORE, CODE_QUEUE_MGR];

impl Service {
    /// What the keys of its stamp begin with.
    #[must_use]
    pub fn stamp_prefix(&self) -> String {
        format!("UNIDESK_{}_DEPLOY_", self.name.to_uppercase().replace('-', "_"))
    }
}

/// The service that is deployed.
pub const SERVICE: &str = "project-manager";

/// The name that its container has, whatever the project: there can be one of it on an engine.
pub const CONTAINER: &str = "project-manager-backend";

/// The service beside it that no deploy may touch.
pub const NEIGHBOUR: &str = "neighbour";

/// The image of the neighbour, which exists in the engine only.
pub const NEIGHBOUR_IMAGE: &str = "host-lab-neighbour";

/// What differs between projects.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the components are; `target/plugins` if not set.
    pub plugins: Option<PathBuf>,
    /// Where the policies are; those of the release if not set.
    pub policies: Option<PathBuf>,
    /// What `[registry]` says; that of the lab if not set.
    pub registry: Option<String>,
    /// More lines for the beginning of `host.toml`, before the first table.
    pub head: String,
    /// More tables for the end of `host.toml`.
    pub tables: String,
}

/// A project on disk, and the engine that it is for.
#[derive(Clone, Debug)]
pub struct Project {
    directory: PathBuf,
    name: String,
    docker: Docker,
}

impl Project {
    /// Writes a project into a folder. What it has written there before is replaced, but for the env file.
    pub fn write(directory: &Path, name: &str, bench: &Bench, settings: &Settings) -> Result<Self> {
        let docker = bench.docker().clone();
        let project = Self { directory: directory.to_owned(), name: name.to_owned(), docker };
        write_files(directory, &SERVICES)?;
        if !project.env_file().exists() {
            project.write_env_file(ENV_FILE)?;
        }
        paths::write(&project.host_toml(), host_toml(&project, bench, settings)?)?;
        Ok(project)
    }

    /// Its name for Compose.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The engine that it is for.
    #[must_use]
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The configuration for `host`.
    #[must_use]
    pub fn host_toml(&self) -> PathBuf {
        self.directory.join("host.toml")
    }

    /// The env file that deploys are stamped into.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.directory.join(ENV_FILE_PATH)
    }

    /// Replaces the env file, readable by its owner only.
    pub fn write_env_file(&self, content: impl AsRef<[u8]>) -> Result<()> {
        let file = self.env_file();
        paths::write(&file, content)?;
        let owner_only = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file, owner_only).map_err(Error::io(format!("protect {}", file.display())))
    }

    /// The `host` program with the configuration of this project.
    pub fn host(&self) -> Result<Command> {
        let mut host = Command::new(paths::host()?);
        if let Some(config) = self.docker.config() {
            host.env("DOCKER_CONFIG", config);
        }
        host.arg("--config").arg(self.host_toml());
        Ok(host)
    }

    /// A `docker compose` command for this project, as a person would run it.
    #[must_use]
    pub fn compose(&self) -> Command {
        let mut compose = self.docker.command();
        compose
            .current_dir(&self.directory)
            .args(["compose", "--project-name", &self.name, "--env-file"])
            .arg(self.env_file());
        compose
    }

    /// Starts the neighbour from an image in the registry.
    pub fn start_neighbour(&self, image: &PushedImage) -> Result<()> {
        self.docker.run(&["pull", "--quiet", &image.reference])?;
        self.docker.run(&["tag", &image.reference, NEIGHBOUR_IMAGE])?;
        self.docker.run(&["image", "rm", &image.reference])?;
        crate::process::run(self.compose().args(["up", "--detach", "--no-build", NEIGHBOUR]))
    }

    /// Removes the containers and networks of the project; its files stay.
    pub fn remove(&self) -> Result<()> {
        remove(&self.docker, &self.name)
    }
}

/// Fails if the engine has a container or an image that deploys to a project of the lab would replace.
pub fn must_be_unused(docker: &Docker) -> Result<()> {
    let remedy = "if it is the demo's: cargo xtask demo --clean; if it is that of `lab up`: cargo xtask lab down; else use \
                  another engine (DOCKER_HOST)";
    let taken = |what| Err(Error::Taken { what, remedy: remedy.to_owned() });
    for Service { container, .. } in SERVICES {
        if docker.container(container)?.is_some() {
            return taken(format!("a container {container}"));
        }
    }
    for name in SERVICES.map(|service| service.image).into_iter().chain([NEIGHBOUR_IMAGE]) {
        if !docker.image_names(name)?.is_empty() {
            return taken(format!("an image {name}"));
        }
    }
    Ok(())
}

/// Writes the Compose file with these services and the neighbour, what names the env file, and a folder for that.
pub(crate) fn write_files(directory: &Path, services: &[Service]) -> Result<()> {
    paths::make_folder(&directory.join(".state"))?;
    paths::write(&directory.join("docker-compose.yml"), compose_file(services))?;
    paths::write(&directory.join("config.json"), CONFIG)
}

/// Removes the containers and networks that carry the label of a Compose project.
pub fn remove(docker: &Docker, project: &str) -> Result<()> {
    let filter = format!("label=com.docker.compose.project={project}");
    for (list, remove) in [
        (["ps", "--all", "--quiet"].as_slice(), ["rm", "--force", "--volumes"].as_slice()),
        (&["network", "ls", "--quiet"], &["network", "rm"]),
    ] {
        let ids = docker.run(&[list, &["--filter", &filter]].concat())?;
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            docker.run(&[remove, ids.as_slice()].concat())?;
        }
    }
    Ok(())
}

const CONFIG: &str = r#"{
  "providerGateway": { "upgrade": { "composeEnvFile": ".state/compose.env" } }
}
"#;

/// Where the env file is in the project, as [`CONFIG`] says.
pub(crate) const ENV_FILE_PATH: &str = ".state/compose.env";

/// Lines that a deploy has no business with.
pub(crate) const ENV_FILE: &str = "\
# Settings of this machine, kept by hand
TZ=Etc/UTC

DATABASE_URL=\"postgres://db.internal/unidesk?sslmode=require\"  # quotes and a comment
FEATURES='a,b'
";

fn compose_file(services: &[Service]) -> String {
    let services = services.iter().map(|service| {
        let Service { name, image, container, secrets } = service;
        let stamps = ["COMMIT", "REQUESTED_COMMIT", "SERVICE_ID", "SOURCE_REPO"];
        let stamps = stamps.map(|suffix| format!("{}{suffix}", service.stamp_prefix()));
        let keys = stamps.into_iter().chain(secrets.iter().map(|&key| key.to_owned()));
        let environment = keys.map(|key| format!("      {key}: ${{{key}:-}}\n")).collect::<Vec<_>>().concat();
        format!(
            "  {name}:\n    image: {image}\n    container_name: {container}\n    environment:\n{environment}"
        )
    });
    format!("services:\n{}  {NEIGHBOUR}:\n    image: {NEIGHBOUR_IMAGE}\n", services.collect::<String>())
}

fn host_toml(project: &Project, bench: &Bench, settings: &Settings) -> Result<String> {
    let plugins = settings.plugins.clone().map_or_else(paths::plugins, Ok)?;
    let policies = settings.policies.clone().unwrap_or_else(paths::policies);
    Ok(format!(
        r#"plugins = {plugins}
policies = {policies}
state = "state"
cache = "cache"
{head}
[registry]
{registry}

[runtimes.main-server]
kind = "compose"
docker = {docker}
project = {name}
project-directory = "."
files = ["docker-compose.yml"]
env-file = "config.json#/providerGateway/upgrade/composeEnvFile"
{tables}"#,
        plugins = quoted(plugins.display()),
        policies = quoted(policies.display()),
        registry = settings.registry.clone().unwrap_or_else(|| {
            format!("url = {}\nnamespace = {}", quoted(bench.registry().url()), quoted(NAMESPACE))
        }),
        docker = quoted(bench.docker().endpoint()?),
        name = quoted(&project.name),
        head = settings.head,
        tables = settings.tables,
    ))
}

/// A basic string of TOML is written like a string of JSON.
fn quoted(value: impl Display) -> serde_json::Value {
    serde_json::Value::String(value.to_string())
}
