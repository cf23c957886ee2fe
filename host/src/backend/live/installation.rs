//! The registry's machine, asked how the registry is installed there.

use std::ffi::OsString;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connections::Connections;
use super::machine::{Machine, Unrun};
use super::process::Unfinished;
use super::ssh::quote;
use crate::answer::CallError;
use crate::config::{Installation, RegistryConfig};
use crate::installation::query::{self, Depth};
use crate::installation::{Observed, Standing, Verdict};
use crate::progress::{Interrupt, Watcher};
use crate::words::{plain, seconds};

/// Longest that the whole question may take there; each part of it has a deadline of its own.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often an installation that has just begun is looked at.
const AGAIN: Duration = Duration::from_millis(300);
/// Most of a managed file that is compared line by line, in bytes; what is rendered is far smaller.
const COMPARED: usize = 64 << 10;
/// Longest part of what the other machine says that a message repeats, in characters.
const SHOWN: usize = 200;

/// The registry's machine, for a message.
pub fn place(registry: &RegistryConfig) -> String {
    registry.via.as_ref().map_or_else(|| "this machine".to_owned(), ToString::to_string)
}

/// The words before a command that needs the rights of root.
pub fn rights(installation: &Installation) -> impl Iterator<Item = String> {
    installation.sudo.iter().cloned()
}

/// Of a command that never began, because it would have needed those rights.
pub fn rootless(place: &str, why: &str) -> CallError {
    CallError::Invalid(format!(
        "the rights of root cannot be had on {place}: {why}; give the user that logs in there `sudo` without a password, or say \
         under [registry.installation] in host.toml what `sudo` is instead ([] for a login as root)"
    ))
}

/// Asks, in one round trip; as `evidence` nothing more is asked where none of its files is there.
///
/// # Errors
/// As for `Channels::machine`; `Unavailable` for an answer that does not come or is none.
pub async fn observe(to: &Connections, evidence: bool) -> Result<Observed, CallError> {
    let registry = &to.config.registry;
    let words = question(registry, if evidence { Depth::Evidence } else { Depth::All });
    let gateway = registry.via.as_ref().and_then(|via| to.config.gateways.get(via));
    let (machine, argv) = match gateway {
        // It takes one text, like ssh.
        Some(gateway) => {
            let text = quote::command(&words).map_err(CallError::Invalid)?;
            (Machine::Here, gateway.iter().cloned().chain([text]).collect())
        }
        None => (to.channels.machine(registry.via.as_ref()).await?, words),
    };
    asked(&machine, argv, &place(registry), false).await
}

/// The same with the rights of root, and with what is in managed files.
///
/// # Errors
/// As for [`observe`]; `Invalid` where those rights cannot be had.
pub async fn observe_for_install(to: &Connections, machine: Machine) -> Result<Observed, CallError> {
    let registry = &to.config.registry;
    let words = rights(&registry.installation).chain(question(registry, Depth::Files(COMPARED))).collect();
    asked(&machine, words, &place(registry), true).await
}

/// Asks until all is well, or the time is up; gives what was found last.
///
/// # Errors
/// As for [`observe`].
pub async fn settled(
    to: &Connections,
    within: Duration,
    watcher: &dyn Watcher,
    interrupt: &Interrupt,
) -> Result<Observed, CallError> {
    let until = Instant::now() + within;
    loop {
        let observed = observe(to, false).await?;
        let standing = Standing::of(&to.config.registry.installation, &observed);
        let over = Instant::now() + AGAIN >= until || interrupt.is_raised();
        if over || standing.verdict == Verdict::Healthy {
            return Ok(observed);
        }
        if let Some(check) = standing.checks.iter().find(|check| !check.ok) {
            watcher.note(&check.evidence);
        }
        sleep(AGAIN).await;
    }
}

fn question(registry: &RegistryConfig, depth: Depth) -> Vec<String> {
    let arguments = query::arguments(&registry.installation, &registry.url.to_string(), depth);
    let shell = ["sh", "-c", query::SCRIPT, "sh"].map(str::to_owned);
    shell.into_iter().chain(arguments).collect()
}

async fn asked(
    machine: &Machine,
    argv: Vec<String>,
    place: &str,
    as_root: bool,
) -> Result<Observed, CallError> {
    let argv: Vec<OsString> = argv.into_iter().map(OsString::from).collect();
    let strange = |why: &str| {
        CallError::Unavailable(format!("{place} did not tell how the registry is installed there: {why}"))
    };
    match machine.run(&argv, &[], None, PATIENCE).await {
        Ok(finished) => {
            let answer = String::from_utf8_lossy(&finished.stdout);
            let said = plain(String::from_utf8_lossy(&finished.stderr).trim(), SHOWN);
            // A command that is refused its rights says why, and nothing else.
            if as_root && answer.is_empty() && !said.is_empty() {
                return Err(rootless(place, &said));
            }
            query::parse(&answer)
                .map_err(|why| strange(&if said.is_empty() { why } else { format!("{why} ({said})") }))
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
