//! A change knows what is there now, what it wants, and how to go back. Preconditions of a plan, "already so",
//! rollback and the difference a person reads are all this one thing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::CallError;
use crate::progress::{Interrupt, Watcher};

/// One change of one far side.
pub trait Change {
    /// What stands where the change will write: enough to compare, to show and to go back. It goes into plans and the
    /// journal, so it never holds a secret.
    type State: Serialize + DeserializeOwned + PartialEq + Send + Sync;

    /// What is there now. Refuses what the change could not be made on, so that it is known before the first change.
    fn probe(&self) -> impl Future<Output = Result<Self::State, CallError>> + Send;

    /// What will be there afterwards, given what is there now.
    fn desired(&self, before: &Self::State) -> Self::State;

    /// Makes the change and says what is there now. If it fails half-way it takes back what it did itself.
    /// A raised `interrupt` may end it only where nothing half-done is left.
    fn apply(
        &self,
        before: &Self::State,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> impl Future<Output = Result<Self::State, Unmade>> + Send;

    /// Goes back to `before`. Refuses where somebody else changed it since: what is there must be `after`, which is what
    /// `apply` left; nothing where `apply` could not take itself back and nobody knows what is there.
    fn undo(
        &self,
        before: &Self::State,
        after: Option<&Self::State>,
        watcher: &dyn Watcher,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Why a change was not made.
#[derive(Debug)]
pub struct Unmade {
    /// The reason, and where something is left, what.
    pub error: CallError,
    /// Whether something of it is left: it began and could not be taken back whole.
    pub left: bool,
}

impl From<CallError> for Unmade {
    fn from(error: CallError) -> Self {
        Self { error, left: false }
    }
}
