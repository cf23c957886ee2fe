//! One operation that passed the gate, with everything that is known of it afterwards. A pass is a list of these; two
//! passes are compared by them, and the report is made of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, CallError};
use crate::operation::{Kind, Operation};
use crate::policy::Decision;

/// Which pass of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Offline.
    Predicting,
    /// Real reads, recorded changes.
    Observing,
    /// The real thing.
    Live,
}

impl Pass {
    /// As in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predicting => "predicting",
            Self::Observing => "observing",
            Self::Live => "live",
        }
    }
}

/// One operation of one pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which pass.
    pub pass: Pass,
    /// From 1, in the order of the pass.
    pub seq: u32,
    /// What was asked.
    pub operation: Operation,
    /// At this place of the pass.
    pub kind: Kind,
    /// What policy said to everything that it touches.
    pub verdict: Decision,
    /// What came of it.
    pub outcome: Result<Answer, CallError>,
    /// For a change: what was there before it.
    pub before: Option<Value>,
    /// For a change: what is wanted.
    pub desired: Option<Value>,
    /// For a change that was made: what it left.
    pub after: Option<Value>,
    /// A change that failed, and that could not be taken back whole.
    pub left: bool,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

impl Step {
    /// Whether something is otherwise than before because of this step; a change that found everything as wanted is not
    /// one of them.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        let undo = matches!(self.operation, Operation::Undo { .. });
        !undo && (self.left || (self.is_done_change() && !self.found_it_so()))
    }

    /// Whether everything was already as wanted.
    #[must_use]
    pub fn found_it_so(&self) -> bool {
        self.before.is_some() && self.before == self.desired
    }

    /// Whether this step changed the world, or would have.
    #[must_use]
    pub fn is_done_change(&self) -> bool {
        self.kind == Kind::Change && self.outcome.is_ok()
    }

    /// What a verification expected and what it found, for everything that differs; nothing where all is well.
    #[must_use]
    pub fn unsatisfied(&self) -> Option<String> {
        let Ok(Answer::Checks(checks)) = &self.outcome else { return None };
        let expected = self.operation.expected();
        let wrong: Vec<String> = checks
            .iter()
            .filter(|check| !check.satisfied)
            .map(|check| {
                let found = check.found.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
                let wanted = expected.iter().find(|(pointer, _)| *pointer == check.pointer.as_str());
                let wanted = wanted.map_or_else(|| "the artifact".to_owned(), |(_, value)| value.to_string());
                format!("{}: expected {wanted}, found {found}", check.pointer)
            })
            .collect();
        (!wrong.is_empty()).then(|| {
            format!("{} of {}:\n{}", self.operation.name(), self.operation.target(), wrong.join("\n"))
        })
    }

    /// Whether it is a verification that did not find what was expected.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.kind == Kind::Verify && (self.outcome.is_err() || self.unsatisfied().is_some())
    }

    /// Whether it is a verification that found what was expected.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        match &self.outcome {
            Ok(Answer::Checks(checks)) => checks.iter().all(|check| check.satisfied),
            _ => false,
        }
    }
}
