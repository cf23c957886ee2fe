//! What can go wrong in the lab, each with what it was and what to do.

use std::{fmt::Display, io, path::PathBuf};

/// Result of everything in the lab.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine lacks a component and the lab cannot get it by itself.
    #[error("{what} is missing: {why}\n  to do: {remedy}")]
    Missing {
        /// The component, by name.
        what: &'static str,
        /// Why the lab cannot provide it here.
        why: String,
        /// What a person can do about it.
        remedy: String,
    },
    /// Something of the same name is there and is not ours to replace.
    #[error("{what} is already there and was not made by the lab\n  to do: {remedy}")]
    Taken {
        /// The thing that is in the way.
        what: String,
        /// What a person can do about it.
        remedy: String,
    },
    /// A program ended with an error.
    #[error("`{command}` ended with {status}\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it printed last.
        output: String,
    },
    /// A component was started and does not answer.
    #[error("{what} does not answer after {seconds} s; the end of its log {log}:\n{tail}", log = log.display())]
    Silent {
        /// The component, by name.
        what: &'static str,
        /// How long it was given.
        seconds: u64,
        /// Where its log is.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// Something answered in a way that it should not.
    #[error("{what}: {found}")]
    Unexpected {
        /// What was asked or done.
        what: String,
        /// What came instead.
        found: String,
    },
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its path or address.
        action: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// An I/O error with what was being done, for `map_err`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// An answer that does not fit, for `ok_or_else` and `map_err`.
    pub fn unexpected(what: impl Display, found: impl Display) -> Self {
        Self::Unexpected { what: what.to_string(), found: found.to_string() }
    }
}
