//! `compose.activate`: the stable names move to the delivered image, the stamp goes into the env file, and the one service
//! is recreated. One change: either all of it holds, or what was there before.

mod back;
mod started;
mod state;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

pub use started::{Started, still_same};
use state::{ActivationState, Difference, Running};

use super::compose::Compose;
use super::delivery::{foreign, identity};
use super::docker::{ContainerFacts, Engine, ServiceContainer};
use super::env_file::{EnvFile, Stamp};
use super::machine::{Lock, Machine};
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::backend::change::{Change, Unmade};
use crate::config::{ComposeRuntime, Limits};
use crate::operation::Activate;
use crate::progress::{Interrupt, Watcher};
use crate::provenance::{Mark, Provenance};

/// Between two tries for the project's lock.
const PAUSE: Duration = Duration::from_millis(200);
/// How old a check of the Compose files may be when it is relied upon: after a longer delivery it is made again.
const FRESH: Duration = Duration::from_secs(5);
/// Seconds of the longest wait: an instant cannot be moved by an arbitrary configured number.
const DAY: u64 = 24 * 60 * 60;

/// The activation of one artifact as one service of a Compose project.
pub struct Activation<'a> {
    engine: &'a Engine,
    machine: Machine,
    compose: Compose,
    env_file: EnvFile,
    identity: &'a Identity,
    call: &'a Activate,
    /// What is written beside the stamp: which run it was.
    mark: Stamp,
    started: OnceLock<Started>,
    /// How long another service's activation is waited for: no longer than one may take.
    patience: Duration,
    early: tokio::sync::Mutex<Option<EarlyCheck>>,
}

/// A check of the Compose project that runs already; it ends with whoever was to rely on it.
pub struct EarlyCheck {
    begun: Instant,
    task: JoinHandle<Result<(), CallError>>,
}

impl Drop for EarlyCheck {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<'a> Activation<'a> {
    /// `env_file` is where the runtime's env file is, on `machine`; touches nothing.
    ///
    /// # Errors
    /// `Invalid` where the artifact was not looked up in the registry.
    pub fn new(
        engine: &'a Engine,
        machine: Machine,
        runtime: &ComposeRuntime,
        env_file: PathBuf,
        artifact: &'a Artifact,
        call: &'a Activate,
        limits: &Limits,
    ) -> Result<Self, CallError> {
        Ok(Self {
            engine,
            compose: Compose::new(machine.clone(), runtime, &env_file, limits)
                .showing(call.stamp.iter().map(|pair| pair.key.clone()).collect()),
            env_file: EnvFile::new(machine.clone(), env_file, &artifact.service),
            machine,
            identity: identity(artifact)?,
            call,
            mark: Provenance::key(&artifact.service).map(|key| (key, None)).into_iter().collect(),
            started: OnceLock::new(),
            patience: Duration::from_secs(limits.compose_seconds.min(DAY)),
            early: tokio::sync::Mutex::new(None),
        })
    }

    /// The same; its stamp says which run it was.
    #[must_use]
    pub fn marking(mut self, mark: Option<&Mark>) -> Self {
        let commit = &self.call.artifact.commit;
        let provenance = mark.map(|mark| Provenance::new(mark, commit, self.identity));
        for value in self.mark.values_mut() {
            *value = provenance.as_ref().and_then(Provenance::written);
        }
        self
    }

    /// The container that [`Change::apply`] started; nothing before that, and nothing if it failed.
    #[must_use]
    pub fn started(&self) -> Option<&Started> {
        self.started.get()
    }

    /// A check of the Compose project that was begun a moment ago is not made twice.
    #[must_use]
    pub fn with_check(mut self, early: Option<EarlyCheck>) -> Self {
        self.early = tokio::sync::Mutex::new(early);
        self
    }

    /// Begins the check of the Compose project. It only reads: it may run while the image is delivered.
    #[must_use]
    pub fn begin_check(&self) -> EarlyCheck {
        let (compose, call) = (self.compose.clone(), self.call.clone());
        EarlyCheck { begun: Instant::now(), task: tokio::spawn(async move { compose.check(&call).await }) }
    }

    async fn check_project(&self) -> Result<(), CallError> {
        match self.early.lock().await.take() {
            Some(mut early) if early.begun.elapsed() < FRESH => (&mut early.task).await.map_err(|error| {
                CallError::Other(format!("the check of the Compose files ended early: {error}"))
            })?,
            _ => self.compose.check(self.call).await,
        }
    }

    /// The stable names as the Compose file's `image` means them.
    fn moving_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.call.stable_names.iter().map(|name| (name.as_str(), "latest"))
    }

