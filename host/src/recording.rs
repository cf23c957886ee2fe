//! What a pass recorded, and how a later pass is held to it.

use serde::Serialize;

use crate::answer::Answer;
use crate::gate::halt::Halt;
use crate::leaves;
use crate::operation::{Kind, Operation};
use crate::step::Step;

/// The steps of an observed pass. A live pass may only do these, in this order; ending early is no divergence.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording(Vec<Step>);

impl Recording {
    /// Of the steps of a finished pass.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        Self(steps)
    }

    /// All of them.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The step that has this number.
    #[must_use]
    pub fn step(&self, seq: u32) -> Option<&Step> {
        self.0.iter().find(|step| step.seq == seq)
    }

    /// Whether a later pass may do `operation` at this place.
    ///
    /// # Errors
    /// [`Halt::Diverged`] with both in words.
    pub fn admits(&self, seq: u32, operation: &Operation) -> Result<(), Halt> {
        let recorded = self.step(seq).map(|step| &step.operation);
        if recorded == Some(operation) {
            return Ok(());
        }
        let words = |operation: &Operation| format!("{} of {}", operation.name(), operation.target());
        let got = words(operation);
        let mut expected = recorded.map_or_else(|| "the end of the run".to_owned(), words);
        if expected == got {
            expected.push_str(" with other arguments");
        }
        Err(Halt::Diverged { who: "the plugin".to_owned(), seq, expected, got })
    }

    /// Whether another pass recorded the same operations on the same states, decided as these were.
    ///
    /// # Errors
    /// [`Halt::Stale`] with the first step that differs.
    pub fn fits(&self, other: &Self) -> Result<(), Halt> {
        let last = u32::try_from(self.0.len().max(other.0.len())).unwrap_or(u32::MAX);
        for seq in 1..=last {
            let (mine, theirs) = (self.step(seq), other.step(seq));
            let Some(step) = mine.or(theirs) else { continue };
            // Nobody approved what needs that: it was denied, and what came after it is none of the plan's.
            if mine.is_some_and(|step| !step.verdict.needs.is_empty())
                && theirs.is_some_and(|step| !step.verdict.allowed)
            {
                return Ok(());
            }
            if let Some(how) = changed(mine, theirs) {
                let (operation, target) = (step.operation.name(), step.operation.target());
                return Err(Halt::Stale { seq, operation, target, how });
            }
        }
        Ok(())
    }

    /// What the failure path takes back, last first: the changes that were made, and those that failed and left something.
    /// Objects that pods read when they start come before the patches whose way back starts pods.
    pub fn undo_order(steps: &[Step]) -> impl Iterator<Item = &Step> {
        let read_at_start = |step: &&Step| matches!(step.operation, Operation::SyncObject(_));
        let made = || steps.iter().rev().filter(|step| step.has_effect());
        made().filter(read_at_start).chain(made().filter(move |step| !read_at_start(step)))
    }

    /// Gates that a live run would not pass, as (seq, reason).
    pub fn unmet(steps: &[Step]) -> impl Iterator<Item = (&Step, &str)> {
        steps.iter().filter_map(|step| match &step.outcome {
            Ok(Answer::Gate(state)) if !state.met => Some((step, state.reason.as_str())),
            _ => None,
        })
    }
}

/// How a step is another one now; nothing where it is the same. What was read counts as what will be written to, and so does
/// what policy says: it may depend on the time.
fn changed(planned: Option<&Step>, now: Option<&Step>) -> Option<String> {
    let (planned, now) = match (planned, now) {
        (Some(planned), Some(now)) => (planned, now),
        (Some(_), None) => return Some("it is not reached any more".to_owned()),
        (None, Some(_)) => return Some("it was not planned".to_owned()),
        (None, None) => return None,
    };
    if planned.verdict.allowed != now.verdict.allowed {
        let reason = now.verdict.reason.clone().unwrap_or_else(|| "it is permitted".to_owned());
        return Some(format!("policy decides otherwise now: {reason}"));
    }
    if planned.operation != now.operation {
        let named = |step: &Step| format!("{} of {}", step.operation.name(), step.operation.target());
        let (mine, theirs) = (named(planned), named(now));
        return Some(if mine == theirs {
            "with other arguments".to_owned()
        } else {
            format!("{mine} → {theirs}")
        });
    }
    if let (Ok(_), Err(error)) = (&planned.outcome, &now.outcome) {
        return Some(format!("it cannot be done any more: {}", error.message()));
    }
    let read = |step: &Step| (step.kind == Kind::Read).then(|| step.outcome.clone());
    if read(planned) != read(now) {
        return Some(told(&read(planned), &read(now)));
    }
    // What is wanted follows from these; that a change bears the name of its run makes it no other one.
    (planned.before != now.before).then(|| told(&planned.before, &now.before))
}

