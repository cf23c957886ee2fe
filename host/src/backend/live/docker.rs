//! The Docker Engine of a runtime: the few questions and image names that a deploy needs, each under a deadline.
//!
//! Nothing here builds, prunes or forces, or removes a container that ever ran. What the engine says in its own words is
//! escaped and cut before it goes into an error.

mod diagnose;
mod facts;
mod load;
mod names;
mod story;
mod transport;
mod trouble;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::Empty;
use hyper::Request;

pub use diagnose::{diagnose, diagnose_there};
use facts::Lacks;
pub use facts::{ContainerFacts, ImageFacts, Network, ServiceContainer};
pub use load::Feed;
pub use trouble::Unpulled;
use trouble::{bounded, docker_at, failed, strange, unpulled};

use crate::answer::CallError;
use crate::artifact::Identity;
use crate::backend::live::whereabouts::Neighbour;
use crate::config::Limits;
use crate::names::{ComposeService, ContainerName, Digest};
use crate::words::quoted;

/// Longest part of an address that an error repeats, in characters.
const SHOWN: usize = 300;
/// Between two looks whether an engine is there again.
const PAUSE: Duration = Duration::from_millis(250);
/// By how much the library's own deadline is longer than any of the host's, in seconds.
const SPARE: u64 = 60;
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
    socket: Arc<Path>,
    address: String,
    id: Option<String>,
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
        Self::through(address, Path::new(path).into(), limits).await
    }

    /// The same, of an engine that is reached through another socket than its own; `address` is its own, for messages.
    ///
    /// # Errors
    /// `Unavailable`, naming the address and what to check, if no engine answers.
    pub async fn through(address: &str, socket: Arc<Path>, limits: &Limits) -> Result<Self, CallError> {
        let within = Duration::from_secs(limits.docker_seconds);
        // The library's own timeout covers a request up to its answer's headers. Every call here has its own deadline
        // around it, which knows what it is about, so this one only has to be longer than all of them.
        let longest = limits.docker_seconds.max(limits.delivery_seconds).saturating_add(SPARE);
        let docker = transport::client(Arc::clone(&socket), longest)
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
        Ok(Self {
            docker,
            socket,
            address: address.to_owned(),
            id: info.id.filter(|id| !id.is_empty()),
            store,
            within,
        })
    }

    /// Its own id, for as long as its storage is.
    ///
    /// # Errors
    /// `Other` for an engine that tells none: another one could not be told from it.
    pub fn id(&self) -> Result<&str, CallError> {
        self.id.as_deref().ok_or_else(|| {
            strange(&self.address, "learning which engine this is", "it shows no id of its own")
        })
    }

    /// The address it was reached at; also right as `DOCKER_HOST`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How a person reaches the same engine: `docker -H unix:///…`.
    #[must_use]
    pub fn command(&self) -> String {
        docker_at(&self.address)
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
        let found = self.found(&what, self.docker.inspect_image(name)).await?;
        found.map(ImageFacts::try_from).transpose().map_err(|lacks| self.lacking(&what, lacks))
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
    ) -> impl Stream<Item = Result<CreateImageInfo, Unpulled>> + Send + Unpin {
        let version = self.docker.client_version();
        // Only the brackets of an IPv6 address are nothing for a query.
        let from = repository.replace('[', "%5B").replace(']', "%5D");
        let path = format!(
            "/v{}.{}/images/create?fromImage={from}&tag={digest}",
            version.major_version, version.minor_version
        );
        let address = self.address.clone();
        let what = format!("pulling {repository}@{digest}");
        let request = Request::post(path).body(Empty::<Bytes>::new());
        Box::pin(story::of(Arc::clone(&self.socket), request))
            .map(move |line| line.map_err(|error| unpulled(&address, &what, &error)))
    }

    /// The container called exactly `name`; nothing where there is none.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn container(&self, name: &ContainerName) -> Result<Option<ContainerFacts>, CallError> {
        let what = format!("looking at container {name}");
        let call = self.docker.inspect_container(name.as_str(), None::<InspectContainerOptions>);
        let facts = self.found(&what, call).await?.map(ContainerFacts::try_from).transpose();
        let facts = facts.map_err(|lacks| self.lacking(&what, lacks))?;
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

    /// All containers that run.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn running(&self) -> Result<Vec<Neighbour>, CallError> {
        let options = ListContainersOptionsBuilder::new().build();
        let listed = self.call("listing the containers", self.docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().map(facts::neighbour).collect())
    }

    /// Removes the containers of `service` that Compose made and never started. It does not find its way among them: with
    /// one of them beside the running container, its next `up` may leave no container at all.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered; `Mismatch` for one that runs by now.
    pub async fn clear_unfinished(&self, project: &str, service: &ComposeService) -> Result<(), CallError> {
        for one in self.service_containers(project, service).await?.iter().filter(|one| one.unfinished) {
            let options = RemoveContainerOptionsBuilder::new().force(false).build();
            let what = format!("removing the unfinished container {}", one.name);
            self.found(&what, self.docker.remove_container(&one.name, Some(options))).await?;
        }
        Ok(())
    }

    /// Waits until the engine answers, no longer than for one answer: one that is just being restarted is back in seconds.
    pub async fn back(&self) {
        let answers = async {
            while self.docker.ping().await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        // One that is not back says so to the next question.
        let _ = tokio::time::timeout(self.within, answers).await;
    }

    fn lacking(&self, what: &str, lacks: Lacks) -> CallError {
        strange(&self.address, what, lacks.0)
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

#[cfg(test)]
mod tests;
