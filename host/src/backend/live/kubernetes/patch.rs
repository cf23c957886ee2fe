//! `kubernetes.patch`: image, stamp and provenance of one or several Deployments. One change: all of them, or none.

mod back;
mod document;
mod found;
mod moving;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;

pub use found::{Found, annotation, object};
pub use state::Entry;

use found::{must_roll_out, place};
use state::{PatchState, Stands};

use super::cluster::{Connected, PATIENCE};
use crate::answer::CallError;
use crate::artifact::Artifact;
use crate::backend::change::{Change, Unmade};
use crate::backend::live::delivery::identity;
use crate::names::{EnvKey, KubernetesName};
use crate::operation::{Deployment, PatchDeployments};
use crate::progress::{Interrupt, Watcher};
use crate::provenance::{Mark, Provenance};

/// As whom the API server knows what a deploy wrote (`kubectl get --show-managed-fields`).
const FIELD_MANAGER: &str = "host";

/// The patch of one artifact into the Deployments of one call.
pub struct Patching<'a> {
    connected: &'a Connected,
    artifact: &'a Artifact,
    call: &'a PatchDeployments,
    /// As the node's containerd has it.
    image: String,
    keys: Vec<EnvKey>,
    /// What tells pods of objects that were brought up to date, by namespace.
    restarts: BTreeMap<KubernetesName, BTreeMap<String, String>>,
    /// Which run it was; nothing where nobody is to be told.
    run: Option<String>,
}

impl<'a> Patching<'a> {
    /// `registry` is the host and port in the image's name. Touches nothing.
    ///
    /// # Errors
    /// `Invalid` for an artifact that was not looked up in the registry, and for a Deployment that is named twice.
    pub fn new(
        connected: &'a Connected,
        registry: &str,
        artifact: &'a Artifact,
        call: &'a PatchDeployments,
        mark: Option<&Mark>,
    ) -> Result<Self, CallError> {
        let identity = identity(artifact)?;
        let same = |a: &Deployment, b: &Deployment| a.namespace == b.namespace && a.name == b.name;
        let twice = call
            .deployments
            .iter()
            .enumerate()
            .find(|&(at, one)| call.deployments[..at].iter().any(|other| same(one, other)));
        if let Some((_, twice)) = twice {
            return Err(CallError::Invalid(format!("{} is named twice in one patch", place(twice))));
        }
        let run = mark.and_then(|mark| Provenance::new(mark, &artifact.commit, identity).written());
        Ok(Self {
            connected,
            image: format!("{registry}/{}", artifact.commit_name()),
            artifact,
            keys: call.stamp.iter().map(|pair| pair.key.clone()).collect(),
            restarts: BTreeMap::new(),
            run: run.map(|run| run.to_string()),
            call,
        })
    }

    /// The same; pods start again where `restarts` tells of a namespace that there is something new to read.
    #[must_use]
    pub fn restarting(mut self, restarts: impl Fn(&KubernetesName) -> BTreeMap<String, String>) -> Self {
        let namespaces = self.call.deployments.iter().map(|named| &named.namespace);
        self.restarts = namespaces.map(|namespace| (namespace.clone(), restarts(namespace))).collect();
        self
    }

    fn api(&self, named: &Deployment) -> Api<DynamicObject> {
        found::api(self.connected, named)
    }

    async fn object(&self, named: &Deployment) -> Result<DynamicObject, CallError> {
        object(self.connected, named).await?.ok_or_else(|| {
            CallError::NotFound(format!(
                "{} is not in the cluster at {}; a deploy changes Deployments and makes none: apply its manifest first \
                 (`kubectl -n {} get deployments` lists those that are there)",
                place(named),
                self.connected.address,
                named.namespace
            ))
        })
    }

    async fn found(&self, named: &Deployment) -> Result<Found, CallError> {
        Found::read(&self.object(named).await?, named, &self.keys)
    }

    /// The same, where a patch would start new pods.
    async fn patchable(&self, named: &Deployment) -> Result<Found, CallError> {
        let object = self.object(named).await?;
        let found = Found::read(&object, named, &self.keys)?;
        must_roll_out(&object, named, &self.artifact.repository)?;
        Ok(found)
    }

    /// All of them, asked at the same time; the first that refuses, in their order, is told.
    async fn all_patchable(&self) -> Result<Vec<Found>, CallError> {
        let asked = self.call.deployments.iter().map(|named| self.patchable(named));
        join_all(asked).await.into_iter().collect()
    }

