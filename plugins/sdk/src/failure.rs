//! How a deploy ends early.

use crate::contract::deploy::consumer::types::{Check, Error, Literal};
use crate::{Ending, Outcome};

/// Why a deploy ended early, in the plugin's words. The host adds which step it was.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong; the words say what.
    Failed(Ending),
    /// Somebody or something does not want this deploy.
    Refused(Ending),
    /// It runs, but not whole.
    Degraded(Ending),
}

impl Failure {
    /// A failure with what to do about it.
    pub fn failed(message: impl Into<String>, recommended_action: impl Into<String>) -> Self {
        Self::Failed(ending(message, recommended_action))
    }

    /// It runs and proves the requested commit, but is not whole; with what to do about it. It stays.
    pub fn degraded(message: impl Into<String>, recommended_action: impl Into<String>) -> Self {
        Self::Degraded(ending(message, recommended_action))
    }
}

fn ending(message: impl Into<String>, recommended_action: impl Into<String>) -> Ending {
    Ending { message: message.into(), recommended_action: recommended_action.into(), retryable: false }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (message, retryable) = match error {
            Error::Denied(denial) => {
                return Self::Refused(Ending {
                    message: denial.reason,
                    recommended_action: String::new(),
                    retryable: false,
                });
            }
            Error::Unavailable(text) => (text, true),
            Error::NotFound(text) | Error::Mismatch(text) | Error::Invalid(text) | Error::Other(text) => {
                (text, false)
            }
        };
        // The host knows best what to do about its own errors.
        Self::Failed(Ending { message, recommended_action: String::new(), retryable })
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(ending) => Self::Failed(ending),
            Failure::Refused(ending) => Self::Refused(ending),
            Failure::Degraded(ending) => Self::Degraded(ending),
        }
    }
}

/// Passes if everything was found as expected, or nothing was asked.
///
/// # Errors
/// Names `what` and every pointer that held something else.
pub fn verified(what: &str, checks: Option<Vec<Check>>) -> Result<(), Failure> {
    match unlike(what, &checks.unwrap_or_default()) {
        None => Ok(()),
        Some(message) => Err(Failure::failed(message, "")),
    }
}

/// Names `what` and every pointer that held something else than expected; nothing where all is well.
#[must_use]
pub fn unlike(what: &str, checks: &[Check]) -> Option<String> {
    let wrong: Vec<String> = checks
        .iter()
        .filter(|check| !check.satisfied)
        .map(|check| {
            format!("{} is {}", check.pointer, check.found.as_ref().map_or("missing".to_owned(), shown))
        })
        .collect();
    (!wrong.is_empty()).then(|| format!("{what} is not as requested: {}", wrong.join(", ")))
}

fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => format!("{text:?}"),
        Literal::Flag(flag) => flag.to_string(),
        Literal::Number(number) => number.to_string(),
        Literal::Absent => "missing".to_owned(),
    }
}
