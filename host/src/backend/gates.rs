//! Gates: what must hold before anything changes.

use super::live::{FarSides, located_offline, stoppable};
use super::secrets::{Reach, Sources};
use crate::answer::{CallError, GateState, Located, Whereabouts};
use crate::gate::ask::Ask;
use crate::names::ConfigName;
use crate::operation::Operation;
use crate::words::{listed, plain};

/// Most names that are told.
const NAMED: usize = 6;
/// Longest reason, in characters.
const REASON: usize = 1000;

/// Whether a live run would pass a gate; without `far` by what can be known offline.
///
/// # Errors
/// Only when it is interrupted: what cannot be judged is pending.
pub async fn judge(secrets: &Sources, far: Option<&FarSides>, ask: &Ask<'_>) -> Result<GateState, CallError> {
    match ask.operation {
        Operation::Hold { reason } => Ok(GateState::new(false, reason.clone())),
        Operation::RequireApproval { roles } => Ok(approved(roles, ask)),
        Operation::RequireOutside { workloads } => {
            let located = match far {
                Some(far) => stoppable(ask, async { Ok(far.located(workloads, ask.held).await) }).await?,
                None => located_offline(workloads),
            };
            Ok(outside(workloads, located, ask))
        }
        Operation::RequirePinned => Ok(match ask.pinned {
            Some(commit) => GateState::new(true, format!("the desired state pins commit {commit}")),
            None => GateState::new(
                false,
                "the desired state pins no commit of it for this environment: add it to the file that `desired` under \
                 [catalog] in host.toml names"
                    .to_owned(),
            ),
        }),
        Operation::RequireSecrets { source, keys, runtime } => {
            let reach = if far.is_some() { Reach::All } else { Reach::Files };
            secrets.judge(source, runtime, keys, reach, ask.interrupt).await
        }
        other => Ok(GateState::new(false, format!("{} is no gate", other.name()))),
    }
}

fn approved(roles: &[ConfigName], ask: &Ask<'_>) -> GateState {
    let signers = roles.iter().filter_map(|role| {
        let names = ask.approvers.of(role.as_str()).filter(|names| !names.is_empty())?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Some(format!("approved by {} ({role})", names.join(", ")))
    });
    let signers: Vec<String> = signers.collect();
    if !signers.is_empty() {
        return GateState::new(true, signers.join(", "));
    }
    let roles: Vec<&str> = roles.iter().map(ConfigName::as_str).collect();
    GateState::new(
        false,
        format!(
            "no approval in the role {} counts for this deploy: plan it (`host deploy plan … --out FILE --key KEY`), have that \
             approved (`host deploy approve`), and apply the plan",
            roles.join(" or ")
        ),
    )
}

fn outside(workloads: &[ConfigName], located: Located, ask: &Ask<'_>) -> GateState {
    let names: Vec<String> = workloads.iter().map(ToString::to_string).collect();
    let names = listed(&names, NAMED);
    let shown = located.evidence.join("; ");
    let (met, reason) = match located.result {
        Whereabouts::Outside => (true, format!("outside of {names}: {shown}")),
        Whereabouts::Inside => {
            (false, format!("this program runs inside one of {names}: {shown}; deploy from elsewhere"))
        }
        Whereabouts::Unknown if !ask.vouched.is_empty() => {
            let who: Vec<&str> = ask.vouched.iter().map(String::as_str).collect();
            (true, format!("{} signed that this is outside of {names}: {shown}", who.join(", ")))
        }
        Whereabouts::Unknown => (
            false,
            format!(
                "it is not known whether this program runs inside one of {names}: {shown}; deploy from a machine itself, or \
                 have somebody sign that this is elsewhere (`host deploy approve PLAN --role outside`)"
            ),
        ),
    };
    GateState { located: Some(located), ..GateState::new(met, plain(&reason, REASON)) }
}
