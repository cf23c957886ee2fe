//! What the steps of a run come to: the decision, the error and what to do next.

use crate::answer::CallError;
use crate::engine::{Descriptor, Ending, Outcome, Stop};
use crate::fault::Fault;
use crate::gate::halt::Halt;
use crate::operation::{Operation, PatchDeployments};
use crate::recording::Recording;
use crate::report::{Decision, ErrorPart, Mode, RunResult, previous_commit};
use crate::step::Step;
use crate::words;

use super::proof::Shortfall;
use super::{Agreed, Host, Request, Undone};

const UNCHANGED: &str = "nothing was changed";
const AGAIN: &str = "mend the cause, then run the same command again";

pub fn unsupported_service(host: &Host, request: &Request) -> RunResult {
    let known: Vec<String> = host.policy.plugins().iter().map(ToString::to_string).collect();
    let near = words::nearest(request.service.as_str(), known.iter().map(String::as_str))
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    let message =
        format!("no plugin knows the service {}; known are: {}{near}", request.service, known.join(", "));
    ended(Decision::Unsupported, "unsupported-service", message, None)
        .advising("`host services` lists what can be deployed where")
}

pub fn unsupported_environment(request: &Request, descriptor: &Descriptor) -> RunResult {
    let pairs: Vec<String> =
        descriptor.environments.iter().map(|one| format!("{} {}", descriptor.service, one.name)).collect();
    let message = format!(
        "{} cannot be deployed to {}; supported: {}",
        request.service,
        request.environment,
        pairs.join(", ")
    );
    ended(Decision::Unsupported, "unsupported-environment", message, None)
        .advising("name a supported environment with --env")
}

/// The command could not do its work for this one.
pub fn faulted(fault: &Fault) -> RunResult {
    ended(Decision::Failed, fault.code, fault.message.clone(), None).advising(&fault.help)
}

/// After a pass that changed nothing: may a live run go on, or is the dry run's answer yes?
pub fn conclude_observed(
    request: &Request,
    outcome: &Result<Outcome, Stop>,
    steps: &[Step],
    foreseen: &[Step],
) -> RunResult {
    if let Err(stop) = outcome {
        return stopped(stop, steps).noting(UNCHANGED);
    }
    if let Some(denied) = steps.iter().find(|step| !step.verdict.allowed) {
        let reason = denied.verdict.reason.clone().unwrap_or_default();
        return ended(Decision::Denied, "denied", reason, Some(denied))
            .advising("ask a policy author for the permit that the message names");
    }
    if let Some(denied) = foreseen.iter().find(|step| !step.verdict.allowed) {
        let reason = denied.verdict.reason.clone().unwrap_or_default();
        return ended(Decision::Denied, "denied", format!("--on-failure rollback: {reason}"), Some(denied))
            .advising("deploy without --on-failure rollback, or ask a policy author for the permit");
    }
    if request.mode == Mode::Live {
        let unmet: Vec<String> = Recording::unmet(steps)
            .map(|(step, reason)| format!("{}: {reason}", step.operation.name()))
            .collect();
        if let Some((first, _)) = Recording::unmet(steps).next() {
            return ended(Decision::Blocked, "gate-unmet", unmet.join("\n"), Some(first))
                .advising("meet what the message names, then run the same command again");
        }
    }
    if let Some((step, error)) = first_error(steps) {
        return failed_step(step, error).noting(UNCHANGED).untouched();
    }
    match outcome {
        Ok(Outcome::Deployed) | Err(_) => planned(),
        Ok(Outcome::Failed(ending) | Outcome::Degraded(ending)) => of_plugin(Decision::Failed, ending),
        Ok(Outcome::Refused(ending)) => of_plugin(Decision::Blocked, ending),
        Ok(Outcome::Unsupported(ending)) => of_plugin(Decision::Unsupported, ending),
    }
}

/// Somebody said yes to a plan, and it is no longer true.
pub fn no_longer_fits(halt: Halt, steps: &[Step], agreed: Option<&Agreed>) -> RunResult {
    let result = stopped(&Stop::Halt(halt), steps).noting(UNCHANGED);
    match agreed {
        // The same command would be refused again.
        Some(Agreed::Saved { .. }) => {
            RunResult { retryable: false, ..result }.advising("plan again, and have that reviewed")
        }
        _ => result,
    }
}

