//! What ends a command before it could do its work: one type for bad flags, files, plugins and policies.

use std::fmt;

/// Which family of exit codes a fault belongs to (design: table of decisions).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Bad usage, configuration, policy or plugin file: exit 2.
    Usage,
    /// The host's own journal or files failed it: exit 1.
    Internal,
    /// Policy does not permit it: exit 3.
    Denied,
    /// What was planned or approved is no longer so: exit 5.
    Stale,
}

/// An error that says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Decides the exit code.
    pub kind: FaultKind,
    /// Stable, for scripts: `config-unknown-key`.
    pub code: &'static str,
    /// What is wrong and where.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Fault {
    /// Something the caller wrote, or pointed to, is wrong.
    #[must_use]
    pub fn usage(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind: FaultKind::Usage, code, message: message.into(), help: help.into() }
    }

    /// Something of the host's own failed.
    #[must_use]
    pub fn internal(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind: FaultKind::Internal, code, message: message.into(), help: help.into() }
    }

    /// Policy does not let this command ask; `help` says what would.
    #[must_use]
    pub fn denied(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind: FaultKind::Denied, code: "denied", message: message.into(), help: help.into() }
    }

    /// A plan that may not be used.
    #[must_use]
    pub fn stale(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind: FaultKind::Stale, code, message: message.into(), help: help.into() }
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            FaultKind::Usage => 2,
            FaultKind::Internal => 1,
            FaultKind::Denied => 3,
            FaultKind::Stale => 5,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.message, self.help)
    }
}

impl std::error::Error for Fault {}
