//! What the steps of a run come to: the decision, the error and what to do next.

use crate::access::Action;
use crate::answer::CallError;
use crate::engine::{Descriptor, Ending, Outcome, Stop};
use crate::gate::halt::Halt;
use crate::operation::Operation;
use crate::recording::Recording;
use crate::report::{Decision, ErrorPart, Mode, RunResult};
use crate::step::Step;

use super::proof::Shortfall;
use super::{Host, Request, Undone};

const UNCHANGED: &str = "nothing was changed";

/// Whether the failure path may run, if it was asked for.
pub enum Failing {
    /// It may, or nobody asked for it.
    Allowed,
    /// Policy says no.
    Denied {
        /// What is missing.
        action: Action,
        /// In the policy's words.
        reason: String,
    },
}

pub fn unsupported_service(host: &Host, request: &Request) -> RunResult {
    let known: Vec<String> = host.policy.plugins().iter().map(ToString::to_string).collect();
    let near = known
        .iter()
        .filter(|name| strsim::damerau_levenshtein(name, request.service.as_str()) <= 3)
        .min_by_key(|name| strsim::damerau_levenshtein(name, request.service.as_str()));
    let near = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
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

/// After a pass that changed nothing: may a live run go on, or is the dry run's answer yes?
pub fn conclude_observed(
    request: &Request,
    outcome: &Result<Outcome, Stop>,
    steps: &[Step],
    failing: Failing,
) -> RunResult {
    if let Err(stop) = outcome {
        return stopped(stop, steps).noting(UNCHANGED);
    }
    if let Some(denied) = steps.iter().find(|step| !step.verdict.allowed) {
        let reason = denied.verdict.reason.clone().unwrap_or_default();
        return ended(Decision::Denied, "denied", reason, Some(denied))
            .advising("ask a policy author for the permit that the message names");
    }
    if let Failing::Denied { action, reason } = failing {
        let message = format!("--on-failure rollback needs {}: {reason}", action.as_str());
        return ended(Decision::Denied, "denied", message, None)
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

/// After the live pass and, where it was asked for, the failure path.
pub fn conclude_live(
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
        Err(shortfall) => shortfall,
    };
    let mut result = match &shortfall {
        Shortfall::Stopped(stop) => stopped(stop, steps),
        Shortfall::Degraded(ending) => return of_plugin(Decision::Degraded, ending),
        Shortfall::Failed(ending) | Shortfall::Refused(ending) => match last_failure(steps) {
            Some((step, message)) => ended(Decision::Failed, code_of(step), message, Some(step)),
            None => of_plugin(Decision::Failed, ending),
        },
        Shortfall::Unproven(missing) => {
            let message = format!(
                "the plugin says deployed, but the run does not show that {}",
                missing.join("; that ")
            );
            ended(Decision::Failed, "unproven", message, None)
        }
    };
    let changed = steps.iter().any(Step::is_done_change);
    if let Some((step, error @ CallError::Unavailable(_))) = first_error(steps).filter(|_| !changed) {
        return failed_step(step, error).noting(UNCHANGED).untouched();
    }
    let stands = if undone.is_empty() { what_stands(request, steps) } else { what_was_undone(undone) };
    if result.decision == Decision::Failed
        && !undone.is_empty()
        && undone.iter().all(|one| one.result.is_ok())
    {
        result.decision = Decision::RolledBack;
    }
    result = result.noting(&stands.now);
    result.recommended_action = Some(stands.next);
    result
}

/// What a failed run leaves, and what to do about it.
struct Stands {
    now: String,
    next: String,
}

fn what_stands(request: &Request, steps: &[Step]) -> Stands {
    let again = "mend the cause, then run the same command again";
    let activated = steps.iter().find_map(|step| match &step.operation {
        Operation::Activate(call) if step.is_done_change() => Some((call, step)),
        _ => None,
    });
    let Some((call, step)) = activated else {
        let now = if steps.iter().any(Step::is_done_change) {
            "the image was delivered; container, stable image names and env file are as before"
        } else {
            UNCHANGED
        };
        return Stands { now: now.to_owned(), next: again.to_owned() };
    };
    let now = format!(
        "{}/{} now runs commit {}, which is not verified; it was left as it is",
        call.runtime, call.container, request.commit
    );
    let previous = crate::report::previous_commit(std::slice::from_ref(step), &request.commit);
    let next = previous.map_or_else(
        || format!("{again}; look with `docker logs {}`", call.container),
        |commit| {
            format!(
                "look with `docker logs {}`; go back with `host deploy {} --env {} --commit {commit} --run-now`",
                call.container, request.service, request.environment
            )
        },
    );
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

fn stopped(stop: &Stop, steps: &[Step]) -> RunResult {
    let last = steps.last();
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
                    "this is a bug in the plugin, or worse; show its owner both passes with `host runs show`",
                ),
                Halt::Stale { .. } => ended(Decision::Stale, "stale", message, last)
                    .advising("run the same command again; it looks at the target anew")
                    .again(),
                Halt::Calls { .. } => ended(Decision::Failed, "plugin-limit", message, last).advising(
                    "ask the plugin's owner; raise the limit in host.toml only if the need is real",
                ),
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
        CallError::Unavailable(_) => Decision::InfraBlocked,
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

fn ended(decision: Decision, code: &str, message: String, step: Option<&Step>) -> RunResult {
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

    fn advising(mut self, action: impl Into<String>) -> Self {
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
