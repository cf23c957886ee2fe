//! Health as the specification means it: a deploy passes when the payload says so, not when something answers.
//!
//! The host polls; a plugin only states what must stand at which JSON pointer. Nothing waits longer than the deadline.

mod diagnose;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod payload;

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::http::{self, Bounds, Failure, HttpError, Request};
use crate::answer::{CallError, Check};
use crate::config::Limits;
use crate::operation::ExpectHealth;
use crate::progress::{Interrupt, Watcher};
use crate::words::{listed, seconds};
pub use diagnose::diagnose;

/// Longest that one poll may take: a hanging answer must leave time for another try.
const POLL: Duration = Duration::from_secs(5);
/// Pause after the first poll; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two polls: what came up is seen within a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Expectations that a message repeats.
const NAMED: usize = 3;

/// Where a payload can be read right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSource {
    /// Host and port.
    pub authority: String,
    /// Path of the request.
    pub path: String,
    /// Synthetic health: the `deploy` object made from the stamp of the very container at this address. It replaces
    /// whatever the payload itself says there.
    pub deploy: Option<Value>,
}

/// Finds the address anew for every poll: a container has one only after it started, and another after a restart.
pub trait Locate: Sync {
    /// The address at this moment.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] while there is none yet, which is polled on; any other error ends the verification.
    fn locate(&self) -> impl Future<Output = Result<HealthSource, CallError>> + Send;
}

/// Reads the payload once.
pub trait Source: Sync {
    /// What answers now.
    ///
    /// # Errors
    /// [`Missed`].
    fn answer(&self, bounds: Bounds) -> impl Future<Output = Result<Answered, Missed>> + Send;
}

/// An answer, whatever its status.
pub struct Answered {
    /// As it came.
    pub response: Response<Bytes>,
    /// As in [`HealthSource`].
    pub deploy: Option<Value>,
}

/// Why there is none.
pub enum Missed {
    /// It can never come: the verification ends.
    Refused(CallError),
    /// Not this time, in words.
    Unusable {
        /// Whether a later one may, without anybody changing anything.
        retryable: bool,
        /// In words.
        what: String,
    },
    /// The time was up.
    Late {
        /// What was going on, for a poll that had less time than others.
        cut_short: String,
        /// In words.
        what: String,
    },
}

impl<L: Locate> Source for L {
    async fn answer(&self, bounds: Bounds) -> Result<Answered, Missed> {
        let until = http::deadline(bounds.within);
        let HealthSource { authority, path, deploy } = match timeout(bounds.within, self.locate()).await {
            Ok(Ok(source)) => source,
            Ok(Err(CallError::Unavailable(what))) => {
                return Err(Missed::Unusable { retryable: true, what });
            }
            Ok(Err(error)) => return Err(Missed::Refused(error)),
            Err(_) => {
                return Err(Missed::Late {
                    cut_short: "its address was being looked up".to_owned(),
                    what: format!("no address was found within {}", seconds(bounds.within)),
                });
            }
        };
        let request =
            Request { method: Method::GET, authority: &authority, path: &path, accept: "application/json" };
        match http::send(&request, Bounds { within: left(until), ..bounds }).await {
            Ok(response) => Ok(Answered { response, deploy }),
            Err(error) => Err(match &error {
                HttpError { request, failure: Failure::TimedOut { stage, .. } } => Missed::Late {
                    cut_short: format!("{request}, cut short while {stage}"),
                    what: error.to_string(),
                },
                _ => Missed::Unusable { retryable: error.failure.retryable(), what: error.to_string() },
            }),
        }
    }
}

/// An address that does not change: an endpoint of the operator's configuration.
impl Locate for HealthSource {
    async fn locate(&self) -> Result<HealthSource, CallError> {
        Ok(self.clone())
    }
}

