//! What goes wrong on the way to a machine behind `ssh`.

use std::fmt;
use std::time::Duration;

use super::Target;
use crate::answer::CallError;
use crate::config::SshHost;
use crate::names::ConfigName;
use crate::words::seconds;

/// Which machine, as messages name it: `d601 (ubuntu@d601)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// That of `[ssh.<name>]`.
    #[must_use]
    pub fn new(name: &ConfigName, host: &SshHost) -> Self {
        Self(format!("{name} ({})", host.destination))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something went wrong with a machine behind `ssh`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {trouble}")]
pub struct SshError {
    /// Which machine.
    pub place: Place,
    /// What it was.
    pub trouble: Box<Trouble>,
}

/// What went wrong. Texts that `ssh` or the other side said are escaped and cut already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This machine has no `ssh`.
    #[error("there is no program `ssh` on this machine; install the OpenSSH client, or put it on PATH")]
    ProgramMissing,
    /// No connection could be made.
    #[error(
        "it cannot be reached over SSH: {why} ({said}); check that it runs and that this machine has a way to it"
    )]
    Unreachable {
        /// How that shows.
        why: Unreached,
        /// In the words of `ssh`.
        said: String,
    },
    /// The connection did not stand in time.
    #[error(
        "it cannot be reached over SSH: no connection after {} (limits.ssh-connect-seconds){said}; check that it runs, \
         and that nothing on the way asks for a password or a touch", seconds(*.within)
    )]
    Slow {
        /// How long it was given.
        within: Duration,
        /// In the words of `ssh`, if it said anything.
        said: String,
    },
    /// It shows a key that is not known.
    #[error(
        "its host key is not known ({said}); ask whoever runs it for the fingerprint, connect once by hand with `ssh`, \
         compare the two, and only then accept the key"
    )]
    HostKeyUnknown {
        /// In the words of `ssh`.
        said: String,
    },
    /// It shows another key than the known one.
    #[error(
        "its host key has changed: it shows {fingerprint}, known is another one ({known}); somebody may be in between. Ask \
         whoever runs it whether the key was changed, compare the fingerprint, and only then remove the old line{remove}"
    )]
    HostKeyChanged {
        /// Of the key that it shows now.
        fingerprint: String,
        /// File and line of the known key.
        known: String,
        /// How to remove it, in the words of `ssh`.
        remove: String,
    },
    /// It shows a key that was withdrawn.
    #[error(
        "its host key is marked as revoked ({said}); do not connect before whoever runs it has told you why"
    )]
    HostKeyRevoked {
        /// In the words of `ssh`.
        said: String,
    },
    /// It lets this user not in.
    #[error(
        "it does not let {user} in (it takes {methods}){hint}; check that the agent holds the key (`ssh-add -l`), and that \
         the key is among the authorised ones there"
    )]
    Denied {
        /// `ubuntu@d601`, or whoever it was.
        user: String,
        /// The ways in that the other side offered: `publickey`.
        methods: String,
        /// What was wrong with a key of the user's, if `ssh` said so.
        hint: String,
    },
    /// The ssh configuration cannot be used.
    #[error("the ssh configuration cannot be used: {said}; `ssh -G` shows what it makes of it")]
    Configuration {
        /// In the words of `ssh`.
        said: String,
    },
    /// There was a connection, and now there is none.
    #[error("the connection was lost ({said}); what was going on there may have stopped in the middle")]
    Dropped {
        /// In the words of `ssh`.
        said: String,
    },
    /// The other side allows no more at once on one connection.
    #[error(
        "it refuses one more session on the connection ({said}); raise MaxSessions in its sshd_config, or do less at once"
    )]
    TooManySessions {
        /// In the words of `ssh`.
        said: String,
    },
    /// The program is not there.
    #[error(
        "it has no program {program} ({said}); install it there, or put it on the PATH of a login without terminal"
    )]
    CommandMissing {
        /// The program that was wanted.
        program: String,
        /// In the words of the other side.
        said: String,
    },
    /// A command did not end in time.
    #[error("{program} had not ended there after {}; it may still be running", seconds(*.within))]
    Late {
        /// The program.
        program: String,
        /// How long it was given.
        within: Duration,
    },
    /// The other side did not open the way that was asked for.
    #[error("{target} there cannot be reached through the connection: {why}")]
    ForwardRefused {
        /// Where to.
        target: Target,
        /// Why.
        why: Refusal,
    },
    /// Something cannot be sent.
    #[error("{what} cannot be sent: {why}")]
    Invalid {
        /// A command, a path.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no place for the sockets of a connection.
    #[error(
        "there is no folder for the sockets of the connection: {0}; set XDG_RUNTIME_DIR or TMPDIR to another one"
    )]
    Folder(String),
    /// Anything else.
    #[error("ssh failed: {0}")]
    Other(String),
}

/// How it shows that a machine is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// Its name leads nowhere.
    #[error("its name is not known")]
    UnknownName,
    /// Nobody can be asked for its name now.
    #[error("its name cannot be looked up")]
    NoNameServer,
    /// No server listens.
    #[error("connection refused")]
    Refused,
    /// Nobody answers.
    #[error("no answer in time")]
    TimedOut,
    /// There is no way to its network.
    #[error("no route to it")]
    NoRoute,
    /// Somebody answered and left.
    #[error("the connection was closed before it was set up")]
    Closed,
}

