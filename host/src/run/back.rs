//! The way back of a live run.

use crate::gate::Gate;
use crate::operation::{Activate, Operation, PatchDeployments};
use crate::recording::Recording;
use crate::step::Step;

/// One change that was to be taken back.
pub(super) struct Undone {
    /// What it was.
    pub target: String,
    /// Why it could not be.
    pub result: Result<(), String>,
}

/// Takes the changes back, last first. One that cannot be taken back does not keep the others from it, but for the image
/// that it still runs.
pub(super) async fn take_back(gate: &mut Gate) -> Vec<Undone> {
    let done: Vec<Step> = Recording::undo_order(gate.steps()).cloned().collect();
    let mut undone: Vec<Undone> = Vec::with_capacity(done.len());
    let mut in_use = Vec::new();
    for step in done {
        let target = format!("{} of {}", step.operation.name(), step.operation.target());
        let needed = match &step.operation {
            Operation::Deliver(call) => in_use.contains(&(call.artifact.clone(), call.runtime.clone())),
            _ => false,
        };
        let result = if needed {
            Err("what runs still needs it".to_owned())
        } else {
            match gate.undo(&step).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(halt) => Err(halt.to_string()),
            }
        };
        let runs = match &step.operation {
            Operation::Activate(Activate { artifact, runtime, .. })
            | Operation::PatchDeployments(PatchDeployments { artifact, runtime, .. }) => {
                Some((artifact, runtime))
            }
            _ => None,
        };
        if let (Err(_), Some((artifact, runtime))) = (&result, runs) {
            in_use.push((artifact.clone(), runtime.clone()));
        }
        undone.push(Undone { target, result });
    }
    undone
}
