//! Questions of the host's own: through the same gate as a plugin's, each through one of its own.

use std::sync::Arc;

use super::halt::Halt;
use super::{Gate, Subject, Unheard};
use crate::answer::{Answer, CallError};
use crate::backend::Backend;
use crate::backend::live::FarSides;
use crate::journal::Log;
use crate::operation::Operation;
use crate::policy::{BuiltIn, Context, Policy, Principal};
use crate::progress::Interrupt;

/// Which command asks, and whom.
pub struct Asking<'a> {
    /// What decides.
    pub policy: &'a Arc<Policy>,
    /// The command.
    pub built_in: BuiltIn,
    /// Operator and time.
    pub context: Context,
    /// What is asked.
    pub far: &'a Arc<FarSides>,
    /// Where it is written down: a command that leaves no trace keeps nothing, and what is asked beside a run is in its record.
    pub log: Log,
}

impl Asking<'_> {
    /// Asks once.
    ///
    /// # Errors
    /// The outer error is a bug; the inner one says why there is no answer.
    pub async fn ask(self, operation: Operation) -> Result<Result<Answer, CallError>, Halt> {
        self.gate().beside().perform(operation).await
    }

    /// Asks once, as what follows the `steps` steps of a pass.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub async fn ask_after(
        self,
        steps: usize,
        operation: Operation,
    ) -> Result<Result<Answer, CallError>, Halt> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.gate().following(steps).perform(operation).await
    }

    fn gate(self) -> Gate {
        let subject =
            Subject { principal: Principal::BuiltIn { built_in: self.built_in }, context: self.context };
        Gate::new(
            Arc::clone(self.policy),
            subject,
            self.log,
            Backend::Observing(Arc::clone(self.far)),
            Arc::new(Unheard),
            Interrupt::pair().1,
            1,
        )
    }
}
