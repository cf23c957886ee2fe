//! What keeps a rollout, and how long that may last before nobody should wait for it any longer.
//!
//! `kubectl rollout status` waits for the progress deadline, ten minutes by default, whatever happens. Here what does not
//! get better by itself ends the wait at once, and what hardly does after some seconds.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::seen::{Seen, containers, ready};
use crate::words::{counted, plain};

/// Longest message of the cluster that is repeated, in characters.
const SHOWN: usize = 800;
/// As often as a container may crash and be started again: once it may have come before what it needs.
const RESTARTS: i32 = 2;
/// For what is tried again, ever more seldom: what an old pod leaves is free a moment after it.
const RETRIED: Duration = Duration::from_secs(10);
/// For an image that was delivered, and should need no pull.
const PULLED: Duration = Duration::from_secs(5);
/// For a place: another pod may go, or a node come.
const PLACED: Duration = Duration::from_secs(30);

/// Something that keeps a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub what: String,
    /// How long it may last; nothing where only the deadline ends it.
    pub patience: Option<Duration>,
    /// Whether it may pass without anybody changing anything.
    pub passes: bool,
    /// Whose events tell more.
    pub events_of: Option<Object>,
    /// The container whose last words tell more.
    pub log_of: Option<String>,
}

/// An object that a person would describe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// As `kubectl` has it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its very own.
    pub uid: String,
}

impl Trouble {
    fn new(what: String, patience: Option<Duration>) -> Self {
        Self { what, patience, passes: false, events_of: None, log_of: None }
    }

    fn passing(self) -> Self {
        Self { passes: true, ..self }
    }
}

/// The worst that is seen: what ends the wait first.
pub fn worst(seen: &Seen<'_>) -> Option<Trouble> {
    if seen.deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true)) {
        let what = "the Deployment is paused; `kubectl rollout resume` lets it go on".to_owned();
        return Some(Trouble::new(what, Some(Duration::ZERO)));
    }
    if !seen.observed() {
        let what = "the Deployment's controller has not taken up the change; is it running?".to_owned();
        return Some(Trouble::new(what, None).passing());
    }
    let mut all: Vec<_> = seen.new_pods().into_iter().filter_map(of_pod).chain(refused(seen)).collect();
    // What has no patience to lose comes last.
    all.sort_by_key(|trouble| trouble.patience.unwrap_or(Duration::MAX));
    let worst = all.into_iter().next();
    if seen
        .condition("Progressing")
        .is_some_and(|one| one.reason.as_deref() == Some("ProgressDeadlineExceeded"))
    {
        let late = "the Deployment's own progress deadline passed".to_owned();
        let worst = worst.unwrap_or_else(|| Trouble::new(String::new(), None));
        let what = if worst.what.is_empty() { late } else { format!("{}; {late}", worst.what) };
        return Some(Trouble { what, patience: Some(Duration::ZERO), ..worst });
    }
    worst
}

/// Pods that may not be made: a quota, an admission.
fn refused(seen: &Seen<'_>) -> Option<Trouble> {
    let condition = seen.condition("ReplicaFailure").filter(|condition| condition.status == "True")?;
    let reason = condition.reason.as_deref().unwrap_or("ReplicaFailure");
    let message = plain(condition.message.as_deref().unwrap_or_default(), SHOWN);
    // A pod that is going may make room for it.
    let patience = (!seen.leaving()).then_some(RETRIED);
    Some(Trouble::new(format!("a new pod may not be made ({reason}: {message})"), patience))
}

fn of_pod(pod: &Pod) -> Option<Trouble> {
    if ready(pod) {
        return None;
    }
    let name = pod.name_any();
    let object = Object { kind: "pod", name: name.clone(), uid: pod.uid().unwrap_or_default() };
    let found = unplaced(pod)
        .or_else(|| containers(pod).find_map(of_container))
        .unwrap_or_else(|| Trouble::new("it is not ready yet".to_owned(), None).passing());
    Some(Trouble { what: format!("pod {name}: {}", found.what), events_of: Some(object), ..found })
}

fn unplaced(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let placed = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    if placed.status != "False" {
        return None;
    }
    let reason = plain(placed.reason.as_deref().unwrap_or("not scheduled"), SHOWN);
    let message = plain(placed.message.as_deref().unwrap_or_default(), SHOWN);
    Some(Trouble::new(format!("no node takes it ({reason}: {message})"), Some(PLACED)).passing())
}

fn of_container(status: &ContainerStatus) -> Option<Trouble> {
    let ContainerStatus { name, image, restart_count, .. } = status;
    let state = status.state.as_ref();
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        let said = waiting.message.as_deref().filter(|message| !message.is_empty());
        let said = said.map(|message| format!(": {}", plain(message, SHOWN))).unwrap_or_default();
        let because = format!("({}{said})", plain(reason, SHOWN));
        return Some(match reason {
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName"
            | "ImageInspectError" => {
                let image = plain(image, SHOWN);
                let what = format!("the image {image} of its container {name} cannot be had {because}");
                // The first failure may be the registry's.
                let patience = if reason == "ErrImagePull" { PULLED } else { Duration::ZERO };
                Trouble::new(what, Some(patience))
            }
            "CrashLoopBackOff" => {
                let what = format!(
                    "its container {name} crashed {}{}",
                    counted(usize::try_from(*restart_count).unwrap_or_default() + 1, "time", "times"),
                    ended(status).map(|how| format!(", {how} the last time")).unwrap_or_default(),
                );
                let patience = (*restart_count >= RESTARTS).then_some(Duration::ZERO);
                Trouble { log_of: Some(name.clone()), ..Trouble::new(what, patience) }
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Trouble::new(format!("its container {name} cannot be started {because}"), Some(RETRIED))
            }
            _ => Trouble::new(format!("its container {name} has not started {because}"), None).passing(),
        });
    }
    if let Some(how) = state.and_then(|state| state.terminated.as_ref()) {
        // An init container that did its work.
        if how.exit_code == 0 && status.ready {
            return None;
        }
        let what = format!("its container {name} ended with exit code {}", how.exit_code);
        return Some(Trouble { log_of: Some(name.clone()), ..Trouble::new(what, None) });
    }
    let again = match usize::try_from(*restart_count) {
        Ok(count @ 1..) => format!(", and was started again {}", counted(count, "time", "times")),
        _ => String::new(),
    };
    (!status.ready).then(|| Trouble::new(format!("its container {name} runs and is not ready{again}"), None))
}

/// How a container ended that has to be started again.
fn ended(status: &ContainerStatus) -> Option<String> {
    let last = status.last_state.as_ref()?.terminated.as_ref()?;
    let reason =
        last.reason.as_deref().filter(|&reason| reason != "Error").map(|reason| plain(reason, SHOWN));
    let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    Some(format!("with exit code {}{why}", last.exit_code))
}
