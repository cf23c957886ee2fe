//! Gates: what must hold before anything changes.

use super::secrets::{Reach, Sources};
use crate::answer::{CallError, GateState};
use crate::gate::ask::Ask;
use crate::names::ConfigName;
use crate::operation::Operation;

/// Whether a live run would pass a gate. None of these needs a network.
///
/// # Errors
/// Only when it is interrupted: what cannot be judged is pending.
pub async fn judge(secrets: &Sources, reach: Reach, ask: &Ask<'_>) -> Result<GateState, CallError> {
    let reason = match ask.operation {
        Operation::Hold { reason } => reason.clone(),
        Operation::RequireApproval { role } => match ask.approvers.of(role.as_str()).filter(|names| !names.is_empty()) {
            Some(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let reason = format!("approved by {} ({role})", names.join(", "));
                return Ok(GateState { met: true, reason, secrets: None });
            }
            None => format!(
                "no approval by a {role} counts for this deploy: plan it (`host deploy plan … --out FILE --key KEY`), have that \
                 approved (`host deploy approve`), and apply the plan"
            ),
        },
        Operation::RequireOutside { workloads } => format!(
            "it is not known whether this program runs inside one of: {}",
            workloads.iter().map(ConfigName::as_str).collect::<Vec<_>>().join(", ")
        ),
        Operation::RequirePinned => match ask.pinned {
            Some(commit) => {
                let reason = format!("the desired state pins commit {commit}");
                return Ok(GateState { met: true, reason, secrets: None });
            }
            None => "the desired state pins no commit of it for this environment: add it to the file that `desired` under \
                     [catalog] in host.toml names"
                .to_owned(),
        },
        Operation::RequireSecrets { source, keys, runtime } => {
            return secrets.judge(source, runtime, keys, reach, ask.interrupt).await;
        }
        other => format!("{} is no gate", other.name()),
    };
    Ok(GateState { met: false, reason, secrets: None })
}
