//! How the gate asks.

use std::collections::BTreeSet;

use crate::artifact::Artifact;
use crate::names::Commit;
use crate::operation::{Kind, Operation};
use crate::policy::Approvers;
use crate::progress::{Interrupt, Watcher};
use crate::step::Step;

/// One question to a backend.
pub struct Ask<'a> {
    /// Place in the pass.
    pub seq: u32,
    /// Kind at this place.
    pub kind: Kind,
    /// What is asked.
    pub operation: &'a Operation,
    /// The artifact that the operation names, as this pass resolved it.
    pub artifact: Option<&'a Artifact>,
    /// For an undo: the change that is taken back.
    pub undone: Option<&'a Step>,
    /// Whether a change was recorded or made before in this pass.
    pub changed: bool,
    /// Whether a gate before it ends this run before its first change, so that no far side need be asked anything more.
    pub held: bool,
    /// Whether a verification before it found something else than what was expected.
    pub differs: bool,
    /// The commit that the desired state names for what is deployed.
    pub pinned: Option<&'a Commit>,
    /// Who approved what is done, by role.
    pub approvers: &'a Approvers,
    /// Who signed that this program runs elsewhere, where nobody can tell.
    pub vouched: &'a BTreeSet<String>,
    /// Who watches.
    pub watcher: &'a dyn Watcher,
    /// When to stop.
    pub interrupt: &'a Interrupt,
    /// Only the gate can make one, so nothing reaches a backend past it. The compiler holds it.
    pub(super) _sealed: Sealed,
}

/// Made by the gate.
pub struct Sealed(pub(super) ());
