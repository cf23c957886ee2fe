//! A live run that is bound to what somebody saw: a plan on the terminal, or one in a file.

use jiff::Timestamp;

use super::Run;
use super::conclude::ended;
use crate::approval::Counted;
use crate::fault::Fault;
use crate::journal::OnFailure;
use crate::names::Digest;
use crate::plan::ServicePlan;
use crate::policy::Principal;
use crate::recording::Recording;
use crate::report::{Decision, RunResult};
use crate::step::Step;

/// What somebody said yes to.
#[derive(Debug, Clone)]
pub enum Agreed {
    /// What was just shown.
    Shown(Recording),
    /// A part of a saved plan.
    Saved {
        /// The name of the plan.
        name: Digest,
        /// The part.
        plan: Box<ServicePlan>,
        /// Its steps.
        recording: Recording,
        /// Who asked for it, and who approved it.
        counted: Counted,
    },
}

impl Agreed {
    /// Of a part of the plan called `name`.
    #[must_use]
    pub fn saved(name: &Digest, plan: ServicePlan, counted: Counted) -> Self {
        let recording = plan.recording();
        Self::Saved { name: name.clone(), plan: Box::new(plan), recording, counted }
    }

    /// What the run is bound to.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        match self {
            Self::Shown(recording) | Self::Saved { recording, .. } => recording,
        }
    }
}

impl Run<'_> {
    /// The same, with what was signed about the plan that it is bound to: policy and gates see who approved it.
    pub(super) fn approved(mut self, agreed: Option<&Agreed>) -> Result<Self, Fault> {
        let Some(Agreed::Saved { counted, .. }) = agreed else { return Ok(self) };
        for (role, names) in counted.approvers.by_role() {
            for name in names {
                self.log.said(&format!("approved by {name} ({role})"))?;
            }
        }
        self.subject.context.approvers.clone_from(&counted.approvers);
        Ok(self)
    }

    /// What a pass found, as it can be kept.
    pub(super) fn kept(&self, steps: &[Step], foreseen: &[Step]) -> ServicePlan {
        let now = Timestamp::now();
        let timeless = |step: &Step| Step { duration_ms: 0, ..step.clone() };
        ServicePlan {
            service: self.request.service.clone(),
            environment: self.request.environment.clone(),
            commit: self.request.commit.clone(),
            rollback: self.request.on_failure == OnFailure::Rollback,
            override_desired: self.request.override_desired.clone(),
            requester: self.host.requester.clone(),
            plugin_version: self.descriptor.version.clone(),
            principal: self.subject.principal.clone(),
            context: self.subject.context.clone(),
            policy: self.host.policy.digest().clone(),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            made: now,
            // Whoever keeps it says until when.
            expires: now,
            steps: steps.iter().map(timeless).collect(),
            foreseen: foreseen.iter().map(timeless).collect(),
        }
    }

    /// Why a saved plan may not be applied any more, whatever the targets are like; nobody was asked anything.
    pub(super) fn void(&self, agreed: Option<&Agreed>) -> Result<Option<RunResult>, Fault> {
        let Some(Agreed::Saved { name, plan, .. }) = agreed else { return Ok(None) };
        if let Some((run, at)) = self.host.journal()?.applied(name, &plan.service, &plan.environment)? {
            return Ok(Some(used(name, &run, &at)));
        }
        let now = Timestamp::now();
        if now > plan.expires {
            let expired = format!("the plan expired at {}, and it is {now}", plan.expires);
            return Ok(Some(refused("plan-expired", expired, "plan again")));
        }
        let digest = |principal: &Principal| match principal {
            Principal::Plugin { digest, .. } => digest.to_string(),
            Principal::BuiltIn { built_in } => built_in.as_str().to_owned(),
        };
        let host = env!("CARGO_PKG_VERSION");
        let parts = [
            ("plan-plugin", "the plugin", digest(&plan.principal), digest(&self.subject.principal)),
            ("plan-policy", "the policy", plan.policy.to_string(), self.host.policy.digest().to_string()),
            ("plan-host", "host", plan.host_version.clone(), host.to_owned()),
        ];
        let differs = parts.into_iter().find(|(_, _, planned, now)| planned != now);
        Ok(differs.map(|(code, what, planned, now)| {
            let message =
                format!("{what} is another one now: it was {planned} when the plan was made, and is {now}");
            refused(code, message, "plan again, and have that reviewed")
        }))
    }

    /// Takes the plan for this run, right before its first change; why not, where another run took it.
    pub(super) fn taken(&self, agreed: Option<&Agreed>) -> Result<Option<RunResult>, Fault> {
        let Some(Agreed::Saved { name, plan, .. }) = agreed else { return Ok(None) };
        // A lock may have been waited for.
        if let Some(void) = self.void(agreed)? {
            return Ok(Some(void));
        }
        let before = self.log.applies(name, &plan.service, &plan.environment)?;
        Ok(before.map(|(run, at)| used(name, &run, &at)))
    }
}

fn used(name: &Digest, run: &str, at: &str) -> RunResult {
    let message =
        format!("the plan {name} was applied already, by run {run} at {at}; a plan is applied once");
    refused("plan-used", message, "plan again, if there is anything left to do")
}

fn refused(code: &str, message: String, advice: &str) -> RunResult {
    ended(Decision::Stale, code, message, None).advising(advice)
}