/// Polls until every expectation holds in one payload, or the time is up.
///
/// One such payload is enough, whatever came before it and might come after: a service that starts may answer badly at
/// first, and no number of good answers says anything about the next one. It must be one payload, though: what holds
/// now in one answer and then in another was never true together.
///
/// At the deadline the last payload decides: `Ok` with what it holds, unsatisfied checks marked.
///
/// # Errors
/// - [`CallError::Unavailable`] if nothing answered in the end, the last answer was a server's error (5xx), or
///   `interrupt` was raised;
/// - [`CallError::Mismatch`] if the last answer was no health payload: another status, no JSON object, a repeated key,
///   longer than `health_bytes`;
/// - what the source refuses with.
pub async fn expect(
    call: &ExpectHealth,
    source: &impl Source,
    limits: &Limits,
    watcher: &dyn Watcher,
    interrupt: &Interrupt,
) -> Result<Vec<Check>, CallError> {
    // The operator's deadline is the longest: a plugin may ask for less, never for more.
    let within = Duration::from_secs(u64::from(call.within_seconds).min(limits.health_seconds));
    let poll = Poll { call, body_bytes: limits.health_bytes, within };
    tokio::select! {
        biased;
        () = interrupt.raised() => Err(CallError::Unavailable(format!(
            "interrupted while waiting for the health of {}",
            call.target
        ))),
        result = poll.until_it_holds(source, watcher) => result,
    }
}

struct Poll<'a> {
    call: &'a ExpectHealth,
    body_bytes: usize,
    within: Duration,
}

/// What one poll saw.
enum Seen {
    /// A health payload.
    Payload(Vec<Check>),
    /// Something else, or nothing, in words.
    Unusable { retryable: bool, what: String },
    /// The deadline left it less time than a poll gets, and that was not enough: what was being waited for.
    CutShort(String),
}

impl Poll<'_> {
    async fn until_it_holds(
        &self,
        source: &impl Source,
        watcher: &dyn Watcher,
    ) -> Result<Vec<Check>, CallError> {
        let until = http::deadline(self.within);
        let mut last: Option<Seen> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = match (self.once(source, left(until).min(POLL)).await?, last) {
                (Seen::Payload(checks), _) if checks.iter().all(|check| check.satisfied) => {
                    return Ok(checks);
                }
                // What was seen before says more.
                (Seen::CutShort(_), Some(last)) => last,
                (seen, _) => seen,
            };
            watcher.note(&self.waiting(&seen));
            sleep(pause.min(left(until))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if left(until).is_zero() {
                return self.verdict(seen);
            }
            last = Some(seen);
        }
    }

    /// One look at the payload.
    async fn once(&self, source: &impl Source, within: Duration) -> Result<Seen, CallError> {
        let unusable = |retryable, what| Ok(Seen::Unusable { retryable, what });
        match source.answer(Bounds { body_bytes: self.body_bytes, within }).await {
            Ok(Answered { response, deploy }) => match payload::read(&response, deploy) {
                Ok(payload) => Ok(Seen::Payload(payload::check(&payload, &self.call.expectations))),
                Err(what) => unusable(response.status().is_server_error(), what),
            },
            Err(Missed::Refused(error)) => Err(error),
            Err(Missed::Unusable { retryable, what }) => unusable(retryable, what),
            Err(Missed::Late { cut_short, .. }) if within < POLL => Ok(Seen::CutShort(cut_short)),
            Err(Missed::Late { what, .. }) => unusable(true, what),
        }
    }

    /// One line for whoever watches.
    fn waiting(&self, last: &Seen) -> String {
        let target = &self.call.target;
        match last {
            Seen::CutShort(_) => format!("waiting for {target} to answer"),
            Seen::Unusable { what, .. } => format!("waiting for {target}: {what}"),
            Seen::Payload(checks) => {
                let pending = checks.iter().zip(&self.call.expectations).find(|(check, _)| !check.satisfied);
                let why = pending.map(|(check, expectation)| payload::difference(check, expectation));
                format!("waiting for {target}: {}", why.unwrap_or_default())
            }
        }
    }

    fn verdict(&self, last: Seen) -> Result<Vec<Check>, CallError> {
        let call = self.call;
        let expected: Vec<_> = call.expectations.iter().map(payload::expectation).collect();
        let expected = match expected.as_slice() {
            [] => "a JSON object".to_owned(),
            some => listed(some, NAMED),
        };
        let within = seconds(self.within);
        match last {
            Seen::Payload(checks) => Ok(checks),
            Seen::Unusable { retryable, what } => {
                let text = format!(
                    "{} gave no health payload within {within} (expected {expected}); last: {what}",
                    call.target
                );
                Err(if retryable { CallError::Unavailable(text) } else { CallError::Mismatch(text) })
            }
            Seen::CutShort(what) => Err(CallError::Unavailable(format!(
                "{}: nothing answered within {within} (expected {expected}); last: {what}",
                call.target
            ))),
        }
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
