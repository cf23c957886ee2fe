//! Where a gate writes things down.

use super::RunLog;
use crate::fault::Fault;
use crate::operation::{Kind, Operation};
use crate::policy::{Decision, Request};
use crate::step::{Pass, Step};

/// What stands behind the "write it down" of a gate. There is one way through the gate, whoever asks; what differs is
/// whether something is kept of it.
#[derive(Clone)]
pub enum Log {
    /// The record of a run.
    Run(RunLog),
    /// Of a command that only looks, and that must leave no trace itself: nothing is kept. It takes reads, and what
    /// reaches nothing at all; anything else is refused where the gate asks for it to be written down, which is before it
    /// happens.
    Unkept,
}

impl From<RunLog> for Log {
    fn from(log: RunLog) -> Self {
        Self::Run(log)
    }
}

impl Log {
    /// As [`RunLog::intent`].
    pub fn intent(
        &self,
        pass: Pass,
        seq: u32,
        kind: Kind,
        operation: &Operation,
        verdict: &Decision,
        requests: &[Request],
    ) -> Result<i64, Fault> {
        match self {
            Self::Run(log) => log.intent(pass, seq, kind, operation, verdict, requests),
            Self::Unkept if kind == Kind::Read || pass == Pass::Predicting => Ok(0),
            Self::Unkept => Err(Fault::internal(
                "journal-unkept",
                format!(
                    "{} of {} is more than a look, and this command keeps no journal; it was refused before it happened",
                    operation.name(),
                    operation.target()
                ),
                "report this as a bug",
            )),
        }
    }

    /// As [`RunLog::outcome`].
    pub fn outcome(&self, entry: i64, step: &Step) -> Result<(), Fault> {
        match self {
            Self::Run(log) => log.outcome(entry, step),
            Self::Unkept => Ok(()),
        }
    }

    /// As [`RunLog::said`].
    pub fn said(&self, message: &str) -> Result<(), Fault> {
        match self {
            Self::Run(log) => log.said(message),
            Self::Unkept => Ok(()),
        }
    }
}
