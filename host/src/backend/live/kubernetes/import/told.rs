//! What goes wrong in containerd, sorted by what helps. Its words are the same by every way to it.

use std::time::Duration;

use crate::answer::CallError;
use crate::words::seconds;

/// What containerd says where it did not get an image out of the registry.
const UNREACHED: [&str; 6] = [
    "dial tcp",
    "failed to do request",
    "connection refused",
    "connection reset",
    "unexpected EOF",
    "unexpected status",
];

/// `what` failed at `place`, for `said`, of which messages show `shown`.
pub fn failed(what: &str, place: &str, said: &str, shown: &str) -> CallError {
    let text = format!("{what}: the containerd of {place} says: {shown}");
    if UNREACHED.iter().any(|words| said.contains(words)) {
        return CallError::Unavailable(format!(
            "{text}; check that the registry runs and that the node reaches it there"
        ));
    }
    CallError::Other(text)
}

/// containerd itself gives no answer; `text` says so.
pub fn silent(text: &str) -> CallError {
    CallError::Unavailable(format!(
        "{text}; check that Kubernetes runs there, and that host.toml names containerd's socket (containerd of the runtime)"
    ))
}

/// `what` was stopped by Ctrl-C.
pub fn interrupted(what: &str, place: &str) -> CallError {
    CallError::Other(format!("interrupted while {place} was {what}"))
}

/// `what`, a pull, was stopped by its deadline.
pub fn late(what: &str, place: &str, within: Duration) -> CallError {
    CallError::Unavailable(format!(
        "{what} into the containerd of {place} took longer than {} (limits.delivery-seconds)",
        seconds(within)
    ))
}
