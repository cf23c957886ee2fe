//! How far a rollout is, from what is seen alone.

use kube::ResourceExt;

use super::seen::{Seen, ready};
use super::trouble::{Trouble, worst};
use crate::words::{counted, listed};

/// Pods that a line names.
const NAMED: usize = 3;

/// What to make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// All of it is new, and ready.
    Done,
    /// Not yet.
    Waiting {
        /// One line for whoever watches.
        note: String,
        /// What keeps it.
        trouble: Option<Trouble>,
    },
}

/// Done as `kubectl rollout status` has it: the controller saw the change, every pod is of the new revision and available,
/// and no old one is left. The pods themselves have told so as well, which may come a moment later.
#[must_use]
pub fn judge(seen: &Seen<'_>) -> Progress {
    let status = seen.status();
    let count = |replicas: Option<i32>| replicas.unwrap_or_default();
    let (wanted, updated) = (seen.replicas(), count(status.updated_replicas));
    let pods = seen.new_pods();
    let (ready, unready): (Vec<_>, Vec<_>) = pods.into_iter().partition(|&pod| ready(pod));
    let all_told = usize::try_from(wanted).is_ok_and(|wanted| ready.len() == wanted && unready.is_empty());
    let complete = updated == wanted
        && count(status.replicas) == updated
        && count(status.available_replicas) == updated
        && seen.observed();
    let paused = seen.deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true));
    if complete && all_told && !paused {
        return Progress::Done;
    }
    let ready_ones: Vec<_> = ready.iter().map(|pod| pod.name_any()).collect();
    let which =
        if ready_ones.is_empty() { String::new() } else { format!(" ({})", listed(&ready_ones, NAMED)) };
    let left = match usize::try_from(count(status.replicas) - updated) {
        Ok(old @ 1..) => format!(", {} left", counted(old, "old one", "old ones")),
        _ => String::new(),
    };
    let trouble = worst(seen);
    let kept = trouble.as_ref().map(|trouble| format!("; {}", trouble.what)).unwrap_or_default();
    let note = format!("{} of {wanted} new pods ready{which}{left}{kept}", ready.len());
    Progress::Waiting { note, trouble }
}
