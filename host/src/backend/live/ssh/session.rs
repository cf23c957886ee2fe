//! One command on the other side.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::connection::{Connection, Line, unstarted};
use super::error::{SshError, Trouble};
use super::heard::{last, shown};
use super::{arguments, quote};
use crate::backend::live::process::{self, Finished, Input, Unfinished};

/// How `ssh` itself ends when it failed; a command may end with it too.
const FAILED: i32 = 255;
/// How a shell ends that did not find the program.
const NOT_FOUND: i32 = 127;

impl Connection {
    /// Runs `argv` on the other side to its end. Its login shell must be a POSIX one, and gives the command its own
    /// environment: nothing of this machine's goes there.
    ///
    /// Should the connection be lost, the command sees the end of its input all the same: what it
    /// reads must say by itself whether it is whole.
    ///
    /// A command that a signal ended there is told as one that ended with 255, because `ssh` does.
    ///
    /// # Errors
    /// Whatever kept the command from being run to its end. A command that ran and failed is no error.
    pub async fn run(
        &self,
        argv: &[impl AsRef<str>],
        input: Input<'_>,
        within: Duration,
    ) -> Result<Finished, SshError> {
        self.run_unless(argv, input, within, std::future::pending()).await
    }

    /// The same, for a command that may be ended as soon as `stopped` is ready: its output is closed then, and whatever
    /// still writes to it ends.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub async fn run_unless(
        &self,
        argv: &[impl AsRef<str>],
        input: Input<'_>,
        within: Duration,
        stopped: impl Future<Output = ()>,
    ) -> Result<Finished, SshError> {
        let line = self.line();
        let (program, command) = line.command(argv)?;
        // It is never closed.
        let _session = line.sessions.acquire().await;
        let log = line.fresh("l");
        let argv = arguments::session(&line.socket(), &log, &command);
        let finished = process::run_fed(&argv, &line.environment, input, within, stopped).await;
        let said = taken(&log);
        let finished = match finished {
            Ok(finished) => finished,
            Err(Unfinished::Late) if self.stands().await => {
                return Err(line.error(Trouble::Late { program, within }));
            }
            Err(Unfinished::Late) => return Err(line.dropped()),
            Err(why) => return Err(line.error(unstarted(&why))),
        };
        line.judged(finished, &program, &said).await
    }
}

impl Line {
    /// The program's name for messages, and the text that makes the other side run it.
    pub(super) fn command(&self, argv: &[impl AsRef<str>]) -> Result<(String, String), SshError> {
        let program = argv.first().map_or_else(|| "a command".to_owned(), |name| shown(name.as_ref()));
        match quote::command(argv) {
            Ok(command) => Ok((program, command)),
            Err(why) => Err(self.error(Trouble::Invalid { what: program, why })),
        }
    }

    /// What the end of a session means; `said` is what `ssh` itself said.
    pub(super) async fn judged(
        &self,
        finished: Finished,
        program: &str,
        said: &[String],
    ) -> Result<Finished, SshError> {
        match finished.code {
            Some(FAILED) => self.failed(finished, said).await,
            Some(NOT_FOUND) => match missing(&finished, program) {
                Some(said) => Err(self.error(Trouble::CommandMissing { program: program.to_owned(), said })),
                None => Ok(finished),
            },
            Some(_) => Ok(finished),
            None if self.stands().await => {
                Err(self.error(Trouble::Other(format!("its session for {program} {}", finished.ending))))
            }
            None => Err(self.dropped()),
        }
    }

    /// Whether 255 is the command's own, or that of an `ssh` that lost the connection or was refused a session.
    async fn failed(&self, finished: Finished, said: &[String]) -> Result<Finished, SshError> {
        if !self.stands().await {
            return Err(self.dropped());
        }
        if let Some(refused) = said.iter().find(|line| line.contains("open refused by peer")) {
            return Err(self.error(Trouble::TooManySessions { said: shown(refused) }));
        }
        match last(said) {
            Some(said) => Err(self.error(Trouble::Other(said))),
            None => Ok(finished),
        }
    }
}

/// The lines of a log, which is removed.
pub(super) fn taken(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    // It goes with the folder at the latest.
    let _ = fs::remove_file(log);
    text.lines().map(str::to_owned).collect()
}

/// What the shell says of a program that it does not have. A program may end with 127 for reasons of its own.
fn missing(finished: &Finished, program: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&finished.stderr);
    let missing = ["not found", "No such file or directory", "Unknown command"];
    text.lines()
        .find(|line| line.contains(program) && missing.iter().any(|word| line.contains(word)))
        .map(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stderr: &str) -> Option<String> {
        let stderr = stderr.as_bytes().to_vec();
        let ending = "ended with 127".to_owned();
        let finished = Finished { success: false, code: Some(127), ending, stdout: Vec::new(), stderr };
        missing(&finished, "docker")
    }

    #[test]
    fn a_missing_program_is_known_by_the_words_of_the_shell() {
        for said in [
            "bash: line 1: exec: docker: not found\n",
            "sh: 1: exec: docker: not found\n",
            "sh: exec: line 1: docker: not found\n",
            "zsh:1: command not found: docker\n",
            "bash: /usr/bin/docker: No such file or directory\n",
        ] {
            assert_eq!(told(said).as_deref(), Some(said.trim_end()));
        }
        assert_eq!(told("docker: Error response from daemon\n"), None);
        assert_eq!(told(""), None);
    }
}