    fn wanted(&self, named: &Deployment, before: &Stands) -> Stands {
        let restarts = self.restarts.get(&named.namespace).cloned().unwrap_or_default();
        before.with(self.image.clone(), &self.call.artifact.commit, &self.call.stamp, &restarts)
    }

    /// What the API server would make of the patch: quotas, admission and rights are known before the first change.
    async fn rehearsed(&self, named: &Deployment, before: &Stands) -> Result<(), CallError> {
        let wanted = self.wanted(named, before);
        if wanted == *before {
            return Ok(());
        }
        let what = format!("patching {} (dry run)", place(named));
        let patch = Patch::Strategic(document::patch(&wanted, &named.container, None, &[]));
        let (api, params) = (self.api(named), PatchParams { dry_run: true, ..params() });
        let asked = api.patch(named.name.as_str(), &params, &patch);
        let object = self.connected.asked(&what, PATIENCE, asked).await?;
        as_written(Found::read(&object, named, &self.keys)?, &wanted, named).map(drop)
    }
}

impl Change for Patching<'_> {
    type State = PatchState;

    async fn probe(&self) -> Result<PatchState, CallError> {
        let found = self.all_patchable().await?;
        let rehearsed = self
            .call
            .deployments
            .iter()
            .zip(&found)
            .map(|(named, found)| self.rehearsed(named, &found.stands));
        join_all(rehearsed).await.into_iter().collect::<Result<(), _>>()?;
        Ok(PatchState { deployments: found.into_iter().map(|found| found.stands).collect() })
    }

    fn desired(&self, before: &PatchState) -> PatchState {
        let all = self.call.deployments.iter().zip(&before.deployments);
        PatchState { deployments: all.map(|(named, before)| self.wanted(named, before)).collect() }
    }

    async fn apply(
        &self,
        before: &PatchState,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<PatchState, Unmade> {
        let found = self.all_patchable().await?;
        let all = || self.call.deployments.iter().zip(&found);
        for ((named, found), before) in all().zip(&before.deployments) {
            if found.stands != *before {
                return Err(changed(named, &found.stands, before).into());
            }
        }
        // From here on it is not stopped half-way: all of it holds in the end, or nothing.
        if interrupt.is_raised() {
            return Err(
                CallError::Other("interrupted before the patch; nothing was changed".to_owned()).into()
            );
        }
        let mut made = Vec::with_capacity(found.len());
        for (named, found) in all() {
            let wanted = self.wanted(named, &found.stands);
            if wanted == found.stands {
                made.push(wanted);
                continue;
            }
            watcher.note(&patching(named));
            let wanted = Stands { run: self.run.clone().or(wanted.run), ..wanted };
            match self.moved(named, found, &wanted).await {
                Ok(now) => made.push(now.stands),
                Err(cause) => return Err(Box::pin(self.retreat(cause, before, &made, watcher)).await),
            }
        }
        Ok(PatchState { deployments: made })
    }

    async fn undo(
        &self,
        before: &PatchState,
        after: Option<&PatchState>,
        watcher: &dyn Watcher,
    ) -> Result<(), CallError> {
        let after = |at: usize| after.and_then(|after| after.deployments.get(at));
        let left = self.go_back(before, self.call.deployments.len(), &after, watcher).await;
        if left.is_empty() {
            return Ok(());
        }
        Err(CallError::Other(format!("could not be taken back: {}", left.join("; "))))
    }
}

/// Refuses what the API server made of a patch if it is something else: admission can change whatever is written.
fn as_written(found: Found, wanted: &Stands, named: &Deployment) -> Result<Found, CallError> {
    if found.stands.is_like(wanted) {
        return Ok(found);
    }
    let how = found.stands.difference(wanted).unwrap_or_default();
    Err(CallError::Mismatch(format!(
        "{} does not become what the patch says: {how}; an admission webhook of the cluster changes it",
        place(named)
    )))
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn patching(named: &Deployment) -> String {
    format!("patching {}", place(named))
}

fn changed(named: &Deployment, now: &Stands, then: &Stands) -> CallError {
    CallError::Mismatch(format!(
        "{} was changed by somebody else since this deploy looked at it: {}; nothing was overwritten, run it again",
        place(named),
        now.difference(then).unwrap_or_else(|| "it is back as it was by now".to_owned())
    ))
}
