//! What is begun before its turn, because it is known to come and takes long: the check of a Compose project, which only
//! reads.

use std::sync::PoisonError;

use super::FarSides;
use super::activation::EarlyCheck;
use crate::gate::ask::Ask;
use crate::operation::{Activate, Operation};
use crate::step::Step;

impl FarSides {
    /// Begins, beside the delivery `ask`, the check of the activation that follows it in the same recording, which policy
    /// permitted when it was recorded. It takes as long as a delivery whose layers are there.
    pub(in crate::backend) async fn look_ahead(&self, ask: &Ask<'_>, recorded: &[Step]) {
        let Operation::Deliver(delivery) = ask.operation else { return };
        let next = recorded.iter().find_map(|step| match &step.operation {
            Operation::Activate(call)
                if step.verdict.allowed && call.runtime == delivery.runtime && step.seq > ask.seq =>
            {
                Some(call)
            }
            _ => None,
        });
        let Some(call) = next else { return };
        if let Ok(activation) = self.activation(ask, call).await {
            self.early().push((call.clone(), activation.begin_check()));
        }
    }

    /// The check that was begun for `call`, if one was.
    pub(super) fn take_early(&self, call: &Activate) -> Option<EarlyCheck> {
        let mut early = self.early();
        let at = early.iter().position(|(begun, _)| begun == call)?;
        Some(early.swap_remove(at).1)
    }

    fn early(&self) -> std::sync::MutexGuard<'_, Vec<(Activate, EarlyCheck)>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
