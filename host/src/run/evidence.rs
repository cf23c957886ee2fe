//! The registry's own health beside a deploy from it: evidence, never a condition. A unit that is down while artifacts can be had
//! stops no deploy (milder than the first line of the specification's flow); the look-up carries the warning.

use std::time::Duration;

use tokio::time::timeout;

use super::{Passed, Run};
use crate::answer::Answer;
use crate::backend::Backend;
use crate::fault::Fault;
use crate::installation::{Standing, Verdict};
use crate::operation::Operation;
use crate::policy::BuiltIn;
use crate::step::Step;
use crate::words::listed;

/// Longest that a pass which is over waits for it.
const GRACE: Duration = Duration::from_secs(1);
/// Most things that are wrong with it that are named.
const NAMED: usize = 2;

/// Whether the registry was asked for an artifact, whatever it said.
fn is_lookup(step: &Step) -> bool {
    let unasked = matches!(&step.outcome, Ok(Answer::Artifact(artifact)) if artifact.identity.is_none());
    matches!(step.operation, Operation::Resolve(_)) && step.verdict.allowed && !unasked
}

impl Run<'_> {
    /// A pass that looks, and beside it a look at the registry itself.
    pub(super) async fn observing(&self, backend: Backend) -> Result<Passed, Fault> {
        if matches!(backend, Backend::Predicting(_)) {
            return self.pass(backend).await;
        }
        let mut look = Box::pin(self.far.look_at_registry(self.registry_warning()));
        let mut pass = Box::pin(self.pass(backend));
        tokio::select! {
            passed = &mut pass => {
                let asked = passed.as_ref().is_ok_and(|passed| passed.gate.steps().iter().any(is_lookup));
                // What is not known by then is not worth a wait.
                if asked {
                    let _ = timeout(GRACE, look).await;
                }
                passed
            }
            () = &mut look => pass.await,
        }
    }

    /// Nothing where it is well, where it is kept in another way, and where nobody may or can look.
    async fn registry_warning(&self) -> Option<String> {
        let asking = self.asking(BuiltIn::Registry);
        let answer = asking.ask(Operation::InspectRegistry { evidence: true }).await;
        let Ok(Ok(Answer::Installation(observed))) = answer else { return None };
        let standing = Standing::of(&self.host.config.registry.installation, &observed);
        if !standing.installed || standing.verdict == Verdict::Healthy {
            return None;
        }
        let wrong = standing.checks.iter().filter(|check| !check.ok);
        let wrong: Vec<String> = wrong.map(|check| check.evidence.clone()).collect();
        Some(format!(
            "the registry is {} ({}); `host registry health` tells more",
            standing.verdict.as_str(),
            listed(&wrong, NAMED)
        ))
    }
}
