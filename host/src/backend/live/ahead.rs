//! What is begun before its turn, because it is known to come and takes long: the check of a Compose project, which only
//! reads.

use std::path::Path;
use std::sync::PoisonError;

use super::FarSides;
use super::activation::EarlyCheck;
use super::compose::Compose;
use super::machine::Machine;
use crate::config::ComposeRuntime;
use crate::gate::ask::Ask;
use crate::operation::{Activate, Operation};
use crate::step::Step;

impl FarSides {
    /// Begins the checks of the activations on this machine that a pass which reached nothing has recorded, and policy
    /// permitted: they take longer than everything else that is looked at before the first change.
    pub fn begin_checks(&self, predicted: &[Step]) {
        for step in predicted.iter().filter(|step| step.verdict.allowed) {
            let Operation::Activate(call) = &step.operation else { continue };
            let Some(site) = self.sites.get(&call.runtime).filter(|site| site.runtime.via.is_none()) else {
                continue;
            };
            // What goes wrong here is told by the activation itself.
            let Ok(env_file) = site.runtime.env_file.path() else { continue };
            let compose = self.compose_for(&site.runtime, &env_file, call);
            self.early().push((call.clone(), EarlyCheck::begin(compose, call.clone())));
        }
    }

    fn compose_for(&self, runtime: &ComposeRuntime, env_file: &Path, call: &Activate) -> Compose {
        let stamped = call.stamp.iter().map(|pair| pair.key.clone()).collect();
        Compose::new(Machine::Here, runtime, env_file, &self.config.limits).showing(stamped)
    }

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

    /// The check that was begun for `call`, if one was. Which image it will be plays no part in it.
    pub(super) fn take_early(&self, call: &Activate) -> Option<EarlyCheck> {
        let mut early = self.early();
        let same = |begun: &Activate| Activate { artifact: call.artifact.clone(), ..begun.clone() } == *call;
        let at = early.iter().position(|(begun, _)| same(begun))?;
        Some(early.swap_remove(at).1)
    }

    fn early(&self) -> std::sync::MutexGuard<'_, Vec<(Activate, EarlyCheck)>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
