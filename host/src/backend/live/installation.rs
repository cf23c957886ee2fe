//! The registry's machine, asked how the registry is installed there.

use std::ffi::OsString;
use std::time::Duration;

use super::connections::Connections;
use super::machine::{Machine, Unrun};
use super::process::Unfinished;
use super::ssh::quote;
use crate::answer::CallError;
use crate::installation::{Observed, query};
use crate::words::{plain, seconds};

/// Longest that the whole question may take there; each part of it has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longest part of what the other machine says that a message repeats, in characters.
const SHOWN: usize = 200;

/// Asks, in one round trip.
///
/// # Errors
/// As for `Channels::machine`; `Unavailable` for an answer that does not come or is none.
pub async fn observe(to: &Connections) -> Result<Observed, CallError> {
    let registry = &to.config.registry;
    let place = registry.via.as_ref().map_or_else(|| "this machine".to_owned(), ToString::to_string);
    let arguments = query::arguments(&registry.installation, &registry.url.to_string());
    let shell = ["sh", "-c", query::SCRIPT, "sh"].map(str::to_owned);
    let words: Vec<String> = shell.into_iter().chain(arguments).collect();
    let gateway = registry.via.as_ref().and_then(|via| to.config.gateways.get(via));
    let (machine, argv) = match gateway {
        // It takes one text, like ssh.
        Some(gateway) => {
            let text = quote::command(&words).map_err(CallError::Invalid)?;
            (Machine::Here, gateway.iter().cloned().chain([text]).collect())
        }
        None => (to.channels.machine(registry.via.as_ref()).await?, words),
    };
    let argv: Vec<OsString> = argv.into_iter().map(OsString::from).collect();
    let strange = |why: &str| {
        CallError::Unavailable(format!("{place} did not tell how the registry is installed there: {why}"))
    };
    match machine.run(&argv, &[], None, PATIENCE).await {
        Ok(finished) => {
            let answer = String::from_utf8_lossy(&finished.stdout);
            query::parse(&answer).map_err(|why| {
                let said = plain(String::from_utf8_lossy(&finished.stderr).trim(), SHOWN);
                strange(&if said.is_empty() { why } else { format!("{why} ({said})") })
            })
        }
        Err(Unrun::Machine(error)) => Err(error),
        Err(Unrun::Program(Unfinished::Late)) => {
            Err(strange(&format!("there was no answer within {}", seconds(PATIENCE))))
        }
        Err(Unrun::Program(Unfinished::Missing)) => {
            let program = argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(strange(&format!("there is no program {program} on this machine")))
        }
        Err(Unrun::Program(Unfinished::Broken(error))) => {
            Err(strange(&format!("the command to ask it with cannot be run: {error}")))
        }
        Err(Unrun::Program(Unfinished::Stopped)) => Err(strange("the question was ended")),
    }
}
