//! The way back from an activation, whole or half done.

use super::{Activation, ActivationState};
use crate::answer::CallError;
use crate::backend::change::Unmade;
use crate::backend::live::container::must_run;
use crate::backend::live::delivery::also;
use crate::backend::live::machine::Lock;
use crate::progress::Watcher;

impl Activation<'_> {
    /// Takes back what was done before `cause` came up, and says in it what runs now.
    pub(super) async fn retreat(
        &self,
        cause: CallError,
        before: &ActivationState,
        watcher: &dyn Watcher,
        lock: &Lock,
    ) -> Unmade {
        let left = self.go_back(before, watcher, lock).await;
        let back = if left.is_empty() {
            "the activation was taken back".to_owned()
        } else {
            format!("could not be taken back: {}", left.join("; "))
        };
        let error = also(cause, &format!("{back}; now {}", self.what_runs().await));
        Unmade { error, left: !left.is_empty() }
    }

    /// Puts everything back that can be, whatever else fails; what could not is returned in words.
    ///
    /// The stamp first, because the container is made from it; the names last, because for a moment they point to what
    /// the container ran, which may be another image than they meant.
    pub(super) async fn go_back(
        &self,
        before: &ActivationState,
        watcher: &dyn Watcher,
        lock: &Lock,
    ) -> Vec<String> {
        watcher.note("taking the activation back");
        self.engine.back().await;
        // Half of the way back would leave a stamp and names that contradict what runs.
        if let Some(why) = self.no_way_back(before).await {
            return vec![format!("the activation, so names and stamp stay as it left them ({why})")];
        }
        let mut left = Vec::new();
        if let Err(error) = self.stamp_back(before).await {
            left.push(format!("the stamp ({error})"));
        }
        if let Err(error) = self.container_back(before, lock).await {
            left.push(format!("the container {} ({error})", self.call.container));
        }
        for (repository, tag) in self.moving_names().chain(self.pinned_names()) {
            let name = format!("{repository}:{tag}");
            let result = match before.names.get(&name) {
                Some(Some(image)) => self.engine.tag(image, repository, tag).await,
                Some(None) => self.engine.untag(&name).await,
                None => Ok(()),
            };
            if let Err(error) = result {
                left.push(format!("the image name {name} ({error})"));
            }
        }
        left
    }

    /// Why nothing can be taken back now; nothing where it can.
    async fn no_way_back(&self, before: &ActivationState) -> Option<String> {
        let Some(old) = &before.container else {
            return self.container().await.err().map(|error| error.to_string());
        };
        match self.engine.image(&old.image).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!("image {}, which ran before, is no longer in this engine", old.image)),
            Err(error) => Some(error.to_string()),
        }
    }

    /// An entry that is neither as before nor as this deploy wrote it is somebody else's by now.
    async fn stamp_back(&self, before: &ActivationState) -> Result<(), CallError> {
        let (now, ours) = (self.env_file.read_stamp(before.stamp.keys()).await?, self.stamp());
        let theirs = now.iter().find(|&(key, value)| {
            [&before.stamp, &ours].iter().all(|stamp| stamp.get(key).is_some_and(|known| known != value))
        });
        if let Some((key, _)) = theirs {
            return Err(CallError::Mismatch(format!(
                "{key} in {} was changed by somebody else since, and all of it was left as it is",
                self.env_file.path().display()
            )));
        }
        self.env_file.write_stamp(&before.stamp).await
    }

    async fn container_back(&self, before: &ActivationState, lock: &Lock) -> Result<(), CallError> {
        let service = &self.call.service;
        // A failed `up` may leave the container that it was making.
        self.engine.clear_unfinished(self.compose.project(), service).await?;
        let all = self.engine.service_containers(self.compose.project(), service).await?;
        let now = self.container().await?;
        let Some(old) = &before.container else {
            return if all.is_empty() { Ok(()) } else { self.compose.remove(service, lock).await };
        };
        if now.is_some_and(|now| old.is(&now) && old.up == now.up) && all.len() == 1 {
            return Ok(());
        }
        for (repository, tag) in self.moving_names() {
            self.engine.tag(&old.image, repository, tag).await?;
        }
        self.compose.recreate(service, lock).await?;
        let back = self.the_only_container().await?;
        if back.image != old.image {
            return Err(CallError::Mismatch(format!(
                "it was recreated from {}, not from {}",
                back.image, old.image
            )));
        }
        // One that crashed again and again before may be between two attempts now.
        if old.up && !back.up { must_run(self.engine, &back) } else { Ok(()) }
    }

    /// What an operator has to know first after a failure.
    pub(super) async fn what_runs(&self) -> String {
        let name = &self.call.container;
        match self.container().await {
            Ok(Some(now)) => format!("the container {name}, image {}, is {}", now.image, now.condition()),
            Ok(None) => format!("there is no container {name}"),
            Err(error) => format!("it is not known what runs as {name} ({error})"),
        }
    }
}
