//! The one door to the outside: decide → write the intent down → act → write the outcome down. Nothing reaches a backend
//! without it; a test holds that.

pub mod ask;
pub mod built_in;
pub mod halt;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ask::{Ask, Sealed};
use futures_util::FutureExt;
use halt::Halt;

use crate::access::Access;
use crate::answer::{Answer, CallError};
use crate::artifact::Artifact;
use crate::backend::{Answered, Backend, Unreached};
use crate::journal::Log;
use crate::names::Commit;
use crate::operation::{ArtifactRef, Kind, Operation};
use crate::policy::{Approvers, BuiltIn, Context, Decision, Policy, Principal, Request};
use crate::progress::{Interrupt, Unwatched, Watcher};
use crate::recording::Recording;
use crate::step::{Pass, Step};

/// Who hears of each step while it happens.
pub trait Audience: Send + Sync {
    /// A step of a pass begins; its watcher hears of its progress.
    fn begins(&self, pass: Pass, seq: u32, operation: &Operation) -> Box<dyn Watcher>;
    /// A step of a pass ended.
    fn ended(&self, pass: Pass, step: &Step);
    /// The plugin says something; already made safe for a terminal.
    fn says(&self, pass: Pass, message: &str);
}

/// Nobody hears of the steps; they are in the report.
pub struct Unheard;

impl Audience for Unheard {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(Unwatched)
    }
    fn ended(&self, _: Pass, _: &Step) {}
    fn says(&self, _: Pass, _: &str) {}
}

/// Who asks, and in which circumstances; the same for every operation of a run.
#[derive(Clone)]
pub struct Subject {
    /// The plugin, or a part of the host.
    pub principal: Principal,
    /// Environment, operator, time.
    pub context: Context,
}

/// The door of one pass.
pub struct Gate {
    policy: Arc<Policy>,
    subject: Subject,
    log: Log,
    backend: Backend,
    audience: Arc<dyn Audience>,
    interrupt: Interrupt,
    call_limit: u64,
    enforcing: bool,
    heard_out: bool,
    pinned: Option<Commit>,
    vouched: BTreeSet<String>,
    supposed: Vec<(String, Approvers)>,
    /// How many steps came before this door's first; nothing for a question beside a pass, which is none of its steps.
    before: Option<u32>,
    steps: Vec<Step>,
    /// What the host itself would do, as far as it was foreseen.
    foreseen: Vec<Step>,
    changed: bool,
}

impl Gate {
    /// A door for one pass over `backend`.
    pub fn new(
        policy: Arc<Policy>,
        subject: Subject,
        log: impl Into<Log>,
        backend: Backend,
        audience: Arc<dyn Audience>,
        interrupt: Interrupt,
        call_limit: u64,
    ) -> Self {
        Self {
            policy,
            subject,
            log: log.into(),
            backend,
            audience,
            interrupt,
            call_limit,
            enforcing: false,
            heard_out: false,
            pinned: None,
            vouched: BTreeSet::new(),
            supposed: Vec::new(),
            before: Some(0),
            steps: Vec::new(),
            foreseen: Vec::new(),
            changed: false,
        }
    }

    /// Continues the numbers of a pass that had `steps` of them.
    #[must_use]
    pub fn following(mut self, steps: u32) -> Self {
        self.before = Some(steps);
        self
    }

    /// For one question beside a pass, whose number is 0.
    #[must_use]
    pub fn beside(mut self) -> Self {
        self.before = None;
        self
    }

    /// The first pass of a live run: where a gate is not met, the run ends with it, and what comes after is only recorded.
    #[must_use]
    pub fn enforcing(mut self) -> Self {
        self.enforcing = true;
        self
    }

    /// Goes on where policy denies, so that a plugin is heard to its end. Only offline, where nothing is behind the door: over
    /// any other backend a denial stays one.
    #[must_use]
    pub fn hearing_out(mut self) -> Self {
        self.heard_out = matches!(self.backend, Backend::Predicting(_));
        self
    }

    /// The commit that the desired state names for what is deployed.
    #[must_use]
    pub fn pinned(self, pinned: Option<Commit>) -> Self {
        Self { pinned, ..self }
    }

    /// Who signed that this program runs elsewhere, where nobody can tell.
    #[must_use]
    pub fn vouched(self, vouched: BTreeSet<String>) -> Self {
        Self { vouched, ..self }
    }

    /// What policy permits once somebody approved it is recorded as that; in words, and who that would be. Only where nothing is
    /// changed.
    #[must_use]
    pub fn supposing(mut self, supposed: Vec<(String, Approvers)>) -> Self {
        if !matches!(self.backend, Backend::Live(..)) {
            self.supposed = supposed;
        }
        self
    }

    /// What passed so far.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the host itself would do, as far as it was foreseen: the failure path, and what comes after a proved deploy.
    #[must_use]
    pub fn foreseen(&self) -> &[Step] {
        &self.foreseen
    }

