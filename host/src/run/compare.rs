//! What runs, held against what is wanted: what `host deploy plan` says beside what a deploy would do.

use std::sync::Arc;

use super::{Passed, Run};
use crate::answer::{Answer, CallError};
use crate::backend::Backend;
use crate::engine::Outcome;
use crate::fault::Fault;
use crate::operation::{Kind, Operation};
use crate::report::{Decision, LastDeployPart, Report, State, StatePart};
use crate::step::Step;

impl Run<'_> {
    /// One pass that changes nothing, and tells how what runs stands to what is asked for.
    pub(super) async fn compare(&self) -> Result<Report, Fault> {
        let Passed { outcome, gate } = self.observing(Backend::Comparing(Arc::clone(&self.far))).await?;
        // That something else runs is no failure of the plan: it is what the plan is about.
        let differs = gate.steps().iter().any(Step::differs);
        let outcome = if differs { Ok(Outcome::Deployed) } else { outcome };
        let mut passed = Passed { outcome, gate };
        let result = self.observed(&mut passed)?;
        let report = self.report(passed.gate.steps(), passed.gate.foreseen(), result);
        Ok(compared(report, passed.gate.steps()))
    }
}

/// What a pass that compared comes to.
pub(super) fn compared(report: Report, steps: &[Step]) -> Report {
    if report.decision != Decision::Planned {
        // What is there does not fit what a deploy would do with it: no deploy left it so.
        let unfit =
            |step: &Step| step.kind == Kind::Change && matches!(step.outcome, Err(CallError::Mismatch(_)));
        let state = if steps.iter().any(unfit) { State::Drifted } else { State::Unknown };
        let reason = report.error.as_ref().map(|error| error.message.clone());
        return Report { state: Some(StatePart { state, reason }), ..report };
    }
    let state = state(steps, report.last_deploy.as_ref());
    let report = if state.state == State::InSync {
        Report { decision: Decision::InSync, recommended_action: None, ..report }
    } else {
        report
    };
    Report { state: Some(state), ..report }
}

/// From what was verified, in the order of what it says about the artifact: the image, what was stamped, and only then
/// whether it is well.
fn state(steps: &[Step], last: Option<&LastDeployPart>) -> StatePart {
    let told = |state, reason: String| StatePart { state, reason: Some(reason) };
    let drift = last.and_then(|last| last.drift.clone());
    let nobody = || "nothing on the target says which deploy left what runs".to_owned();
    let first = steps.iter().find(|step| step.differs());
    let Some(step) = first else {
        let verified = steps.iter().any(|step| step.kind == Kind::Verify && step.is_satisfied());
        return match (verified, last, drift) {
            (false, ..) => told(State::Unknown, "nothing of it was looked at".to_owned()),
            (true, None, _) => told(State::Drifted, nobody()),
            (true, Some(_), Some(drift)) => told(State::Drifted, drift),
            (true, Some(_), None) => StatePart { state: State::InSync, reason: None },
        };
    };
    let reason = step.unsatisfied().or_else(|| step.outcome.as_ref().err().map(ToString::to_string));
    let reason = reason.unwrap_or_default();
    match (&step.operation, &step.outcome) {
        (_, Err(CallError::Unreachable { .. } | CallError::Denied { .. })) => told(State::Unknown, reason),
        (Operation::ExpectContainer(_), Err(CallError::NotFound(_))) => {
            told(State::Behind, format!("nothing runs there: {reason}"))
        }
        (Operation::ExpectContainer(_) | Operation::ExpectWorkload(_), Err(CallError::Unavailable(_))) => {
            told(State::Unknown, reason)
        }
        (Operation::ExpectContainer(_) | Operation::ExpectWorkload(_), Ok(Answer::Checks(checks))) => {
            let same_image = checks.iter().any(|check| check.pointer.as_str() == "/image" && check.satisfied);
            match (same_image, last, drift) {
                (_, _, Some(drift)) => told(State::Drifted, drift),
                (_, None, None) => told(State::Drifted, nobody()),
                (true, Some(_), None) => told(State::Drifted, reason),
                (false, Some(last), None) => {
                    told(State::Behind, format!("runs commit {}", last.provenance.commit))
                }
            }
        }
        _ => match drift {
            Some(drift) => told(State::Drifted, drift),
            None => told(State::Degraded, reason),
        },
    }
}
