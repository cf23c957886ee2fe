//! What must hold before anything changes. An unmet gate is no error of the call: the deploy goes on to be planned, and a
//! live run ends before its first change.

use crate::contract::deploy::consumer::guard;
use crate::{Failure, Request};

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

/// Blocks live deploys to an environment in which a service is only tried out on paper: it runs in prod.
///
/// # Errors
/// Whatever the host refuses.
pub fn only_validates(request: &Request) -> Result<(), Failure> {
    let Request { service, environment, .. } = request;
    hold(&format!(
        "{environment} only validates: {service} runs in prod, so its deploy to {environment} is a dry run"
    ))
}

/// Somebody with one of these roles must have approved exactly this deploy.
///
/// # Errors
/// Whatever the host refuses.
pub fn require_approval(roles: &[&str]) -> Result<(), Failure> {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    Ok(guard::require_approval(&roles)?)
}

/// The desired state must name a commit of this service for this environment.
///
/// # Errors
/// Whatever the host refuses.
pub fn require_pinned() -> Result<(), Failure> {
    Ok(guard::require_pinned()?)
}

/// Whoever asks must not run inside any of these workloads: a service must not deploy what it runs in.
///
/// # Errors
/// Whatever the host refuses.
pub fn require_outside(workloads: &[&str]) -> Result<(), Failure> {
    let workloads: Vec<String> = workloads.iter().map(|&name| name.to_owned()).collect();
    Ok(guard::require_outside(&workloads)?)
}
