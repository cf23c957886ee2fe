//! `guard`: what must hold before anything changes.

use std::str::FromStr;

use super::bindings::deploy::consumer::guard::Host;
use super::{Guest, Refusal, names};
use crate::answer::CallError;
use crate::names::{ConfigName, NameError};
use crate::operation::Operation;
use crate::words::plain;

/// Longest reason of a hold, in characters.
const LONGEST: usize = 500;

impl Host for Guest {
    fn require_secrets(&mut self, source: String, keys: Vec<String>) -> Result<(), Refusal> {
        let keys = some(&keys, "secret")?;
        let source = ConfigName::parse(&source)?;
        let runtime = self.asked()?.runtime;
        self.declare(Operation::RequireSecrets { source, keys, runtime })
    }

    fn require_approval(&mut self, roles: Vec<String>) -> Result<(), Refusal> {
        self.declare(Operation::RequireApproval { roles: some(&roles, "role")? })
    }

    fn require_outside(&mut self, workloads: Vec<String>) -> Result<(), Refusal> {
        self.declare(Operation::RequireOutside { workloads: some(&workloads, "workload")? })
    }

    fn require_pinned(&mut self) -> Result<(), Refusal> {
        self.declare(Operation::RequirePinned)
    }

    fn hold(&mut self, reason: String) -> Result<(), Refusal> {
        self.declare(Operation::Hold { reason: plain(&reason, LONGEST) })
    }
}

/// Names, at least one.
fn some<T: FromStr<Err = NameError>>(texts: &[String], what: &str) -> Result<Vec<T>, Refusal> {
    match names(texts)? {
        none if none.is_empty() => Err(Refusal::Told(CallError::Invalid(format!("no {what} is named")))),
        some => Ok(some),
    }
}