    /// The stable names with the commit: they say later which commit ran, and are what a rollback goes back to. The name
    /// under which the image was delivered is the delivery's own.
    fn pinned_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let commit = self.call.artifact.commit.as_str();
        let names = self.call.stable_names.iter().filter(|name| **name != self.call.delivered);
        names.map(move |name| (name.as_str(), commit))
    }

    async fn state(&self) -> Result<ActivationState, CallError> {
        let mut names = state::Names::new();
        for (repository, tag) in self.moving_names().chain(self.pinned_names()) {
            let name = format!("{repository}:{tag}");
            let image = self.engine.image(&name).await?.map(|image| image.id);
            names.insert(name, image);
        }
        let container = match self.container().await? {
            Some(found) => Some(Running::of(&found, self.engine.image(&found.image).await?.as_ref())),
            None => None,
        };
        let keys = self.call.stamp.iter().map(|pair| &pair.key).chain(self.mark.keys());
        let stamp = self.env_file.read_stamp(keys).await?;
        Ok(ActivationState { container, names, stamp })
    }

    async fn container(&self) -> Result<Option<ContainerFacts>, CallError> {
        self.engine.container(&self.call.container).await
    }

    /// Compose would stumble over a container that is not its own half-way; known before, nothing has happened yet.
    async fn check_containers(&self) -> Result<(), CallError> {
        let (project, service, wanted) = (self.compose.project(), &self.call.service, &self.call.container);
        if let Some(found) = self.container().await?
            && found
                .owner
                .as_ref()
                .is_none_or(|one| one.project != project || one.service != service.as_str())
        {
            let owner = found.owner.map_or_else(
                || "was not made by Compose".to_owned(),
                |owner| format!("belongs to service {} of Compose project {}", owner.service, owner.project),
            );
            return Err(CallError::Mismatch(format!(
                "the container {wanted} {owner}; service {service} of project {project} cannot take its place. If the \
                 name is right, remove that container first: `{} rm -f {wanted}`",
                self.engine.command()
            )));
        }
        let all = self.engine.service_containers(project, service).await?;
        match all.iter().find(|one| one.name != wanted.as_str() && !one.unfinished) {
            None => Ok(()),
            Some(ServiceContainer { name: other, .. }) => Err(CallError::Mismatch(format!(
                "service {service} of project {project} has a container {other} beside {wanted}, where there must be one; \
                 remove it first: `{} rm -f {other}`",
                self.engine.command()
            ))),
        }
    }

    /// The delivered image, by what the engine calls it.
    async fn delivered(&self) -> Result<String, CallError> {
        let name = format!("{}:{}", self.call.delivered, self.call.artifact.commit);
        match self.engine.image(&name).await? {
            Some(image) if self.identity.is_called(&image.id) => Ok(image.id),
            Some(image) => Err(foreign(self.engine, &name, &image.id, self.identity)),
            None => Err(CallError::NotFound(format!(
                "{name} was not delivered into this engine; nothing was changed"
            ))),
        }
    }

    /// Two hosts may have looked at the same state; the one that comes second must look again.
    async fn check_unchanged(&self, before: &ActivationState) -> Result<(), CallError> {
        let now = self.state().await?;
        let moved = self
            .moving_names()
            .map(|(repository, tag)| format!("{repository}:{tag}"))
            .find(|name| now.names.get(name) != before.names.get(name));
        let what = match moved {
            Some(name) => format!("the image {name}"),
            None if now.container != before.container => format!("the container {}", self.call.container),
            None if now.stamp != before.stamp => format!("the stamp in {}", self.env_file.path().display()),
            None => return Ok(()),
        };
        Err(CallError::Mismatch(format!(
            "{what} is no longer as it was when this deploy looked at it: somebody else changed it; nothing was changed \
             by this deploy, run it again"
        )))
    }

    /// Going back over what somebody else did since would undo their work. Being back already is no reason to refuse.
    async fn check_ours(&self, before: &ActivationState, after: &ActivationState) -> Result<(), CallError> {
        let now = self.state().await?;
        match now.difference(after) {
            Some(Difference { what, how }) if now.difference(before).is_some() => {
                Err(CallError::Mismatch(format!(
                    "not taken back: {what} was changed by somebody else since: {how}; now {}",
                    self.what_runs().await
                )))
            }
            _ => Ok(()),
        }
    }

    async fn advance(
        &self,
        before: &ActivationState,
        image: &str,
        watcher: &dyn Watcher,
        lock: &Lock,
    ) -> Result<(Started, ActivationState), CallError> {
        for (repository, tag) in self.pinned_names().chain(self.moving_names()) {
            self.engine.tag(image, repository, tag).await?;
        }
        self.env_file.write_stamp(&self.stamp()).await?;
        self.engine.clear_unfinished(self.compose.project(), &self.call.service).await?;
        watcher.note("recreating the container");
        self.compose.recreate(&self.call.service, lock).await?;
        let found = self.the_only_container().await?;
        if before.container.as_ref().is_some_and(|old| old.id.as_ref() == Some(&found.id)) {
            return Err(CallError::Mismatch(format!(
                "Compose left the old container {} as it was",
                found.name
            )));
        }
        if !self.identity.is_called(&found.image) {
            return Err(CallError::Mismatch(format!(
                "the new container {} was made from image {}, not from {image}",
                found.name, found.image
            )));
        }
        let started = Started::of(&found, self.engine)?;
        Ok((started, self.state().await?))
    }

    async fn the_only_container(&self) -> Result<ContainerFacts, CallError> {
        let all = self.engine.service_containers(self.compose.project(), &self.call.service).await?;
        match (self.container().await?, all.as_slice()) {
            (Some(container), [only]) if only.name == container.name => Ok(container),
            _ => {
                let names: Vec<_> = all.into_iter().map(|one| one.name).collect();
                Err(CallError::Mismatch(format!(
                    "service {} has the containers [{}] now, where exactly {} was expected",
                    self.call.service,
                    names.join(", "),
                    self.call.container
                )))
            }
        }
    }

    fn stamp(&self) -> Stamp {
        let own = self.call.stamp.iter().map(|pair| (pair.key.clone(), Some(pair.value.clone())));
        own.chain(self.mark.clone()).collect()
    }

    /// The project's lock. Another service of the project holds it for as long as its own `up` takes, so it is waited for;
    /// whoever goes back waits whatever happens, since giving up would leave things half-done.
    async fn lock(&self, watcher: &dyn Watcher, interrupt: Option<&Interrupt>) -> Result<Lock, CallError> {
        let holder = format!("{} at {}", self.call.service, self.call.artifact.commit);
        let until = tokio::time::Instant::now() + self.patience;
        loop {
            match self.machine.lock_project(self.env_file.path(), &holder).await {
                Err(CallError::Unavailable(_))
                    if tokio::time::Instant::now() < until
                        && interrupt.is_none_or(|one| !one.is_raised()) =>
                {
                    watcher.note("waiting for another deploy of this project");
                    tokio::time::sleep(PAUSE).await;
                }
                taken => return taken,
            }
        }
    }
}