    /// Ends the pass.
    #[must_use]
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The artifact that this pass resolved for `wanted`.
    #[must_use]
    pub fn artifact(&self, wanted: &ArtifactRef) -> Option<&Artifact> {
        self.steps.iter().find_map(|step| match &step.outcome {
            Ok(Answer::Artifact(artifact)) if ArtifactRef::from(&**artifact) == *wanted => Some(&**artifact),
            _ => None,
        })
    }

    /// A line of the plugin for the operator and the journal.
    pub fn say(&self, message: &str) -> Result<(), Halt> {
        self.audience.says(self.backend.pass(), message);
        self.log.said(message).map_err(Halt::Journal)
    }

    /// One capability call of the plugin.
    ///
    /// # Errors
    /// The outer error ends the pass; the inner one is data for the plugin.
    pub async fn perform(&mut self, operation: Operation) -> Result<Result<Answer, CallError>, Halt> {
        if self.interrupt.is_raised() {
            return Err(Halt::Interrupted);
        }
        if self.steps.len() as u64 >= self.call_limit {
            return Err(Halt::Calls { limit: self.call_limit });
        }
        self.pass(operation, None).await
    }

    /// A step of the host's own failure path: takes `done` back. Not stopped by an interrupt: it is what leaves things
    /// clean after one.
    pub async fn undo(&mut self, done: &Step) -> Result<Result<Answer, CallError>, Halt> {
        let operation = Operation::Undo { change: Box::new(done.operation.clone()) };
        self.pass(operation, Some(done)).await
    }

    /// Records a step of the failure path as it would be taken, so that it is decided and written down before the first
    /// change.
    pub fn foresee(&mut self, done: &Step) -> Result<(), Halt> {
        let operation = Operation::Undo { change: Box::new(done.operation.clone()) };
        self.foresee_by(&self.subject.principal.clone(), operation)
    }

    /// The same for what a part of the host will do for itself, after everything that the plugin does.
    pub fn foresee_for(&mut self, built_in: BuiltIn, operation: Operation) -> Result<(), Halt> {
        self.foresee_by(&Principal::BuiltIn { built_in }, operation)
    }

    fn foresee_by(&mut self, principal: &Principal, operation: Operation) -> Result<(), Halt> {
        let seq = self.next();
        let kind = operation.kind(self.changed);
        let (verdict, requests) = self.decide(principal, operation.accesses());
        let entry = self.intent(seq, kind, &operation, &verdict, &requests)?;
        let outcome = if verdict.allowed { Ok(Answer::Done) } else { Err(denied(&verdict)) };
        let step = self.step(seq, kind, operation, verdict, outcome);
        self.log.outcome(entry, &step).map_err(Halt::Journal)?;
        self.foreseen.push(step);
        Ok(())
    }