/// It is not known where a plan would be applied, or is.
pub fn unidentified(error: &CallError) -> RunResult {
    let message =
        format!("a plan is for the machines that it was made for, and which those are is not known: {error}");
    let result = match error {
        CallError::Unreachable { retryable, .. } => {
            let result = ended(Decision::InfraBlocked, error.code(), message, None);
            if *retryable { result.again() } else { result }
        }
        CallError::Denied { .. } => ended(Decision::Denied, "denied", message, None)
            .advising("ask a policy author for the permit that the message names"),
        other => ended(Decision::Failed, other.code(), message, None)
            .advising("mend what the message names, then run the same command again"),
    };
    result.noting(UNCHANGED)
}

/// The lock of the service could not be taken: somebody else deploys it, or there is no lock to take.
pub fn locked(error: &CallError) -> RunResult {
    let result = match error {
        CallError::Unavailable(_) => ended(Decision::Blocked, "locked", error.to_string(), None)
            .advising("run the same command again when the other deploy has ended, or say --wait")
            .again(),
        CallError::Unreachable { retryable, .. } => {
            let result = ended(Decision::InfraBlocked, error.code(), error.to_string(), None);
            if *retryable { result.again() } else { result }
        }
        other => ended(Decision::Failed, other.code(), other.to_string(), None)
            .advising("mend what the message names, then run the same command again"),
    };
    result.noting(UNCHANGED)
}

/// After the live pass and, where it was asked for, the failure path.
pub fn conclude_live(
    host: &Host,
    request: &Request,
    verdict: Result<(), Shortfall>,
    steps: &[Step],
    undone: &[Undone],
) -> RunResult {
    let shortfall = match verdict {
        Ok(()) => {
            return RunResult {
                decision: Decision::Deployed,
                retryable: false,
                recommended_action: None,
                error: None,
            };
        }
        Err(Shortfall::Degraded(ending)) => return of_plugin(Decision::Degraded, &ending),
        Err(shortfall) => shortfall,
    };
    let effect = steps.iter().any(Step::has_effect);
    let stopped_early = matches!(shortfall, Shortfall::Stopped(_));
    if !effect
        && !stopped_early
        && let Some((step, error @ (CallError::Unavailable(_) | CallError::Unreachable { .. }))) =
            first_error(steps)
    {
        return failed_step(step, error).noting(UNCHANGED).untouched();
    }
    let mut result = match &shortfall {
        Shortfall::Stopped(stop) => stopped(stop, steps),
        Shortfall::Failed(ending) | Shortfall::Refused(ending) | Shortfall::Degraded(ending) => {
            match last_failure(steps) {
                Some((step, message)) => ended(Decision::Failed, code_of(step), message, Some(step)),
                None => of_plugin(Decision::Failed, ending),
            }
        }
        Shortfall::Unproven(missing) => {
            let missing = missing.join("; that ");
            let message = format!("the plugin says deployed, but the run does not show that {missing}");
            ended(Decision::Failed, "unproven", message, None)
        }
    };
    let whole = undone.iter().all(|one| one.result.is_ok()) && !steps.iter().any(|step| step.left);
    let passing =
        last_failure(steps).is_some_and(|(step, _)| step.outcome.as_ref().is_err_and(CallError::retryable));
    if whole && passing {
        result = result.again();
    }
    let stands = if undone.is_empty() { what_stands(host, request, steps) } else { what_was_undone(undone) };
    if result.decision == Decision::Failed
        && !undone.is_empty()
        && undone.iter().all(|one| one.result.is_ok())
    {
        result.decision = Decision::RolledBack;
    }
    result = result.noting(&stands.now);
    // Where nothing was changed, the reason for the end knows best what to do; a plugin that does what it did not say is
    // to be looked into whatever stands; and what the service's owner knows of a failure comes first.
    let owner =
        shortfall.ending().map(|ending| ending.recommended_action.clone()).filter(|own| !own.is_empty());
    result.recommended_action = match (result.recommended_action.take(), owner) {
        (Some(advice), _) if !effect => Some(advice),
        (Some(advice), _) if result.decision == Decision::Diverged => {
            let next = if stands.next == AGAIN { String::new() } else { format!("; {}", stands.next) };
            Some(advice + &next)
        }
        (_, Some(own)) => Some(format!("{own}; {}", stands.next)),
        (_, None) => Some(stands.next),
    };
    result
}

