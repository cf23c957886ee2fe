//! Waiting for another deploy of the same service. What was looked at before it ended is no longer true after it, so the lock
//! comes first, and everything is looked at under it.

use std::time::Duration;

use super::Run;
use super::conclude::{locked, stopped};
use crate::answer::CallError;
use crate::backend::live::Lock;
use crate::engine::Stop;
use crate::fault::Fault;
use crate::gate::halt::Halt;
use crate::operation::Operation;
use crate::recording::Recording;
use crate::report::RunResult;
use crate::step::{Pass, Step};
use crate::who;

/// Between two tries for a lock that somebody holds.
const PAUSE: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// The locks of this service wherever its changes will go, as a pass tells that reaches nothing.
    pub(super) async fn locked_when_free(&self) -> Result<Result<Vec<Lock>, RunResult>, Fault> {
        let predicted = self.predicted().await?;
        // What is refused anyway waits for nobody. Secrets may be known to somebody who was not asked yet.
        let refused = Recording::unmet(predicted.gate.steps())
            .any(|(step, _)| !matches!(step.operation, Operation::RequireSecrets { .. }));
        if refused {
            return Ok(Ok(Vec::new()));
        }
        let mut told = false;
        loop {
            match self.lock(predicted.gate.steps()).await {
                Ok(locks) => return Ok(Ok(locks)),
                Err(CallError::Unavailable(who)) => {
                    if !told {
                        self.audience.says(Pass::Live, &format!("waiting: {who}"));
                        told = true;
                    }
                }
                Err(error) => return Ok(Err(locked(&error))),
            }
            tokio::select! {
                () = self.interrupt.raised() => {
                    return Ok(Err(stopped(&Stop::Halt(Halt::Interrupted), &[])));
                }
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// The locks of this service wherever `steps` change something; refused while somebody holds one of them.
    pub(super) async fn lock(&self, steps: &[Step]) -> Result<Vec<Lock>, CallError> {
        let holder = format!("{} on {} runs {}", self.host.requester, who::machine(), self.log.id());
        self.far.lock(steps, &self.request.service, &holder).await
    }
}

/// Gives locks back; comes back when others can have them.
pub(super) async fn released(locks: Vec<Lock>) {
    for lock in locks {
        lock.release().await;
    }
}