    async fn pass(
        &mut self,
        operation: Operation,
        undone: Option<&Step>,
    ) -> Result<Result<Answer, CallError>, Halt> {
        let seq = self.next();
        let kind = operation.kind(self.changed);
        let (verdict, requests) = self.decide(&self.subject.principal, operation.accesses());
        let entry = match self.intent(seq, kind, &operation, &verdict, &requests) {
            Ok(entry) => Some(entry),
            // Going back is what leaves things clean, so it goes on without a journal that fails.
            Err(halt) if undone.is_some() => {
                self.audience.says(self.backend.pass(), &halt.to_string());
                None
            }
            Err(halt) => return Err(halt),
        };
        let watcher: Arc<dyn Watcher> = Arc::from(self.audience.begins(self.backend.pass(), seq, &operation));
        let begun = Instant::now();
        let bound = if undone.is_none() {
            self.backend.admits(seq, &operation).map_err(|halt| halt.by(&self.subject.principal))
        } else {
            Ok(())
        };
        let answered = match bound {
            Err(halt) => Err(Unreached::Halt(halt)),
            Ok(()) if !verdict.allowed && !self.heard_out => Err(Unreached::Told(denied(&verdict))),
            Ok(()) => {
                let artifact = artifact_of(&operation).and_then(|wanted| self.artifact(wanted)).cloned();
                let ask = Ask {
                    seq,
                    kind,
                    operation: &operation,
                    artifact: artifact.as_ref(),
                    undone,
                    changed: self.changed,
                    held: self.enforcing && Recording::unmet(&self.steps).next().is_some(),
                    differs: self.steps.iter().any(Step::differs),
                    pinned: self.pinned.as_ref(),
                    approvers: &self.subject.context.approvers,
                    vouched: &self.vouched,
                    watcher: &*watcher,
                    interrupt: &self.interrupt,
                    _sealed: Sealed(()),
                };
                AssertUnwindSafe(Box::pin(self.backend.answer(ask)))
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|panic| Err(Unreached::Halt(Halt::bug(&*panic))))
            }
        };
        drop(watcher);
        let mut step = self.step(seq, kind, operation, verdict, Ok(Answer::NotAsked));
        step.duration_ms = millis(begun.elapsed());
        let mut halt = None;
        match answered {
            Ok(Answered { answer, before, desired, after, took_ms }) => {
                step.outcome = Ok(answer);
                (step.before, step.desired, step.after) = (before, desired, after);
                step.duration_ms = took_ms.unwrap_or(step.duration_ms);
            }
            Err(Unreached::Told(error)) => step.outcome = Err(error),
            Err(Unreached::Left { error, before }) => {
                step.outcome = Err(error);
                (step.before, step.left) = (before, true);
            }
            Err(Unreached::Halt(reason)) => {
                // Nobody knows how far a bug let it come: the failure path goes back to what was observed before.
                if matches!(reason, Halt::Bug(_)) && kind == Kind::Change && undone.is_none() {
                    step.left = step.pass == Pass::Live;
                    step.before = self.backend.observed(seq).and_then(|observed| observed.before.clone());
                }
                step.outcome = Err(CallError::Other(reason.to_string()));
                halt = Some(reason);
            }
        }
        // What an interrupt cut short is no failure that the plugin should judge.
        if halt.is_none() && step.outcome.is_err() && undone.is_none() && self.interrupt.is_raised() {
            halt = Some(Halt::Interrupted);
        }
        // A change counts from the moment it was attempted: a failed one may have left something.
        self.changed |= kind == Kind::Change && (step.verdict.allowed || self.heard_out);
        tracing::debug!(
            pass = step.pass.as_str(),
            seq,
            operation = step.operation.name(),
            target = step.operation.target(),
            policies = ?step.verdict.policies,
            ok = step.outcome.is_ok(),
            ms = step.duration_ms,
            "step"
        );
        let outcome = step.outcome.clone();
        // Kept whatever fails now: what was done must be there for the failure path.
        self.steps.push(step.clone());
        self.audience.ended(self.backend.pass(), &step);
        let written = entry.map_or(Ok(()), |entry| self.log.outcome(entry, &step));
        if undone.is_none() {
            written.map_err(Halt::Journal)?;
        }
        halt.map_or(Ok(outcome), Err)
    }

    fn next(&self) -> u32 {
        let here = u32::try_from(self.steps.len() + self.foreseen.len() + 1).unwrap_or(u32::MAX);
        self.before.map_or(0, |before| before.saturating_add(here))
    }

    fn intent(
        &self,
        seq: u32,
        kind: Kind,
        operation: &Operation,
        verdict: &Decision,
        requests: &[Request],
    ) -> Result<i64, Halt> {
        self.log.intent(self.backend.pass(), seq, kind, operation, verdict, requests).map_err(Halt::Journal)
    }

    fn step(
        &self,
        seq: u32,
        kind: Kind,
        operation: Operation,
        verdict: Decision,
        outcome: Result<Answer, CallError>,
    ) -> Step {
        Step {
            pass: self.backend.pass(),
            seq,
            operation,
            kind,
            verdict,
            outcome,
            before: None,
            desired: None,
            after: None,
            left: false,
            duration_ms: 0,
        }
    }

    fn decide(&self, principal: &Principal, accesses: Vec<Access>) -> (Decision, Vec<Request>) {
        let requests: Vec<Request> = accesses
            .into_iter()
            .map(|access| Request {
                principal: principal.clone(),
                access,
                context: self.subject.context.clone(),
            })
            .collect();
        let verdict = self.policy.decide_all(&requests);
        if verdict.allowed {
            (verdict, requests)
        } else {
            (self.once_approved(&requests).unwrap_or(verdict), requests)
        }
    }

    /// The decision that would be made if somebody approved, where that makes it a permit.
    fn once_approved(&self, requests: &[Request]) -> Option<Decision> {
        let permits = |approvers: &Approvers| {
            let supposed = requests.iter().cloned().map(|mut request| {
                request.context.approvers.clone_from(approvers);
                request
            });
            Some(self.policy.decide_all(&supposed.collect::<Vec<_>>())).filter(|decision| decision.allowed)
        };
        let mut enough =
            self.supposed.iter().filter_map(|(words, approvers)| Some((words.clone(), permits(approvers)?)));
        let (least, decision) = enough.next()?;
        // What one role is enough for, both are.
        let others = enough.map(|(words, _)| words).filter(|words| !words.contains(&least));
        Some(Decision { needs: std::iter::once(least.clone()).chain(others).collect(), ..decision })
    }
}

fn denied(verdict: &Decision) -> CallError {
    CallError::Denied {
        reason: verdict.reason.clone().unwrap_or_default(),
        policies: verdict.policies.clone(),
    }
}

fn artifact_of(operation: &Operation) -> Option<&ArtifactRef> {
    match operation {
        Operation::Deliver(call) => Some(&call.artifact),
        Operation::Activate(call) => Some(&call.artifact),
        Operation::ExpectContainer(call) => Some(&call.artifact),
        Operation::ExpectWorkload(call) => Some(&call.artifact),
        Operation::PatchDeployments(call) => Some(&call.artifact),
        Operation::Undo { change } => artifact_of(change),
        _ => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
