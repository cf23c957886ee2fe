//! What a pass recorded, and how a later pass is held to it.

use crate::answer::Answer;
use crate::gate::halt::Halt;
use crate::operation::Operation;
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

    /// Whether another pass recorded the same operations on the same states.
    ///
    /// # Errors
    /// [`Halt::Stale`] with the first step that differs.
    pub fn fits(&self, other: &Self) -> Result<(), Halt> {
        let key = |step: &Step| (step.operation.clone(), step.before.clone(), step.desired.clone());
        let differs = (1..=self.0.len().max(other.0.len())).find_map(|seq| {
            let seq = u32::try_from(seq).ok()?;
            let (mine, theirs) = (self.step(seq), other.step(seq));
            (mine.map(key) != theirs.map(key)).then(|| (seq, mine.or(theirs)))
        });
        match differs {
            Some((seq, Some(step))) => {
                Err(Halt::Stale { seq, operation: step.operation.name(), target: step.operation.target() })
            }
            _ => Ok(()),
        }
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
            verdict: Decision { allowed: true, policies: Vec::new(), reason: None },
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
