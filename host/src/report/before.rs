//! What a change found before it: which commit ran, and what the deploy before this one wrote on its target.

use serde_json::Value;

use super::LastDeployPart;
use crate::names::Commit;
use crate::operation::Operation;
use crate::provenance::Provenance;
use crate::step::Step;

/// The commit that ran before: what the image of the running container says, or the name of a Deployment's image, since a
/// stamp may be of a deploy that was killed before it ran.
#[must_use]
pub fn previous_commit(steps: &[Step], requested: &Commit) -> Option<String> {
    steps.iter().flat_map(commits).find(|commit| commit != requested).map(|commit| commit.to_string())
}

fn commits(step: &Step) -> Vec<Commit> {
    let found: Vec<&Value> = match (&step.operation, &step.before) {
        (Operation::Activate(_), Some(before)) => before.pointer("/container/commit").into_iter().collect(),
        (Operation::PatchDeployments(_), Some(before)) => {
            deployments(before).iter().filter_map(|one| one.get("commit")).collect()
        }
        _ => Vec::new(),
    };
    found.into_iter().filter_map(|commit| Commit::parse(commit.as_str()?).ok()).collect()
}

/// What a change found written on its target.
pub(super) fn last_deploy(step: &Step) -> Option<LastDeployPart> {
    let before = step.before.as_ref()?;
    match &step.operation {
        Operation::Activate(call) => {
            let key = Provenance::key(&call.artifact.service)?;
            let provenance = Provenance::read(before.get("stamp")?.get(key.as_str())?.as_str()?)?;
            let image = before.pointer("/container/image").and_then(Value::as_str);
            Some(LastDeployPart { drift: provenance.drift(image), provenance })
        }
        Operation::PatchDeployments(_) => deployments(before).iter().find_map(|one| {
            let provenance = Provenance::read(one.get("run")?.as_str()?)?;
            let drift = provenance.drift_of_name(one.get("image")?.as_str()?);
            Some(LastDeployPart { provenance, drift })
        }),
        _ => None,
    }
}

fn deployments(before: &Value) -> &[Value] {
    before.get("deployments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
