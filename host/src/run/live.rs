//! A live run: what is looked at first is what it is bound to.

use std::sync::Arc;

use super::back::take_back;
use super::conclude::{conclude_live, locked, no_longer_fits};
use super::proof::{self, Shortfall};
use super::wait::released;
use super::{Agreed, Run};
use crate::backend::Backend;
use crate::fault::Fault;
use crate::journal::OnFailure;
use crate::recording::Recording;
use crate::report::{Decision, Report};

impl Run<'_> {
    /// Observing, then live bound to it.
    pub(super) async fn live(&self, agreed: Option<&Agreed>) -> Result<Report, Fault> {
        if let Some(result) = self.void(agreed)? {
            return Ok(self.report(&[], &[], result));
        }
        let held = if self.request.wait {
            match self.locked_when_free().await? {
                Ok(locks) => Some(locks),
                Err(result) => return Ok(self.report(&[], &[], result)),
            }
        } else {
            None
        };
        let mut observed = self.observing(Backend::Observing(Arc::clone(&self.far))).await?;
        let mut result = self.observed(&mut observed)?;
        let mut foreseen = observed.gate.foreseen().to_vec();
        let recording = Recording::new(observed.gate.into_steps());
        // What no longer fits is told before what came of it: a plan that policy forbids by now, or that cannot be made any more.
        // What a gate held, or a missing way, was not looked at.
        let looked =
            !matches!(result.decision, Decision::Blocked | Decision::InfraBlocked | Decision::Interrupted);
        if looked {
            let passed = recording.steps().len() + foreseen.len();
            let misplaced = self.misplaced(agreed, passed).await;
            let fits = agreed.map_or(Ok(()), |agreed| agreed.recording().fits(&recording));
            // Elsewhere nothing can be as it was; and where something is otherwise, so is what a file makes of it.
            result = match (misplaced, fits) {
                (misplaced, Err(halt)) if !misplaced.as_ref().is_some_and(|one| one.elsewhere) => {
                    no_longer_fits(halt, recording.steps(), agreed)
                }
                (Some(misplaced), _) => misplaced.result,
                (None, _) => result,
            };
        }
        if result.decision != Decision::Planned {
            released(held.unwrap_or_default()).await;
            return Ok(self.report(recording.steps(), &foreseen, result));
        }
        // Held until everything is done: through the verification and the way back.
        let locks = match held {
            Some(locks) => locks,
            None => match self.lock(recording.steps()).await {
                Ok(locks) => locks,
                Err(error) => return Ok(self.report(recording.steps(), &foreseen, locked(&error))),
            },
        };
        if let Some(result) = self.taken(agreed)? {
            released(locks).await;
            return Ok(self.report(recording.steps(), &foreseen, result));
        }
        let mut acted = self.pass(Backend::Live(Arc::clone(&self.far), recording)).await?;
        let verdict = proof::verdict(&acted.outcome, acted.gate.steps(), &self.request.commit);
        // Degraded is no failure: the requested commit runs and is proved.
        let failed = matches!(&verdict, Err(shortfall) if !matches!(shortfall, Shortfall::Degraded(_)));
        let mut undone = Vec::new();
        if failed && self.request.on_failure == OnFailure::Rollback {
            undone = take_back(&mut acted.gate).await;
        }
        let proved = verdict.is_ok();
        let result = conclude_live(self.host, self.request, verdict, acted.gate.steps(), &undone);
        if proved {
            foreseen = self.retained(foreseen).await;
        }
        released(locks).await;
        Ok(self.report(acted.gate.steps(), &foreseen, result))
    }
}
