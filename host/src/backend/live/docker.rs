//! The Docker Engine of a runtime: the few questions and image names that a deploy needs, each under a deadline.
//!
//! Nothing here removes a container, builds, prunes or forces. What the engine says in its own words is escaped and cut
//! before it goes into an error.

mod diagnose;
mod facts;

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::{Stream, StreamExt};

pub use diagnose::diagnose;
pub use facts::{ContainerFacts, ImageFacts, Network, ServiceContainer};

use crate::answer::CallError;
use crate::artifact::Identity;
use crate::config::Limits;
use crate::names::{ComposeService, ContainerName, Digest};
use crate::words::{plain, quoted, seconds};

/// Longest part of an engine's own message that an error repeats, in characters.
const SHOWN: usize = 300;
/// The label by which Compose marks a container's project.
const PROJECT_LABEL: &str = "com.docker.compose.project";
/// The label by which Compose marks a container's service.
const SERVICE_LABEL: &str = "com.docker.compose.service";
/// The label by which Compose marks a container that it makes in the place of another.
const REPLACES_LABEL: &str = "com.docker.compose.replace";
/// The label by which Compose tells `docker compose run` from a service's own containers.
const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";

/// How an engine keeps images: it decides which digest it calls an image's id.
#[derive(Debug, Clone, Copy)]
enum ImageStore {
    /// The engine's own store: an image's id is the digest of its configuration.
    Classic,
    /// containerd's: an image's id is the digest of its manifest, or of its index if it was pulled by that.
    Containerd,
}

/// A connected engine.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    address: String,
    store: ImageStore,
    within: Duration,
}

impl Engine {
    /// Connects to `unix:///path/to/docker.sock`, agrees on a protocol version and asks how images are kept.
    ///
    /// # Errors
    /// `Invalid` for another kind of address; `Unavailable`, naming the address and what to check, if no engine answers.
    pub async fn connect(address: &str, limits: &Limits) -> Result<Self, CallError> {
        let Some(path) = address.strip_prefix("unix://").filter(|path| path.starts_with('/')) else {
            return Err(CallError::Invalid(format!(
                "the Docker address {} is none that this release can use; it reaches an engine through its socket, \
                 unix:///var/run/docker.sock",
                quoted(address, SHOWN)
            )));
        };
        let within = Duration::from_secs(limits.docker_seconds);
        // The library's own timeout covers a request up to its answer's headers. A pull may be silent for longer than
        // any other request; every call here has its own deadline around it, so this one only has to be the longest.
        let longest = limits.docker_seconds.max(limits.delivery_seconds);
        let docker = Docker::connect_with_unix(path, longest, bollard::API_DEFAULT_VERSION)
            .map_err(|error| failed(address, "connecting", &error))?;
        let (docker, info) = bounded(address, "connecting", within, async {
            let docker = docker.negotiate_version().await?;
            let info = docker.info().await?;
            Ok((docker, info))
        })
        .await?;
        let containerd = info.driver_status.iter().flatten().any(|pair| {
            matches!(pair.as_slice(), [key, value] if key == "driver-type" && value.starts_with("io.containerd."))
        });
        let store = if containerd { ImageStore::Containerd } else { ImageStore::Classic };
        Ok(Self { docker, address: address.to_owned(), store, within })
    }

    /// The address it was reached at; also right as `DOCKER_HOST`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How a person reaches the same engine: `docker -H unix:///…`.
    #[must_use]
    pub fn command(&self) -> String {
        format!("docker -H {}", self.address)
    }

