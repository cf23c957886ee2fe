//! The ends of a pass that are not the plugin's to judge.

use std::any::Any;

use crate::fault::Fault;
use crate::policy::Principal;
use crate::words::plain;

/// Longest text of a bug that is repeated, in characters.
const LONGEST: usize = 300;

/// Why a pass ends at once, whatever the plugin would make of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The live pass does something that the observed pass did not.
    #[error(
        "{who} does {got} as step {seq}, where {expected} was planned; it was refused before it happened"
    )]
    Diverged {
        /// The plugin, by name and digest.
        who: String,
        /// Where.
        seq: u32,
        /// What was planned there, in words.
        expected: String,
        /// What came instead, in words.
        got: String,
    },
    /// Somebody else changed what was observed.
    #[error("step {seq} ({operation}): {target} is no longer as it was when the plan was made ({how})")]
    Stale {
        /// Where.
        seq: u32,
        /// What was to be done.
        operation: &'static str,
        /// To what.
        target: String,
        /// What is otherwise.
        how: String,
    },
    /// Too many calls.
    #[error("the plugin made more than {limit} capability calls in one run (limits.host-calls)")]
    Calls {
        /// The limit.
        limit: u64,
    },
    /// The program itself failed; what it was doing then may be half done.
    #[error("a bug in host: {0}")]
    Bug(String),
    /// The journal cannot be written: nothing may happen that is not written down first.
    #[error("{0}")]
    Journal(Fault),
}

impl Halt {
    /// With the name of the plugin that brought it about.
    #[must_use]
    pub fn by(self, principal: &Principal) -> Self {
        match (self, principal) {
            (Self::Diverged { seq, expected, got, .. }, Principal::Plugin { plugin, digest }) => {
                Self::Diverged { who: format!("plugin {plugin} ({digest})"), seq, expected, got }
            }
            (other, _) => other,
        }
    }

    /// Of a caught panic.
    #[must_use]
    pub fn bug(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text =
            text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it says nothing of itself");
        Self::Bug(plain(text, LONGEST))
    }
}
