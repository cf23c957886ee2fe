//! `guard`: what must hold before anything changes.

use super::bindings::deploy::consumer::guard::Host;
use super::{Guest, Refusal, names};
use crate::answer::CallError;
use crate::names::ConfigName;
use crate::operation::Operation;
use crate::words::plain;

/// Longest reason of a hold, in characters.
const LONGEST: usize = 500;

impl Host for Guest {
    fn require_secrets(&mut self, source: String, keys: Vec<String>) -> Result<(), Refusal> {
        let keys = names(&keys)?;
        if keys.is_empty() {
            return Err(Refusal::Told(CallError::Invalid("no secret is named".to_owned())));
        }
        let source = ConfigName::parse(&source)?;
        let runtime = self.asked()?.runtime;
        self.declare(Operation::RequireSecrets { source, keys, runtime })
    }

    fn require_approval(&mut self, role: String) -> Result<(), Refusal> {
        self.declare(Operation::RequireApproval { role: ConfigName::parse(&role)? })
    }

    fn require_outside(&mut self, workloads: Vec<String>) -> Result<(), Refusal> {
        let workloads = names(&workloads)?;
        if workloads.is_empty() {
            return Err(Refusal::Told(CallError::Invalid("no workload is named".to_owned())));
        }
        self.declare(Operation::RequireOutside { workloads })
    }

    fn require_pinned(&mut self) -> Result<(), Refusal> {
        self.declare(Operation::RequirePinned)
    }

    fn hold(&mut self, reason: String) -> Result<(), Refusal> {
        self.declare(Operation::Hold { reason: plain(&reason, LONGEST) })
    }
}
