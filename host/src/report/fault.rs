//! What is told instead of a report where there is none.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ErrorPart, SCHEMA};
use crate::fault::Fault;

/// What any command answers where it could not do its work: bad usage, configuration, policy or plugin, or a journal or
/// output that cannot be written. Exit code 2, or 1 where the host's own files failed it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultReport {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Never.
    #[schemars(extend("const" = false))]
    ok: bool,
    /// Nothing: it came to no decision.
    decision: (),
    /// Whether the same command may succeed later without anybody changing anything.
    retryable: bool,
    /// What to do about it.
    recommended_action: String,
    /// What went wrong.
    error: ErrorPart,
}

impl From<&Fault> for FaultReport {
    fn from(fault: &Fault) -> Self {
        Self {
            schema_version: SCHEMA,
            ok: false,
            decision: (),
            retryable: false,
            recommended_action: fault.help.clone(),
            error: ErrorPart {
                code: fault.code.to_owned(),
                message: fault.message.clone(),
                step: None,
                retryable: false,
            },
        }
    }
}
