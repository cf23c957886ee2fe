//! A live run that is bound to what somebody saw: a plan on the terminal, or one in a file.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use jiff::Timestamp;

use super::Run;
use super::conclude::{ended, unidentified};
use crate::answer::{Answer, CallError};
use crate::approval::Counted;
use crate::fault::Fault;
use crate::identity::{Identities, Scope};
use crate::journal::OnFailure;
use crate::names::Digest;
use crate::operation::Operation;
use crate::plan::{PlannedStep, ServicePlan};
use crate::policy::{Approvers, BuiltIn, Principal};
use crate::recording::{Recording, told};
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

/// A saved plan is not for what its names lead to now.
pub(super) struct Misplaced {
    /// What there is to say.
    pub result: RunResult,
    /// Whether another machine, engine or cluster is there, or none; not only other files.
    pub elsewhere: bool,
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
        for name in &counted.vouched {
            self.log.said(&format!("{name} signed that this runs outside of what it deploys"))?;
        }
        self.subject.context.approvers.clone_from(&counted.approvers);
        self.vouched.clone_from(&counted.vouched);
        Ok(self)
    }

    /// What a pass found, as it can be kept.
    pub(super) fn kept(&self, steps: &[Step], foreseen: &[Step], identities: Identities) -> ServicePlan {
        let now = Timestamp::now();
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
            identities,
            steps: steps.iter().map(PlannedStep::of).collect(),
            foreseen: foreseen.iter().map(PlannedStep::of).collect(),
        }
    }

    /// Which machines, engines and clusters these steps go to; asked after the `passed` steps of a pass.
    pub(super) async fn identified(&self, steps: &[Step], passed: usize) -> Result<Identities, CallError> {
        let operation = Operation::Identify(Scope::of(steps, &self.host.config));
        match self.asking(BuiltIn::Plans).ask_after(passed, operation).boxed().await {
            Ok(Ok(Answer::Identities(found))) => Ok(*found),
            Ok(Ok(_)) => {
                Err(CallError::Other("something else was answered; report this as a bug".to_owned()))
            }
            Ok(Err(error)) => Err(error),
            Err(halt) => Err(CallError::Other(halt.to_string())),
        }
    }

    /// Why a saved plan may not be applied here: a name leads to something else than when it was made.
    pub(super) async fn misplaced(&self, agreed: Option<&Agreed>, passed: usize) -> Option<Misplaced> {
        let Some(Agreed::Saved { plan, recording, .. }) = agreed else { return None };
        let found = match self.identified(recording.steps(), passed).await {
            Ok(found) if found == plan.identities => return None,
            Ok(found) => found,
            Err(error) => return Some(Misplaced { result: unidentified(&error), elsewhere: true }),
        };
        let elsewhere = found.places() != plan.identities.places();
        let what = if elsewhere {
            "the plan was made for another place"
        } else {
            "the Compose files are other ones now"
        };
        let message = format!("{what}: {}", told(&plan.identities, &found));
        let result = refused("plan-runtime", message, "plan again, and have that reviewed");
        Some(Misplaced { result, elsewhere })
    }

    /// Who could approve a plan, from the least that could be enough: in words, and as policy sees it.
    pub(super) fn suppositions(&self) -> Vec<(String, Approvers)> {
        let roles = &self.host.config.approvals.roles;
        let all = |role: &str| {
            let known = roles.iter().find(|(name, _)| name.as_str() == role).map(|(_, names)| names.clone());
            known.filter(|names| !names.is_empty()).unwrap_or_else(|| BTreeSet::from(["somebody".to_owned()]))
        };
        let supposed = |names: &[&str]| {
            let mut approvers = Approvers::default();
            for role in names {
                for signer in all(role) {
                    approvers.add(role, signer);
                }
            }
            (names.join(" and "), approvers)
        };
        let known = Approvers::default().by_role().map(|(role, _)| role);
        known.iter().map(|role| supposed(&[role])).chain([supposed(&known)]).collect()
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
