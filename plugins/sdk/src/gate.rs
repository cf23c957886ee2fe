//! What must hold before anything changes. An unmet gate is no error of the call: the deploy goes on to be planned, and a
//! live run ends before its first change.

use crate::Failure;
use crate::contract::deploy::consumer::guard;

/// These keys of a secret source must be there and not empty; the plugin learns nothing of them.
///
/// # Errors
/// Whatever the host refuses, such as a source that belongs to another service.
pub fn require_secrets(source: &str, keys: &[&str]) -> Result<(), Failure> {
    let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
    Ok(guard::require_secrets(source, &keys)?)
}

/// Blocks live deploys; a dry run shows the reason.
///
/// # Errors
/// Whatever the host refuses.
pub fn hold(reason: &str) -> Result<(), Failure> {
    Ok(guard::hold(reason)?)
}
