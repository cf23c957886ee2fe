//! A recorded pass, and what a later one may do.

use arbitrary::Unstructured;
use serde_json::Value;

use super::{assert_presentable, generate};
use crate::answer::Answer;
use crate::canonical;
use crate::gate::halt::Halt;
use crate::operation::{Kind, Operation};
use crate::recording::Recording;
use crate::step::Step;

/// Two passes made of any bytes: a recording admits itself and nothing else, fits what is the same and nothing else, and
/// is taken back from its end.
pub fn recording(input: &[u8]) {
    let u = &mut Unstructured::new(input);
    let Ok(one) = generate::steps(u) else { return };
    let other = generate::like(u, &one).unwrap_or_default();
    for step in one.iter().chain(&other) {
        sound(step);
        let json = serde_json::to_string(step).expect("a step is JSON");
        assert_eq!(serde_json::from_str::<Step>(&json).expect("what was written can be read"), *step);
    }
    let (first, second) = (Recording::new(one), Recording::new(other));
    admits_itself_only(&first, &second);
    fits_the_same_only(&first, &second);
    undone(first.steps());
}

/// What holds of any step that can be read at all.
pub fn sound(step: &Step) {
    let operation = &step.operation;
    let json = serde_json::to_value(operation).expect("an operation is JSON");
    assert_eq!(json["operation"], operation.name());
    assert_presentable(operation.name(), 40);
    for access in operation.accesses() {
        assert!(!access.resource.id.chars().any(char::is_control), "{access:?}");
    }
    let undone = if let Operation::Undo { change } = operation { change } else { operation };
    let patches_nothing = matches!(undone, Operation::PatchDeployments(call) if call.deployments.is_empty());
    if undone.kind(true) == Kind::Change && !patches_nothing {
        assert!(!matches!(undone, Operation::Undo { .. }) || json["change"].is_object());
        assert!(!operation.accesses().is_empty(), "a change that no policy is asked about: {operation:?}");
    }
}

fn admits_itself_only(recording: &Recording, other: &Recording) {
    let count = seq(recording.steps().len());
    for step in recording.steps() {
        assert_eq!(recording.admits(step.seq, &step.operation), Ok(()));
    }
    for step in other.steps() {
        let recorded = recording.step(step.seq);
        let same = recorded.is_some_and(|recorded| form(&recorded.operation) == form(&step.operation));
        match recording.admits(step.seq, &step.operation) {
            Ok(()) => assert!(same, "{step:?} in place of {recorded:?}"),
            Err(Halt::Diverged { seq, expected, got, .. }) => {
                assert!(!same, "{step:?} is not {recorded:?}");
                assert_eq!(seq, step.seq);
                assert_ne!(expected, got, "words that say what differs");
            }
            Err(other) => panic!("{other}"),
        }
        for beyond in [0, count + 1, u32::MAX] {
            assert!(recording.admits(beyond, &step.operation).is_err(), "step {beyond} of {count}");
        }
    }
}

fn fits_the_same_only(one: &Recording, other: &Recording) {
    assert_eq!(one.fits(one), Ok(()));
    let key = |step: &Step| {
        let read = (step.kind == Kind::Read).then(|| form(&step.outcome));
        (form(&step.operation), step.verdict.allowed, read, step.before.as_ref().map(form))
    };
    let keys = |recording: &Recording| recording.steps().iter().map(key).collect::<Vec<_>>();
    let (mine, theirs) = (keys(one), keys(other));
    for (fits, way) in [(one.fits(other), "there"), (other.fits(one), "back")] {
        match fits {
            Ok(()) => assert_eq!(mine, theirs, "{way}"),
            Err(Halt::Stale { seq: at, .. }) => {
                let common = mine.iter().zip(&theirs).take_while(|(mine, theirs)| mine == theirs).count();
                assert_eq!(at, seq(common) + 1, "the first that differs, {way}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn undone(steps: &[Step]) {
    let order: Vec<u32> = Recording::undo_order(steps).map(|step| step.seq).collect();
    let (read_at_start, others): (Vec<&Step>, Vec<&Step>) = steps
        .iter()
        .rev()
        .filter(|step| {
            let made = step.kind == Kind::Change && step.outcome.is_ok();
            let as_found = step.before.is_some() && step.before == step.desired;
            !matches!(step.operation, Operation::Undo { .. }) && (step.left || (made && !as_found))
        })
        .partition(|step| matches!(step.operation, Operation::SyncObject(_)));
    let expected: Vec<u32> = read_at_start.iter().chain(&others).map(|step| step.seq).collect();
    assert_eq!(order, expected);
    for (step, reason) in Recording::unmet(steps) {
        assert!(matches!(&step.outcome, Ok(Answer::Gate(state)) if !state.met && state.reason == reason));
    }
}

fn form<T: serde::Serialize>(value: &T) -> Value {
    canonical::json(value).expect("JSON").into()
}

fn seq(count: usize) -> u32 {
    u32::try_from(count).expect("few steps")
}
