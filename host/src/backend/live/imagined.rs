//! Far sides that a test makes up. What would be asked of the real ones comes to a [`World`] instead; nothing else of a run is
//! otherwise.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Connections, FarSides};
use crate::answer::{Answer, CallError};
use crate::backend::change::Unmade;
use crate::config::Config;
use crate::gate::ask::Ask;
use crate::operation::Operation;

/// What answers in place of everything that `host.toml` names.
pub trait World: Send + Sync {
    /// As of a read before the first change.
    fn read(&self, ask: &Ask<'_>) -> Result<Answer, CallError>;
    /// What is there, and what will be.
    fn probe(&self, ask: &Ask<'_>) -> Result<(Value, Value), CallError>;
    /// Is asked to make a change.
    fn apply(&self, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade>;
    /// Is asked to take a change back.
    fn undo(&self, ask: &Ask<'_>, change: &Operation) -> Result<(), CallError>;
    /// As of a verification.
    fn verify(&self, ask: &Ask<'_>) -> Result<Answer, CallError>;
}

impl Connections {
    /// Ways that all lead to `world`.
    #[must_use]
    pub fn imagined(config: &Config, world: Arc<dyn World>) -> Self {
        let mut ways = Self::new(config);
        ways.imagined = Some(world);
        // The registry's own machine is evidence beside a deploy, and is none of the world.
        ways.registry_warning = OnceCell::new_with(Some(None));
        ways
    }
}

impl FarSides {
    /// What answers in place of the real ones, where something does.
    pub(super) fn imagined(&self) -> Option<&dyn World> {
        self.to.imagined.as_deref()
    }
}
