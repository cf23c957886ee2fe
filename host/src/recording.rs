//! What a pass recorded, and how a later pass is held to it.

use serde_json::Value;

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

    /// The step at a place, from 1.
    #[must_use]
    pub fn step(&self, seq: u32) -> Option<&Step> {
        usize::try_from(seq).ok().and_then(|seq| self.0.get(seq.checked_sub(1)?))
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
        Err(Halt::Diverged { seq, expected, got })
    }

    /// The changes that were made, last first: the order in which they are taken back.
    pub fn undo_order(steps: &[Step]) -> impl Iterator<Item = &Step> {
        Self::undoable(steps)
            .filter(|step| step.before.is_some() && !matches!(step.operation, Operation::Undo { .. }))
    }

    /// The changes of a recorded pass that the failure path would take back, last first.
    pub fn undoable(steps: &[Step]) -> impl Iterator<Item = &Step> {
        steps.iter().rev().filter(|step| step.is_done_change())
    }

    /// Gates that a live run would not pass, as (seq, reason).
    pub fn unmet(steps: &[Step]) -> impl Iterator<Item = (&Step, &str)> {
        steps.iter().filter_map(|step| match &step.outcome {
            Ok(Answer::Gate(state)) if !state.met => Some((step, state.reason.as_str())),
            _ => None,
        })
    }
}

/// Whether a change would change anything.
#[must_use]
pub fn already_so(before: Option<&Value>, desired: Option<&Value>) -> bool {
    before.is_some() && before == desired
}
