//! One command on the other side.

use std::fs;
use std::time::Duration;

use super::connection::{Connection, unstarted};
use super::error::{SshError, Trouble};
use super::heard::{last, shown};
use super::{arguments, quote};
use crate::backend::live::process::{self, Finished, Input, Output, Unfinished};

/// How `ssh` itself ends when it failed; a command may end with it too.
const FAILED: i32 = 255;
/// How a shell ends that did not find the program.
const NOT_FOUND: i32 = 127;

impl Connection {
    /// Runs `argv` on the other side to its end. Its login shell must be a POSIX one, and gives the command its own
    /// environment: nothing of this machine's goes there.
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
        self.run_into(argv, input, Output::Kept, within).await
    }

    /// The same with an output that may be as large as it likes.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub async fn run_into(
        &self,
        argv: &[impl AsRef<str>],
        input: Input<'_>,
        output: Output<'_>,
        within: Duration,
    ) -> Result<Finished, SshError> {
        let line = self.line();
        let command = quote::command(argv).map_err(|why| {
            let what = argv.first().map_or_else(|| "a command".to_owned(), |name| shown(name.as_ref()));
            line.error(Trouble::Invalid { what, why })
        })?;
        let program = shown(argv.first().map_or("", AsRef::as_ref));
        let log = line.fresh("l");
        let argv = arguments::session(&line.socket(), &log, &command);
        let never = std::future::pending();
        let finished = process::run_between(&argv, &line.environment, input, output, within, never).await;
        let said: Vec<String> =
            fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
        // It goes with the folder at the latest.
        let _ = fs::remove_file(&log);
        let finished = match finished {
            Ok(finished) => finished,
            Err(Unfinished::Late) if self.stands().await => {
                return Err(line.error(Trouble::Late { program, within }));
            }
            Err(Unfinished::Late) => return Err(line.dropped()),
            Err(Unfinished::Broken(error)) => {
                let why = format!("its input or output broke off: {error}");
                return Err(line.error(Trouble::Invalid { what: program, why }));
            }
            Err(why) => return Err(line.error(unstarted(&why))),
        };
        match finished.code {
            Some(FAILED) => self.failed(finished, &said).await,
            Some(NOT_FOUND) => match missing(&finished, &program) {
                Some(said) => Err(line.error(Trouble::CommandMissing { program, said })),
                None => Ok(finished),
            },
            Some(_) => Ok(finished),
            None if self.stands().await => {
                Err(line.error(Trouble::Other(format!("its session for {program} {}", finished.ending))))
            }
            None => Err(line.dropped()),
        }
    }

    /// Whether 255 is the command's own, or that of an `ssh` that lost the connection or was refused a session.
    async fn failed(&self, finished: Finished, said: &[String]) -> Result<Finished, SshError> {
        let line = self.line();
        if !self.stands().await {
            return Err(line.dropped());
        }
        if let Some(refused) = said.iter().find(|line| line.contains("open refused by peer")) {
            return Err(line.error(Trouble::TooManySessions { said: shown(refused) }));
        }
        match last(said) {
            Some(said) => Err(line.error(Trouble::Other(said))),
            None => Ok(finished),
        }
    }
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
