//! The ends of a pass that are not the plugin's to judge.

use crate::fault::Fault;

/// Why a pass ends at once, whatever the plugin would make of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The live pass does something that the observed pass did not.
    #[error("step {seq} is {got}, where {expected} was planned; it was refused before it happened")]
    Diverged {
        /// Where.
        seq: u32,
        /// What was planned there, in words.
        expected: String,
        /// What came instead, in words.
        got: String,
    },
    /// Somebody else changed what was observed.
    #[error("step {seq} ({operation}): {target} is no longer as it was when the plan was made")]
    Stale {
        /// Where.
        seq: u32,
        /// What was to be done.
        operation: &'static str,
        /// To what.
        target: String,
    },
    /// Too many calls.
    #[error("the plugin made more than {limit} capability calls in one run (limits.host-calls)")]
    Calls {
        /// The limit.
        limit: u64,
    },
    /// The journal cannot be written: nothing may happen that is not written down first.
    #[error("{0}")]
    Journal(Fault),
}
