//! A program that runs beside others until it is ended.

use std::ffi::OsString;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::watch;

use super::{Unfinished, command, ending, group};

/// How a child ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The number that it ended with; none where a signal ended it.
    pub code: Option<i32>,
    /// `ended with 1`, `was ended by signal 9`.
    pub ending: String,
}

/// A child with pipes for all that it reads and says, in a process group of its own. The group is asked to end when this
/// value is dropped. Should this process be killed, its end of the pipes closes: that must be enough for the child to end.
#[derive(Debug)]
pub struct Running {
    /// Its end is the end of the child's input.
    pub stdin: Option<ChildStdin>,
    /// To be read, or dropped.
    pub stdout: Option<ChildStdout>,
    /// To be read, or dropped.
    pub stderr: Option<ChildStderr>,
    group: Option<Pid>,
    ended: watch::Receiver<Option<Ended>>,
}

impl Running {
    /// Starts `argv` with exactly `environment`.
    pub fn start(argv: &[OsString], environment: &[(OsString, OsString)]) -> Result<Self, Unfinished> {
        let mut child = command(argv, environment)?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let group = group(&child);
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move {
            let how = how(child).await;
            sender.send_replace(Some(how));
        });
        Ok(Self { stdin, stdout, stderr, group, ended })
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await;
        how.ok()
            .and_then(|how| how.clone())
            .unwrap_or_else(|| Ended { code: None, ending: "ended unseen".to_owned() })
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some() || self.ended.has_changed().is_err()
    }

    /// Sends a signal to all that is left of its group.
    pub fn signal(&self, signal: Signal) {
        // Once it was waited for, its number may be somebody else's.
        if !self.has_ended() {
            // An error means that there is nothing left to end.
            let _ = self.group.map(|group| kill_process_group(group, signal));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
    }
}

async fn how(mut child: Child) -> Ended {
    match child.wait().await {
        Ok(status) => Ended { code: status.code(), ending: ending(status) },
        Err(error) => Ended { code: None, ending: format!("cannot be watched: {error}") },
    }
}
