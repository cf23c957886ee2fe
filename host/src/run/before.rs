//! Where a commit is tried before it comes to an environment, and whether it was (specification: dev first, then prod).

use std::sync::Arc;

use super::{Host, Request, Run, keep};
use crate::backend::live::Connections;
use crate::fault::Fault;
use crate::gate::Unheard;
use crate::names::Environment;
use crate::progress::Interrupt;
use crate::report::{Mode, State, VerifiedPart};

impl Run<'_> {
    /// Finds out whether the commit was verified in the environment that goes before this one. The journal knows what was
    /// deployed from this machine; where it does not, whoever asks others anyway looks at what runs there.
    pub(super) async fn after_what_goes_before(
        mut self,
        to: &Arc<Connections>,
        interrupt: &Interrupt,
    ) -> Result<Self, Fault> {
        let Some(first) = self.environment.after.clone() else { return Ok(self) };
        let (host, request) = (self.host, self.request);
        let part = |verified, evidence| VerifiedPart { environment: first.clone(), verified, evidence };
        let part = match host.journal()?.deployed(&request.service, &first, &request.commit)? {
            Some((run, at)) => {
                let second = at.split('.').next().unwrap_or_default();
                part(true, format!("run {run} deployed it there at {second}Z"))
            }
            None if request.mode == Mode::DryRun => part(
                false,
                "no run in this journal deployed it there, and offline nobody is asked".to_owned(),
            ),
            None => {
                let (verified, evidence) = host.looked(to, request, &first, interrupt).await?;
                part(verified, evidence)
            }
        };
        self.subject.context.verified_before = part.verified;
        self.verified = Some(part);
        Ok(self)
    }
}

impl Host {
    /// What runs in `first`, held against the requested commit, in a run of its own.
    async fn looked(
        &self,
        to: &Arc<Connections>,
        request: &Request,
        first: &Environment,
        interrupt: &Interrupt,
    ) -> Result<(bool, String), Fault> {
        let look = Request {
            environment: first.clone(),
            mode: Mode::Plan,
            compare: true,
            keep: false,
            ..request.clone()
        };
        let log = self.begin(&look)?;
        let looked = async {
            let made = self.prepared(Arc::clone(to), &look, &log, Arc::new(Unheard), interrupt.clone())?;
            match made {
                Ok(run) => run.compare().await,
                Err(report) => Ok(*report),
            }
        };
        let report = match looked.await {
            Ok(report) => report,
            Err(fault) => {
                // What kept it from being looked at is what there is to tell.
                let _ = log.abandon(&fault);
                return Ok((false, format!("no run in this journal deployed it there; {}", fault.message)));
            }
        };
        keep(&log, &report)?;
        Ok(match &report.state {
            Some(part) if part.state == State::InSync => {
                (true, format!("it runs there now, in sync (run {})", log.id()))
            }
            Some(part) => {
                let reason = part.reason.as_deref().unwrap_or_default();
                (
                    false,
                    format!(
                        "no run in this journal deployed it there, and what runs there is {}: {reason}",
                        part.state.words()
                    ),
                )
            }
            None => {
                let reason = report.error.map(|error| error.message).unwrap_or_default();
                (false, format!("no run in this journal deployed it there, and nobody can look: {reason}"))
            }
        })
    }
}
