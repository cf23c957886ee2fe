//! Names on the command line, with errors that name the argument and its rule.

use crate::fault::Fault;
use crate::names::{Commit, Environment, NameError, ServiceName};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 200;

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

/// `--override-desired`: something that whoever reads it later understands.
pub fn reason(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(Fault::usage(
            "usage",
            format!("--override-desired: a reason is one line of 1 to {LONGEST_REASON} characters"),
            "say why the desired state does not hold, such as the issue or the incident",
        ));
    }
    Ok(text.to_owned())
}

fn bad(argument: &str, error: &NameError, help: &str) -> Fault {
    Fault::usage("usage", format!("{argument}: {error}"), help)
}