/// What a failed run leaves, and what to do about it.
struct Stands {
    now: String,
    next: String,
}

fn what_stands(host: &Host, request: &Request, steps: &[Step]) -> Stands {
    if let Some(left) = steps.iter().find(|step| step.left) {
        // Its own error says what runs now and what could not be taken back.
        let what = format!(
            "{} of {} was begun and could not be taken back whole",
            left.operation.name(),
            left.operation.target()
        );
        return Stands {
            now: what,
            next: "put right by hand what the message names, then deploy again".to_owned(),
        };
    }
    let patches = || {
        steps.iter().filter_map(|step| match &step.operation {
            Operation::PatchDeployments(call) => Some((call, step)),
            _ => None,
        })
    };
    if let Some((call, step)) = patches().find(|(_, step)| step.is_done_change()) {
        return patched(host, request, call, step);
    }
    let activated = steps.iter().find_map(|step| match &step.operation {
        Operation::Activate(call) if step.is_done_change() => Some((call, step)),
        _ => None,
    });
    let Some((call, step)) = activated else {
        let now = match (steps.iter().any(Step::has_effect), patches().next()) {
            (true, None) => {
                "the image was delivered; container, stable image names and env file are as before"
            }
            (true, Some(_)) => "what comes before the patch was done; the Deployments are as before",
            (false, _) => UNCHANGED,
        };
        return Stands { now: now.to_owned(), next: AGAIN.to_owned() };
    };
    let now = format!(
        "{}/{} was started from commit {}, which is not verified; it was left as it is",
        call.runtime, call.container, request.commit
    );
    let look = format!("look with `{} logs {}`", host.docker(&call.runtime), call.container);
    let next = match previous_commit(std::slice::from_ref(step), &request.commit) {
        Some(commit) => format!("{look}; go back with `{}`", host.command(request, &commit)),
        None => format!("{look}; {AGAIN}"),
    };
    Stands { now, next }
}

/// A patch stands that is not verified.
fn patched(host: &Host, request: &Request, call: &PatchDeployments, step: &Step) -> Stands {
    let names: Vec<String> =
        call.deployments.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
    let now = format!(
        "{} of {} asks for commit {}, which is not verified; it was left as it is",
        names.join(", "),
        call.runtime,
        request.commit
    );
    let looks: Vec<String> = call
        .deployments
        .iter()
        .map(|one| format!("`kubectl -n {} describe deployment {}`", one.namespace, one.name))
        .collect();
    let look = format!("look with {}", looks.join(", "));
    let next = match previous_commit(std::slice::from_ref(step), &request.commit) {
        Some(commit) => format!("{look}; go back with `{}`", host.command(request, &commit)),
        None => format!("{look}; {AGAIN}"),
    };
    Stands { now, next }
}

fn what_was_undone(undone: &[Undone]) -> Stands {
    let lines: Vec<String> = undone
        .iter()
        .map(|one| match &one.result {
            Ok(()) => format!("taken back: {}", one.target),
            Err(error) => format!("NOT taken back: {}: {error}", one.target),
        })
        .collect();
    let next = if undone.iter().all(|one| one.result.is_ok()) {
        "everything is as before; mend the cause, then deploy again"
    } else {
        "put right by hand what was not taken back, then deploy again"
    };
    Stands { now: lines.join("\n"), next: next.to_owned() }
}

fn planned() -> RunResult {
    RunResult { decision: Decision::Planned, retryable: false, recommended_action: None, error: None }
}

/// The plugin had no say in how the pass ended.
pub fn stopped(stop: &Stop, steps: &[Step]) -> RunResult {
    let last = steps.iter().rev().find(|step| !matches!(step.operation, Operation::Undo { .. }));
    let result = because(stop, last);
    // Of a step that was cut short its own error tells more: what was taken back, what was not.
    match last.map(|step| &step.outcome) {
        Some(Err(error))
            if *stop == Stop::Halt(Halt::Interrupted)
                && error.to_string() != Halt::Interrupted.to_string() =>
        {
            result.noting(&error.to_string())
        }
        _ => result,
    }
}