    /// What this engine calls an image that was pulled by the digest the registry serves.
    #[must_use]
    pub fn id_of<'i>(&self, identity: &'i Identity) -> &'i Digest {
        match self.store {
            ImageStore::Classic => &identity.config,
            ImageStore::Containerd => identity.served(),
        }
    }

    /// The image called `name`, which is a name with tag or digest, or an id; nothing where there is none.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn image(&self, name: &str) -> Result<Option<ImageFacts>, CallError> {
        let what = format!("looking at image {name}");
        self.found(&what, self.docker.inspect_image(name)).await?.map(ImageFacts::try_from).transpose()
    }

    /// Gives the image called `source` the name `repository:tag`, taking it from any other image.
    ///
    /// # Errors
    /// `NotFound` where there is no such image.
    pub async fn tag(&self, source: &str, repository: &str, tag: &str) -> Result<(), CallError> {
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        let what = format!("naming {source} {repository}:{tag}");
        self.call(&what, self.docker.tag_image(source, Some(options))).await
    }

    /// Takes the name `name` away. The image stays while it has another name; untagged parents stay in any case.
    /// A name that is not there is as good as taken away.
    ///
    /// # Errors
    /// `Mismatch` where this is the last name of an image that a container uses: it is never forced.
    pub async fn untag(&self, name: &str) -> Result<(), CallError> {
        let options = RemoveImageOptionsBuilder::new().force(false).noprune(true).build();
        let what = format!("removing the name {name}");
        self.found(&what, self.docker.remove_image(name, Some(options), None)).await.map(drop)
    }

    /// Pulls `repository@digest`; ends when the engine has it. Dropped half-way, the engine stops pulling.
    /// Its caller sets the deadline, and looks at what arrived: the engine reports a failure inside the stream.
    pub fn pull(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> impl Stream<Item = Result<CreateImageInfo, CallError>> + Send + Unpin {
        let options = CreateImageOptionsBuilder::new().from_image(repository).tag(digest.as_str()).build();
        let address = self.address.clone();
        let what = format!("pulling {repository}@{digest}");
        Box::pin(self.docker.create_image(Some(options), None, None))
            .map(move |line| line.map_err(|error| unpulled(&address, &what, &error)))
    }

    /// The container called exactly `name`; nothing where there is none.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn container(&self, name: &ContainerName) -> Result<Option<ContainerFacts>, CallError> {
        let what = format!("looking at container {name}");
        let call = self.docker.inspect_container(name.as_str(), None::<InspectContainerOptions>);
        let facts = self.found(&what, call).await?.map(ContainerFacts::try_from).transpose()?;
        // The engine also takes the beginning of an id for a name.
        Ok(facts.filter(|facts| facts.name == name.as_str()))
    }

    /// All containers, running or not, that Compose keeps for `service` of `project`.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn service_containers(
        &self,
        project: &str,
        service: &ComposeService,
    ) -> Result<Vec<ServiceContainer>, CallError> {
        let labels = vec![
            format!("{PROJECT_LABEL}={project}"),
            format!("{SERVICE_LABEL}={service}"),
            format!("{ONE_OFF_LABEL}=False"),
        ];
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&HashMap::from([("label", labels)]))
            .build();
        let what = format!("listing the containers of service {service}");
        let mut found: Vec<_> = self
            .call(&what, self.docker.list_containers(Some(options)))
            .await?
            .into_iter()
            .filter_map(ServiceContainer::of)
            .collect();
        found.sort();
        Ok(found)
    }

    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        bounded(&self.address, what, self.within, call).await
    }

    async fn found<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, CallError> {
        match self.call(what, call).await {
            Ok(found) => Ok(Some(found)),
            Err(CallError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn bounded<T>(
    address: &str,
    what: &str,
    within: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(within, call).await {
        Ok(result) => result.map_err(|error| failed(address, what, &error)),
        Err(_) => Err(CallError::Unavailable(format!(
            "{what}: the Docker engine at {address} gave no answer within {} (limits.docker-seconds)",
            seconds(within)
        ))),
    }
}

/// The engine answers 500 when it does not get through to the registry: that may pass.
fn unpulled(address: &str, what: &str, error: &Error) -> CallError {
    match (failed(address, what, error), error) {
        (CallError::Other(text), Error::DockerResponseServerError { status_code: 500.., .. }) => {
            CallError::Unavailable(format!(
                "{text}; check that the registry runs and that the engine reaches it there"
            ))
        }
        (other, _) => other,
    }
}

fn failed(address: &str, what: &str, error: &Error) -> CallError {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let text =
                format!("{what}: the Docker engine answered {status_code}: {}", plain(message.trim(), SHOWN));
            match status_code {
                404 => CallError::NotFound(text),
                409 => CallError::Mismatch(text),
                503 => CallError::Unavailable(text),
                _ => CallError::Other(text),
            }
        }
        Error::DockerStreamError { error } => {
            CallError::Other(format!("{what}: the Docker engine says: {}", plain(error.trim(), SHOWN)))
        }
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::APIVersionParseError {} => {
            CallError::Other(format!(
                "{what}: what answers at {address} does not answer as a Docker engine does: {}",
                plain(&error.to_string(), SHOWN)
            ))
        }
        _ => CallError::Unavailable(format!(
            "{what}: the Docker engine at {address} cannot be reached ({}); check that it runs (`docker -H {address} \
             info`), that this user may open the socket (root, or a member of its group), and `docker` of this runtime \
             in host.toml",
            plain(&innermost(error), SHOWN)
        )),
    }
}

/// The last cause: the wrappers around it only say that something went wrong.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
