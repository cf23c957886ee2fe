//! Gates: what must hold before anything changes. They are judged the same in every pass.

use crate::answer::GateState;
use crate::names::ConfigName;
use crate::operation::Operation;

/// Whether a live run would pass a gate. None of these needs a network.
pub fn judge(operation: &Operation) -> GateState {
    let reason = match operation {
        Operation::Hold { reason } => reason.clone(),
        Operation::RequireApproval { role } => {
            format!("no approval by a {role} is known for this deploy")
        }
        Operation::RequireOutside { workloads } => format!(
            "it is not known whether this program runs inside one of: {}",
            workloads.iter().map(ConfigName::as_str).collect::<Vec<_>>().join(", ")
        ),
        Operation::RequireSecrets { source, .. } => {
            format!("no secret source {source} is configured on this machine")
        }
        other => format!("{} is no gate", other.name()),
    };
    GateState { met: false, reason, secrets: Vec::new() }
}