fn because(stop: &Stop, last: Option<&Step>) -> RunResult {
    match stop {
        Stop::Plugin(fault) => {
            ended(Decision::Failed, fault.code(), fault.to_string(), last).advising(fault.help())
        }
        Stop::Halt(halt) => {
            let message = halt.to_string();
            match halt {
                Halt::Interrupted => ended(Decision::Interrupted, "interrupted", message, last)
                    .advising("run the same command again"),
                Halt::Diverged { .. } => ended(Decision::Diverged, "diverged", message, last).advising(
                    "this is a bug in the plugin, or worse: show its owner both passes (`host runs show`)",
                ),
                Halt::Stale { operation, .. } => ended(Decision::Stale, "stale", message, last)
                    .at(operation)
                    .advising("run the same command again; it looks at the target anew")
                    .again(),
                Halt::Calls { .. } => ended(Decision::Failed, "plugin-limit", message, last).advising(
                    "ask the plugin's owner; raise the limit in host.toml only if the need is real",
                ),
                Halt::Bug(_) => ended(Decision::Failed, "internal", message, last)
                    .advising("report this as a bug, with what `host runs show` says of this run"),
                Halt::Journal(fault) => {
                    ended(Decision::Failed, fault.code, fault.message.clone(), last).advising(&fault.help)
                }
            }
        }
    }
}

fn of_plugin(decision: Decision, ending: &Ending) -> RunResult {
    let mut result = ended(decision, "plugin", ending.message.clone(), None);
    result.retryable = ending.retryable;
    result.recommended_action = Some(ending.recommended_action.clone()).filter(|text| !text.is_empty());
    if let Some(error) = &mut result.error {
        error.retryable = ending.retryable;
    }
    result
}

fn failed_step(step: &Step, error: &CallError) -> RunResult {
    let decision = match error {
        CallError::Unavailable(_) | CallError::Unreachable { .. } => Decision::InfraBlocked,
        _ => Decision::Failed,
    };
    let mut result = ended(decision, error.code(), error.to_string(), Some(step));
    if error.retryable() {
        result = result.again();
    }
    result
}

fn first_error(steps: &[Step]) -> Option<(&Step, &CallError)> {
    steps.iter().find_map(|step| step.outcome.as_ref().err().map(|error| (step, error)))
}

/// The step that a failed live pass ended at, and its message.
fn last_failure(steps: &[Step]) -> Option<(&Step, String)> {
    let step = steps.iter().rev().find(|step| !matches!(step.operation, Operation::Undo { .. }))?;
    match &step.outcome {
        Err(error) => Some((step, error.to_string())),
        Ok(_) => step.unsatisfied().map(|message| (step, message)),
    }
}

fn code_of(step: &Step) -> &'static str {
    step.outcome.as_ref().map_or_else(CallError::code, |_| "unverified")
}

pub(super) fn ended(decision: Decision, code: &str, message: String, step: Option<&Step>) -> RunResult {
    RunResult {
        decision,
        retryable: false,
        recommended_action: None,
        error: Some(ErrorPart {
            code: code.to_owned(),
            message,
            step: step.map(|step| step.operation.name().to_owned()),
            retryable: false,
        }),
    }
}

impl RunResult {
    /// Adds a line on how things stand.
    fn noting(mut self, stands: &str) -> Self {
        if let Some(error) = &mut self.error {
            error.message = format!("{}\n{stands}", error.message);
        }
        self
    }

    fn at(mut self, operation: &str) -> Self {
        if let Some(error) = &mut self.error {
            error.step = Some(operation.to_owned());
        }
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn advising(mut self, action: impl Into<String>) -> Self {
        self.recommended_action = Some(action.into());
        self
    }

    fn again(mut self) -> Self {
        self.retryable = true;
        if let Some(error) = &mut self.error {
            error.retryable = true;
        }
        self
    }

    /// Nothing was changed, so trying again is always safe.
    fn untouched(self) -> Self {
        self.advising("mend what the message names, then run the same command again")
    }
}
