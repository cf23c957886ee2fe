//! `host registry install`: the registry's files, its unit and its container, brought to what the configuration says.
//!
//! Every action may be made again; what fails half-way leaves what was done before it, and the next install goes on from there.
//! So nothing is taken back, and the storage is never written to.

use std::ffi::OsString;
use std::time::Duration;

use super::connections::Connections;
use super::delivery::also;
use super::installation;
use super::machine::{Machine, Unrun};
use super::process::{Finished, Unfinished};
use crate::answer::CallError;
use crate::backend::change::{Change, Unmade};
use crate::config::Installation;
use crate::installation::{Rendered, State};
use crate::progress::{Interrupt, Watcher};
use crate::words::{plain, seconds};

/// Brings files to their places; a POSIX shell with the tools of GNU runs it as root.
const PUT: &str = include_str!("installing/put.sh");
/// Has systemd start or reload the unit.
const BRING: &str = include_str!("installing/bring.sh");
/// Longest that the files may take.
const FILES: Duration = Duration::from_mins(1);
/// Longest that the unit may take: it waits for its image, `TimeoutStartSec` of the unit and a little more.
const UNIT: Duration = Duration::from_secs(330);
/// Longest part of what the machine says that a message repeats, in characters.
const SHOWN: usize = 700;

/// The installation of the configuration, on its machine.
pub struct Installing<'a> {
    to: &'a Connections,
}

impl<'a> Installing<'a> {
    /// Nothing is asked yet.
    pub fn new(to: &'a Connections) -> Self {
        Self { to }
    }

    fn installation(&self) -> &Installation {
        &self.to.config.registry.installation
    }

    fn place(&self) -> String {
        installation::place(&self.to.config.registry)
    }

    async fn machine(&self) -> Result<Machine, CallError> {
        self.to.channels.machine(self.to.config.registry.via.as_ref()).await
    }

    /// A script as root; what it printed.
    async fn root(
        &self,
        script: &str,
        arguments: Vec<String>,
        within: Duration,
        stopped: impl Future<Output = ()>,
    ) -> Result<Vec<String>, Failed> {
        let machine = self.machine().await.map_err(Failed::before)?;
        let shell = ["sh", "-c", script, "sh"].map(str::to_owned);
        let argv: Vec<OsString> = installation::rights(self.installation())
            .chain(shell)
            .chain(arguments)
            .map(OsString::from)
            .collect();
        let finished = match machine.run_unless(&argv, &[], None, within, stopped).await {
            Ok(finished) => finished,
            Err(Unrun::Machine(error)) => return Err(Failed { error, done: None }),
            Err(Unrun::Program(unfinished)) => return Err(self.unfinished(unfinished, within)),
        };
        let said = String::from_utf8_lossy(&finished.stdout).into_owned();
        let mut lines = said.lines().map(str::to_owned);
        let begun = lines.next().is_some();
        let mut done: Vec<String> = lines.collect();
        if finished.success && done.last().is_some_and(|line| line == "end") {
            done.pop();
            return Ok(done);
        }
        Err(self.refused(&finished, begun.then_some(done)))
    }

    fn unfinished(&self, unfinished: Unfinished, within: Duration) -> Failed {
        let place = self.place();
        let told = |what: String| Failed { error: CallError::Unavailable(what), done: None };
        match unfinished {
            Unfinished::Late => told(format!(
                "{place} did not come to an end within {}: see what it is doing",
                seconds(within)
            )),
            Unfinished::Stopped => told(format!(
                "nobody waits for {place} any more: systemd goes on there, and `host registry status` tells how far it came"
            )),
            Unfinished::Missing => {
                let program = self.installation().sudo.first().map_or("sh", String::as_str);
                Failed::before(installation::rootless(&place, &format!("there is no program {program}")))
            }
            Unfinished::Broken(error) => {
                Failed::before(CallError::Other(format!("the install cannot be run: {error}")))
            }
        }
    }

    /// Of a script that ended early: before its first line it was never begun.
    fn refused(&self, finished: &Finished, done: Option<Vec<String>>) -> Failed {
        let place = self.place();
        let said = plain(String::from_utf8_lossy(&finished.stderr).trim(), SHOWN);
        let why = if said.is_empty() { format!("it {}", finished.ending) } else { said };
        match done {
            None => Failed::before(installation::rootless(&place, &why)),
            done => Failed { error: CallError::Other(format!("{place}: {why}")), done },
        }
    }
}

impl Change for Installing<'_> {
    type State = State;

    async fn probe(&self) -> Result<State, CallError> {
        let observed = installation::observe_for_install(self.to, self.machine().await?).await?;
        State::found(self.installation(), &observed).map_err(CallError::Mismatch)
    }

    fn desired(&self, _: &State) -> State {
        State::wanted(self.installation())
    }

    async fn apply(
        &self,
        before: &State,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<State, Unmade> {
        let installation = self.installation();
        let rendered = Rendered::new(installation);
        let word = |wanted: bool, word: &str| if wanted { word.to_owned() } else { String::new() };
        let mut arguments = vec![
            installation.unit.clone(),
            word(!before.storage, &installation.storage.display().to_string()),
            word(before.must_be_read(&rendered), "read"),
            word(!before.enabled, "enable"),
        ];
        for (file, found) in before.unlike(&rendered) {
            let sum = found.sha256.clone().unwrap_or_else(|| "none".to_owned());
            arguments.extend([file.path.display().to_string(), sum, file.content.clone()]);
        }
        let put = arguments[1..].iter().any(|word| !word.is_empty());
        let mut done = Vec::new();
        if put {
            watcher.note("writing files");
            done = self
                .root(PUT, arguments, FILES, std::future::pending())
                .await
                .map_err(|failed| failed.after(Vec::new()))?;
        }
        if let Some(verb) = before.must_be_brought(&rendered) {
            let word = verb.systemctl();
            watcher.note(&format!("systemctl {word} {}", installation.unit));
            let arguments = vec![word.to_owned(), installation.unit.clone()];
            let brought = self.root(BRING, arguments, UNIT, interrupt.raised()).await;
            brought.map_err(|failed| failed.after(done))?;
        }
        self.probe().await.map_err(|error| Unmade { error, left: true })
    }

    async fn undo(&self, _: &State, _: Option<&State>, _: &dyn Watcher) -> Result<(), CallError> {
        Err(CallError::Invalid(
            "an install is not taken back: change the configuration back, and install again".to_owned(),
        ))
    }
}

/// Why a script did not come to its end.
struct Failed {
    error: CallError,
    /// What it had done by then; nothing where that is not known.
    done: Option<Vec<String>>,
}

impl Failed {
    /// Nothing was done.
    fn before(error: CallError) -> Self {
        Self { error, done: Some(Vec::new()) }
    }

    /// The same, after what earlier scripts had done.
    fn after(self, mut earlier: Vec<String>) -> Unmade {
        let Self { error, done } = self;
        let Some(done) = done else {
            let what = "how far it came is not known; install again, it goes on from there";
            return Unmade { error: also(error, what), left: true };
        };
        earlier.extend(done);
        if earlier.is_empty() {
            return error.into();
        }
        let what = format!("done before that: {}; install again, it goes on from there", earlier.join(", "));
        Unmade { error: also(error, &what), left: true }
    }
}