/// Why a forwarded connection was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server's configuration forbids it.
    #[error(
        "its SSH server forbids it; see AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen and restrict there"
    )]
    Prohibited,
    /// Nobody takes it there.
    #[error("{0}; check that it runs there and that this user may use it")]
    Nobody(String),
    /// No local end could be made.
    #[error("no local end can be made for it: {0}")]
    NoLocalEnd(String),
}

impl SshError {
    /// Something that went wrong with `place`.
    #[must_use]
    pub fn new(place: &Place, trouble: Trouble) -> Self {
        Self { place: place.clone(), trouble: Box::new(trouble) }
    }

    /// Stable code for reports and the journal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &*self.trouble {
            Trouble::ProgramMissing => "ssh-missing",
            Trouble::Unreachable { .. } | Trouble::Slow { .. } => "ssh-unreachable",
            Trouble::HostKeyUnknown { .. } => "ssh-host-key-unknown",
            Trouble::HostKeyChanged { .. } => "ssh-host-key-changed",
            Trouble::HostKeyRevoked { .. } => "ssh-host-key-revoked",
            Trouble::Denied { .. } => "ssh-denied",
            Trouble::Configuration { .. } => "ssh-configuration",
            Trouble::Dropped { .. } => "ssh-dropped",
            Trouble::TooManySessions { .. } => "ssh-sessions",
            Trouble::CommandMissing { .. } => "ssh-command-missing",
            Trouble::Late { .. } => "ssh-late",
            Trouble::ForwardRefused { .. } => "ssh-forward-refused",
            Trouble::Invalid { .. } => "ssh-invalid",
            Trouble::Folder(_) => "ssh-folder",
            Trouble::Other(_) => "ssh-failed",
        }
    }

    /// Whether the same may work later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match &*self.trouble {
            Trouble::Unreachable { why, .. } => *why != Unreached::UnknownName,
            Trouble::Slow { .. }
            | Trouble::Dropped { .. }
            | Trouble::TooManySessions { .. }
            | Trouble::Late { .. }
            | Trouble::ForwardRefused { why: Refusal::Nobody(_), .. } => true,
            _ => false,
        }
    }

    /// Whether it is a channel that is missing: nothing can be done there before somebody repairs it, or it comes back.
    #[must_use]
    pub fn is_missing_channel(&self) -> bool {
        !matches!(*self.trouble, Trouble::Invalid { .. } | Trouble::Other(_))
    }
}

impl From<SshError> for CallError {
    fn from(error: SshError) -> Self {
        let message = error.to_string();
        match &*error.trouble {
            Trouble::Invalid { .. } => Self::Invalid(message),
            _ if error.is_missing_channel() => {
                Self::Unreachable { text: message, retryable: error.retryable() }
            }
            _ => Self::Other(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let destination = crate::config::Destination::parse("ubuntu@d601").expect("a destination");
        Place::new(&ConfigName::parse("d601").expect("a name"), &SshHost { destination, config: None })
    }

    #[test]
    fn what_is_missing_is_unavailable_and_says_whether_it_may_come_back() {
        let said = || "x".to_owned();
        let unreachable = |why| Trouble::Unreachable { why, said: said() };
        let refused = |why| Trouble::ForwardRefused { target: Target::Socket("/x".into()), why };
        let within = Duration::from_secs(5);
        for (trouble, code, retryable, call) in [
            (Trouble::ProgramMissing, "ssh-missing", false, "unavailable"),
            (unreachable(Unreached::Refused), "ssh-unreachable", true, "unavailable"),
            (unreachable(Unreached::UnknownName), "ssh-unreachable", false, "unavailable"),
            (unreachable(Unreached::NoNameServer), "ssh-unreachable", true, "unavailable"),
            (Trouble::Slow { within, said: said() }, "ssh-unreachable", true, "unavailable"),
            (Trouble::HostKeyUnknown { said: said() }, "ssh-host-key-unknown", false, "unavailable"),
            (Trouble::HostKeyRevoked { said: said() }, "ssh-host-key-revoked", false, "unavailable"),
            (Trouble::Dropped { said: said() }, "ssh-dropped", true, "unavailable"),
            (refused(Refusal::Prohibited), "ssh-forward-refused", false, "unavailable"),
            (refused(Refusal::Nobody(said())), "ssh-forward-refused", true, "unavailable"),
            (Trouble::Late { program: said(), within }, "ssh-late", true, "unavailable"),
            (Trouble::Invalid { what: said(), why: said() }, "ssh-invalid", false, "invalid"),
            (Trouble::Other(said()), "ssh-failed", false, "other"),
        ] {
            let error = SshError::new(&place(), trouble);
            assert_eq!((error.code(), error.retryable()), (code, retryable), "{error}");
            let message = error.to_string();
            assert!(message.starts_with("d601 (ubuntu@d601): "), "{message}");
            let told = CallError::from(error);
            assert_eq!((told.code(), told.message()), (call, message.as_str()));
            assert_eq!(told.retryable(), retryable);
        }
    }
}
