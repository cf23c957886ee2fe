//! A program on the other side that is talked to, or that only has to be there: the holder of a lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::arguments;
use super::connection::{Connection, Line, last_words, unstarted};
use super::error::{SshError, Trouble};
use super::heard::Heard;
use super::session::taken;
use crate::backend::live::process::{Finished, Running};

/// It goes on until its input ends, this value is dropped, or the connection is gone: what it gets of all three is the end
/// of its input, so it must be one that ends then.
#[derive(Debug)]
pub struct Program {
    line: Arc<Line>,
    name: String,
    running: Running,
    log: PathBuf,
    heard: Heard,
    listening: Option<JoinHandle<()>>,
}

impl Connection {
    /// Starts `argv` on the other side, under the rules of [`Self::run`]. Whether it is there at all shows at
    /// [`Program::finish`], and by the end of its output.
    ///
    /// # Errors
    /// When it is none that a shell could start, or no `ssh` can be started here.
    pub fn start(&self, argv: &[impl AsRef<str>]) -> Result<Program, SshError> {
        let line = Arc::clone(self.line());
        let (name, command) = line.command(argv)?;
        let log = line.fresh("l");
        let argv = arguments::session(&line.socket(), &log, &command);
        let mut running =
            Running::start(&argv, &line.environment).map_err(|why| line.error(unstarted(&why)))?;
        let heard = Heard::default();
        let listening = running.stderr.take().map(|stderr| {
            let heard = heard.clone();
            tokio::spawn(async move { heard.listen(stderr).await })
        });
        Ok(Program { line, name, running, log, heard, listening })
    }
}

impl Program {
    /// What it reads.
    pub fn stdin(&mut self) -> Option<&mut ChildStdin> {
        self.running.stdin.as_mut()
    }

    /// What it says.
    pub fn stdout(&mut self) -> Option<&mut ChildStdout> {
        self.running.stdout.as_mut()
    }

    /// Waits for its end without asking for it: for a program that must not end by itself.
    pub async fn ended(&self) {
        self.running.ended().await;
    }

    /// Ends its input and waits for its end. The rest of its output is not kept, the end of its error output is.
    ///
    /// # Errors
    /// As for [`Connection::run`].
    pub async fn finish(mut self, within: Duration) -> Result<Finished, SshError> {
        drop(self.running.stdin.take());
        let rest = self.running.stdout.take();
        let discarded = async {
            if let Some(mut rest) = rest {
                // What it says no longer matters, but it must not have to wait for somebody who reads it.
                let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
            }
        };
        let ended = timeout(within, async { tokio::join!(self.running.ended(), discarded).0 }).await;
        let Ok(ended) = ended else {
            if !self.line.stands().await {
                return Err(self.line.dropped());
            }
            return Err(self.line.error(Trouble::Late { program: self.name.clone(), within }));
        };
        last_words(self.listening.take()).await;
        let finished = Finished {
            success: ended.code == Some(0),
            code: ended.code,
            ending: ended.ending,
            stdout: Vec::new(),
            stderr: self.heard.since(0).join("\n").into_bytes(),
        };
        self.line.judged(finished, &self.name, &taken(&self.log)).await
    }
}