impl Change for Activation<'_> {
    type State = ActivationState;

    async fn probe(&self) -> Result<ActivationState, CallError> {
        // Reads that do not wait for each other; the first that refuses, in this order, is told.
        let (state, fits, free) =
            tokio::join!(self.state(), self.check_project(), Box::pin(self.check_containers()));
        let state = state?;
        for (repository, tag) in self.pinned_names() {
            let name = format!("{repository}:{tag}");
            if let Some(Some(other)) = state.names.get(&name)
                && !self.identity.is_called(other)
            {
                return Err(foreign(self.engine, &name, other, self.identity));
            }
        }
        fits?;
        free?;
        Ok(state)
    }

    fn desired(&self, before: &ActivationState) -> ActivationState {
        let image = self.engine.id_of(self.identity).to_string();
        ActivationState {
            container: Some(Running {
                id: None,
                image: image.clone(),
                commit: Some(self.call.artifact.commit.clone()),
                up: true,
            }),
            names: before.names.keys().map(|name| (name.clone(), Some(image.clone()))).collect(),
            stamp: self.stamp(),
        }
    }

    async fn apply(
        &self,
        before: &ActivationState,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<ActivationState, Unmade> {
        let lock = self.lock(watcher, Some(interrupt)).await?;
        self.check_unchanged(before).await?;
        let image = self.delivered().await?;
        // From here on it is not stopped half-way: all of it holds in the end, or nothing.
        if interrupt.is_raised() {
            return Err(CallError::Other(
                "interrupted before the activation began; nothing was changed".to_owned(),
            )
            .into());
        }
        match Box::pin(self.advance(before, &image, watcher, &lock)).await {
            Ok((started, now)) => {
                // Only a second `apply` of the same value finds it set, and then the first container is gone.
                let _ = self.started.set(started);
                Ok(now)
            }
            Err(cause) => Err(Box::pin(self.retreat(cause, before, watcher, &lock)).await),
        }
    }

    async fn undo(
        &self,
        before: &ActivationState,
        after: Option<&ActivationState>,
        watcher: &dyn Watcher,
    ) -> Result<(), CallError> {
        let lock = self.lock(watcher, None).await?;
        if let Some(after) = after {
            self.check_ours(before, after).await?;
        }
        let left = Box::pin(self.go_back(before, watcher, &lock)).await;
        if left.is_empty() {
            return Ok(());
        }
        Err(CallError::Other(format!(
            "could not be taken back: {}; now {}",
            left.join("; "),
            self.what_runs().await
        )))
    }
}
