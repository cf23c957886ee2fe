//! The changes that a far side knows, as one: what a pass does with a change is the same for all of them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::activation::Activation;
use super::delivery::Delivery;
use super::installing::Installing;
use super::kubernetes::{Import, Patching, Synchronisation};
use crate::answer::CallError;
use crate::backend::change::{Change, Unmade};
use crate::gate::ask::Ask;
use crate::step::Step;

/// One change of one far side.
pub enum Changing<'a> {
    /// `image.deliver` into an engine.
    Delivery(Delivery<'a>),
    /// `image.deliver` into the containerd of a node.
    Import(Import<'a>),
    /// `compose.activate`.
    Activation(Box<Activation<'a>>),
    /// `kubernetes.patch`.
    Patch(Patching<'a>),
    /// `kubernetes.sync`.
    Synchronisation(Synchronisation<'a>),
    /// `host.registry-install`.
    Installation(Installing<'a>),
}

/// The same expression for the change, whichever it is.
macro_rules! each {
    ($changing:expr, $change:ident => $expression:expr) => {
        match $changing {
            Changing::Delivery($change) => $expression,
            Changing::Import($change) => $expression,
            Changing::Patch($change) => $expression,
            Changing::Synchronisation($change) => $expression,
            Changing::Installation($change) => $expression,
            Changing::Activation($change) => {
                let $change = &**$change;
                $expression
            }
        }
    };
}

impl Changing<'_> {
    /// What is there, and what is wanted.
    ///
    /// # Errors
    /// What the change could not be made on.
    pub async fn probed(&self) -> Result<(Value, Value), CallError> {
        each!(self, change => Box::pin(probed(change)).await)
    }

    /// Makes it; gives what is there now.
    ///
    /// # Errors
    /// Why not, and whether something of it is left.
    pub async fn applied(&self, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
        each!(self, change => Box::pin(applied(change, ask, before)).await)
    }

    /// Takes back what `done` did.
    ///
    /// # Errors
    /// Why not.
    pub async fn undone(&self, ask: &Ask<'_>, done: &Step) -> Result<(), CallError> {
        each!(self, change => Box::pin(undone(change, ask, done)).await)
    }
}

async fn probed<C: Change>(change: &C) -> Result<(Value, Value), CallError> {
    let before = change.probe().await?;
    let desired = change.desired(&before);
    Ok((value(&before)?, value(&desired)?))
}

async fn applied<C: Change>(change: &C, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
    let after = change.apply(&state(before)?, ask.watcher, ask.interrupt).await?;
    // The change is made: whatever goes wrong from here on, something of it is there.
    value(&after).map_err(|error| Unmade { error, left: true })
}

async fn undone<C: Change>(change: &C, ask: &Ask<'_>, done: &Step) -> Result<(), CallError> {
    let after = done.after.as_ref().map(|after| state(Some(after))).transpose()?;
    change.undo(&state(done.before.as_ref())?, after.as_ref(), ask.watcher).await
}

/// A state as plans and the journal keep it.
///
/// # Errors
/// For one that JSON cannot hold.
pub fn value<T: Serialize>(state: &T) -> Result<Value, CallError> {
    serde_json::to_value(state)
        .map_err(|error| CallError::Other(format!("a state cannot be written down: {error}")))
}

fn state<T: DeserializeOwned>(value: Option<&Value>) -> Result<T, CallError> {
    T::deserialize(value.unwrap_or(&Value::Null))
        .map_err(|error| CallError::Other(format!("a state cannot be read back: {error}")))
}
