//! What goes wrong with an engine, in words: what was asked, where, and what to do. What the engine says in its own words is
//! escaped and cut.

use std::time::Duration;

use bollard::errors::Error;

use super::transport::{TooLong, Unconnected, is_behind};
use crate::answer::CallError;
use crate::words::{plain, seconds, shell};

/// Longest part of an engine's own message that an error repeats, in characters.
const SHOWN: usize = 300;

/// The answer, or what is in its way; its deadline is `within`.
pub async fn bounded<T>(
    address: &str,
    what: &str,
    within: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(within, call).await {
        Ok(result) => result.map_err(|error| failed(address, what, &error)),
        Err(_) => Err(CallError::Unavailable(format!(
            "{what}: the Docker engine at {address} gave no answer within {} (limits.docker-seconds)",
            seconds(within)
        ))),
    }
}

/// Why a pull brought nothing.
pub struct Unpulled {
    /// In words.
    pub error: CallError,
    /// Whether the engine found no way to the registry, as Go's network library tells it.
    pub unreached: bool,
}

/// Of a pull. The engine answers 500 when it does not get through to the registry: that may pass.
pub fn unpulled(address: &str, what: &str, error: &Error) -> Unpulled {
    let said = match error {
        Error::DockerResponseServerError { message, .. } => message.as_str(),
        Error::DockerStreamError { error } => error.as_str(),
        _ => "",
    };
    let unreached = ["dial tcp", "while waiting for connection"].iter().any(|words| said.contains(words));
    let error = match (failed(address, what, error), error) {
        (CallError::Other(text), Error::DockerResponseServerError { status_code: 500.., .. }) => {
            CallError::Unavailable(format!(
                "{text}; check that the registry runs and that the engine reaches it there"
            ))
        }
        (other, _) => other,
    };
    Unpulled { error, unreached }
}

/// What the engine, the library or the connection says, sorted.
pub fn failed(address: &str, what: &str, error: &Error) -> CallError {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let text =
                format!("{what}: the Docker engine answered {status_code}: {}", plain(message.trim(), SHOWN));
            match status_code {
                404 => CallError::NotFound(text),
                409 => CallError::Mismatch(text),
                503 => CallError::Unavailable(text),
                _ => CallError::Other(text),
            }
        }
        Error::DockerStreamError { error } => {
            CallError::Other(format!("{what}: the Docker engine says: {}", plain(error.trim(), SHOWN)))
        }
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::APIVersionParseError {} => {
            strange(address, what, &plain(&error.to_string(), SHOWN))
        }
        _ if is_behind::<TooLong>(error) => strange(address, what, &innermost(error)),
        _ if !is_behind::<Unconnected>(error) => CallError::Unavailable(format!(
            "{what}: the Docker engine at {address} broke off ({}); check that it still runs (`{} info`) \
             and look at its log",
            plain(&innermost(error), SHOWN),
            docker_at(address)
        )),
        _ => CallError::Unavailable(format!(
            "{what}: the Docker engine at {address} cannot be reached ({}); check that it runs (`{} info`), that \
             this user may open the socket (root, or a member of its group), and `docker` of this runtime in host.toml",
            plain(&innermost(error), SHOWN),
            docker_at(address)
        )),
    }
}

/// Something answers there, but not as an engine does.
pub fn strange(address: &str, what: &str, how: &str) -> CallError {
    CallError::Other(format!(
        "{what}: what answers at {address} does not answer as a Docker engine does: {how}; check `docker` of this runtime \
         in host.toml"
    ))
}

/// The last cause: the wrappers around it only say that something went wrong.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// How a person reaches the engine at `address`: for a shell to read, so quoted where one would misread it.
pub fn docker_at(address: &str) -> String {
    format!("docker -H {}", shell(address))
}
