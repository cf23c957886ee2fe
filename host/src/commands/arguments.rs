//! Names on the command line, with errors that name the argument and its rule.

use crate::fault::Fault;
use crate::names::{Commit, Environment, NameError, ServiceName};

/// SERVICE.
pub fn service(text: &str) -> Result<ServiceName, Fault> {
    ServiceName::parse(text).map_err(|error| bad("SERVICE", &error, "`host services` lists the services"))
}

/// `--env`.
pub fn environment(text: &str) -> Result<Environment, Fault> {
    Environment::parse(text)
        .map_err(|error| bad("--env", &error, "`host services` lists the environments, `prod` for example"))
}

/// `--commit`.
pub fn commit(text: &str) -> Result<Commit, Fault> {
    Commit::parse(text).map_err(|error| {
        let help =
            "name the commit itself, never a branch or a tag: --commit $(git rev-parse <branch or tag>)";
        bad("--commit", &error, help)
    })
}

fn bad(argument: &str, error: &NameError, help: &str) -> Fault {
    Fault::usage("usage", format!("{argument}: {error}"), help)
}