/// What differs between two states or answers, in words.
pub fn told<T: Serialize>(one: &T, other: &T) -> String {
    let json = |value: &T| serde_json::to_value(value).unwrap_or_default();
    leaves::told(&json(one), &json(other)).unwrap_or_else(|| "something of it is otherwise".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::CallError;
    use crate::names::{ConfigName, KubernetesName, RuntimeName};
    use crate::operation::{Kind, ObjectKind, SyncObject};
    use crate::policy::Decision;
    use crate::step::Pass;
    use serde_json::json;

    /// A recorded change of something called `name`, found as `before` and wanted as `desired`.
    fn change(seq: u32, name: &str, before: &str, desired: &str) -> Step {
        Step {
            pass: Pass::Observing,
            seq,
            operation: Operation::Hold { reason: name.to_owned() },
            kind: Kind::Change,
            verdict: Decision::permitted(Vec::new()),
            outcome: Ok(Answer::Done),
            before: Some(json!(before)),
            desired: Some(json!(desired)),
            after: None,
            left: false,
            duration_ms: 0,
        }
    }

    #[test]
    fn a_bound_pass_may_do_what_was_recorded_in_that_order_and_may_end_early() {
        let recording = Recording::new(vec![change(1, "a", "x", "y"), change(2, "b", "x", "y")]);
        let operation = |name: &str| Operation::Hold { reason: name.to_owned() };
        assert_eq!(recording.admits(1, &operation("a")), Ok(()));
        assert!(matches!(recording.admits(1, &operation("b")), Err(Halt::Diverged { seq: 1, .. })));
        assert!(matches!(recording.admits(3, &operation("a")), Err(Halt::Diverged { seq: 3, .. })));
        assert!(matches!(recording.admits(0, &operation("a")), Err(Halt::Diverged { .. })));
    }

    #[test]
    fn a_recording_that_continues_another_is_bound_by_its_numbers() {
        let recording = Recording::new(vec![change(6, "a", "x", "y")]);
        let operation = Operation::Hold { reason: "a".to_owned() };
        assert_eq!(recording.admits(6, &operation), Ok(()));
        assert!(matches!(recording.admits(1, &operation), Err(Halt::Diverged { seq: 1, .. })));
    }

    #[test]
    fn a_plan_that_was_agreed_to_fits_only_what_is_still_so() {
        let agreed = Recording::new(vec![change(1, "a", "x", "y")]);
        assert_eq!(agreed.fits(&Recording::new(vec![change(1, "a", "x", "y")])), Ok(()));
        for other in [
            vec![change(1, "a", "somebody changed it", "y")],
            vec![change(1, "b", "x", "y")],
            vec![change(1, "a", "x", "y"), change(2, "b", "x", "y")],
            vec![],
        ] {
            let fits = agreed.fits(&Recording::new(other));
            assert!(matches!(fits, Err(Halt::Stale { .. })), "{fits:?}");
        }
    }

    #[test]
    fn the_way_back_is_last_first_and_leaves_alone_what_was_found_so() {
        let mut failed = change(3, "failed whole", "x", "y");
        failed.outcome = Err(CallError::Other("no".to_owned()));
        let mut left = change(4, "left half-done", "x", "y");
        left.outcome = Err(CallError::Other("no".to_owned()));
        left.left = true;
        let steps = [change(1, "done", "x", "y"), change(2, "already so", "y", "y"), failed, left];
        let order: Vec<u32> = Recording::undo_order(&steps).map(|step| step.seq).collect();
        assert_eq!(order, [4, 1]);
    }

    #[test]
    fn what_pods_read_when_they_start_goes_back_before_they_do() {
        let object = |seq, name: &str| {
            let call = SyncObject {
                runtime: RuntimeName::parse("d601-k3s").expect("a runtime"),
                kind: ObjectKind::Secret,
                namespace: KubernetesName::parse("unidesk").expect("a namespace"),
                name: KubernetesName::parse(name).expect("a name"),
                source: ConfigName::parse("shop").expect("a source"),
                entries: Vec::new(),
            };
            Step { operation: Operation::SyncObject(call), ..change(seq, name, "x", "y") }
        };
        let steps =
            [change(1, "image", "x", "y"), object(2, "a"), object(3, "b"), change(4, "patch", "x", "y")];
        let order: Vec<u32> = Recording::undo_order(&steps).map(|step| step.seq).collect();
        assert_eq!(order, [3, 2, 4, 1]);
    }
}
