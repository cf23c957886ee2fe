//! `kubernetes.await-rollout`: watches a Deployment, its revisions and its pods until all of it is new, or nobody should
//! wait any longer. Nothing is polled: the API server tells what changes.

mod judge;
mod seen;
mod told;
mod trouble;

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::core::Selector;
use tokio::time::{Instant, sleep_until};

use super::cluster::Connected;
use super::mirror::{Mirror, Selected};
use crate::answer::{CallError, PodView};
use crate::backend::live::http;
use crate::config::Limits;
use crate::operation::AwaitRollout;
use crate::progress::{Interrupt, Watcher};
use judge::{Progress, judge};
use seen::Seen;
use trouble::Trouble;

/// Waits for a rollout; gives its pods.
///
/// # Errors
/// - [`CallError::NotFound`] if there is no such Deployment;
/// - [`CallError::Mismatch`] for what somebody has to put right, [`CallError::Unavailable`] for what may pass: both say what
///   keeps the rollout, and which revision serves;
/// - as for [`Connected::asked`].
pub async fn await_rollout(
    connected: &Connected,
    call: &AwaitRollout,
    limits: &Limits,
    watcher: &dyn Watcher,
    interrupt: &Interrupt,
) -> Result<Vec<PodView>, CallError> {
    // The operator's deadline is the longest: a plugin may ask for less, never for more.
    let within = Duration::from_secs(u64::from(call.within_seconds).min(limits.rollout_seconds));
    let rollout = Rollout { connected, call, within };
    tokio::select! {
        biased;
        () = interrupt.raised() => Err(CallError::Unavailable(format!(
            "interrupted while waiting for the rollout of {}",
            rollout.target()
        ))),
        result = rollout.awaited(watcher) => result,
    }
}

struct Rollout<'a> {
    connected: &'a Connected,
    call: &'a AwaitRollout,
    within: Duration,
}

/// Everything that a rollout is seen by.
struct Mirrors<'a> {
    deployment: Mirror<'a, Deployment>,
    sets: Mirror<'a, ReplicaSet>,
    pods: Mirror<'a, Pod>,
}

impl Rollout<'_> {
    fn target(&self) -> String {
        let AwaitRollout { runtime, deployment, .. } = self.call;
        format!("{runtime}/{}/{}", deployment.namespace, deployment.name)
    }

    async fn awaited(&self, watcher: &dyn Watcher) -> Result<Vec<PodView>, CallError> {
        let until = http::deadline(self.within);
        let mut mirrors = self.begin().await?;
        // Since when there is something that nobody waits long for.
        let mut since: Option<Instant> = None;
        let mut noted = String::new();
        let (why, late) = loop {
            let seen = self.seen(&mirrors)?;
            let (note, trouble) = match judge(&seen) {
                Progress::Done => return Ok(seen.answer()),
                Progress::Waiting { note, trouble } => (note, trouble),
            };
            if note != noted {
                watcher.note(&format!("waiting for {}: {note}", self.target()));
                noted = note;
            }
            let patience = trouble.as_ref().and_then(|trouble| trouble.patience);
            let given_up = patience.map(|patience| *since.get_or_insert_with(Instant::now) + patience);
            if given_up.is_none() {
                since = None;
            }
            tokio::select! {
                biased;
                changed = mirrors.changed() => changed?,
                () = sleep_until(given_up.map_or(until, |then| then.min(until))) => {
                    break (trouble, given_up.is_none_or(|then| then > until));
                }
            }
        };
        let why = if late { self.last_look(&mut mirrors).await? } else { Verdict::Trouble(why) };
        match why {
            Verdict::Done(pods) => Ok(pods),
            Verdict::Trouble(why) => {
                let seen = self.seen(&mirrors)?;
                Err(self.told(&seen, why.as_ref(), late).await)
            }
        }
    }

    async fn begin(&self) -> Result<Mirrors<'_>, CallError> {
        let namespace = self.call.deployment.namespace.as_str();
        let name = Selected::Named(self.call.deployment.name.as_str());
        let deployment: Mirror<'_, Deployment> = Mirror::begin(self.connected, namespace, name).await?;
        let found = deployment.objects().next().ok_or_else(|| self.missing())?;
        let selector = found.spec.as_ref().map(|spec| spec.selector.clone()).unwrap_or_default();
        let labels = Selector::try_from(selector)
            .map_err(|error| {
                CallError::Other(format!("the selector of {} cannot be read: {error}", self.target()))
            })?
            .to_string();
        let (sets, pods) = tokio::try_join!(
            Mirror::begin(self.connected, namespace, Selected::Labelled(&labels)),
            Mirror::begin(self.connected, namespace, Selected::Labelled(&labels)),
        )?;
        Ok(Mirrors { deployment, sets, pods })
    }

    fn seen<'m>(&'m self, mirrors: &'m Mirrors<'_>) -> Result<Seen<'m>, CallError> {
        let deployment = mirrors.deployment.objects().next().ok_or_else(|| self.missing())?;
        let container = self.call.deployment.container.as_str();
        Ok(Seen::of(deployment, container, mirrors.sets.objects(), mirrors.pods.objects()))
    }

    fn missing(&self) -> CallError {
        let AwaitRollout { runtime, deployment, .. } = self.call;
        CallError::NotFound(format!(
            "{runtime} has no Deployment {} in the namespace {}; `kubectl get deployments --namespace {}` shows those \
             that it has",
            deployment.name, deployment.namespace, deployment.namespace
        ))
    }

    /// What was told last may be old, where the connection fell silent.
    async fn last_look(&self, mirrors: &mut Mirrors<'_>) -> Result<Verdict, CallError> {
        mirrors.again().await?;
        let seen = self.seen(mirrors)?;
        Ok(match judge(&seen) {
            Progress::Done => Verdict::Done(seen.answer()),
            Progress::Waiting { trouble, .. } => Verdict::Trouble(trouble),
        })
    }
}

enum Verdict {
    Done(Vec<PodView>),
    Trouble(Option<Trouble>),
}

impl Mirrors<'_> {
    async fn changed(&mut self) -> Result<(), CallError> {
        tokio::select! {
            changed = self.deployment.changed() => changed,
            changed = self.sets.changed() => changed,
            changed = self.pods.changed() => changed,
        }
    }

    async fn again(&mut self) -> Result<(), CallError> {
        tokio::try_join!(self.deployment.again(), self.sets.again(), self.pods.again())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
