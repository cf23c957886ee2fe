//! One command to its end: bounded in time and in what is kept of its output. This is the only place where the host
//! starts programs.

mod running;

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

pub use running::Running;

/// Longest output that is kept, in bytes; a resolved Compose project is far smaller.
const OUTPUT: usize = 8 << 20;
/// How much of the end of the error output is kept, in bytes.
const ERRORS: usize = 16 << 10;
/// How long a process group may take to end by itself once it was asked to, before it is ended.
const GRACE: Duration = Duration::from_secs(5);

/// What a command reads.
pub enum Input<'a> {
    /// As it is.
    Is(Stdio),
    /// A text; small, because it is there as a whole.
    Bytes(&'a [u8]),
}

impl Input<'_> {
    /// Nothing at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Is(Stdio::null())
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Whether it says that it worked.
    pub success: bool,
    /// The number that it ended with; none where a signal ended it.
    pub code: Option<i32>,
    /// `ended with 1`, `was ended by signal 9`.
    pub ending: String,
    /// Its output; the beginning, if it was longer than what is kept.
    pub stdout: Vec<u8>,
    /// The end of its error output, in whole lines.
    pub stderr: Vec<u8>,
}

/// Why a command did not end by itself.
#[derive(Debug)]
pub enum Unfinished {
    /// There is no such program.
    Missing,
    /// It was ended at its deadline.
    Late,
    /// It was ended because nobody waits for it any more.
    Stopped,
    /// It could not be started or watched.
    Broken(io::Error),
}

impl From<io::Error> for Unfinished {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Broken(error),
        }
    }
}

/// Runs `argv` with exactly `environment`, in a process group of its own.
pub async fn run(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    input: Stdio,
    within: Duration,
) -> Result<Finished, Unfinished> {
    run_unless(argv, environment, input, within, std::future::pending()).await
}

/// The same, for a command that changes nothing and may be ended as soon as `stopped` is ready.
pub async fn run_unless(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    input: Stdio,
    within: Duration,
    stopped: impl Future<Output = ()>,
) -> Result<Finished, Unfinished> {
    run_fed(argv, environment, Input::Is(input), within, stopped).await
}

/// The same, for a command that is told something.
pub async fn run_fed(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    input: Input<'_>,
    within: Duration,
    stopped: impl Future<Output = ()>,
) -> Result<Finished, Unfinished> {
    let (stdin, bytes) = match input {
        Input::Is(stdin) => (stdin, [].as_slice()),
        Input::Bytes(bytes) => (Stdio::piped(), bytes),
    };
    let mut child = command(argv, environment)?
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = group(&child);
    let fed = feed(child.stdin.take(), bytes);
    let watched = async { tokio::join!(fed, watch(&mut child)).1 };
    let unfinished = tokio::select! {
        biased;
        () = stopped => Unfinished::Stopped,
        finished = timeout(within, watched) => match finished {
            Ok(Ok(finished)) => return Ok(finished),
            Ok(Err(error)) => Unfinished::Broken(error),
            Err(_) => Unfinished::Late,
        },
    };
    stop(&mut child, group).await;
    Err(unfinished)
}

#[expect(clippy::disallowed_methods, reason = "this is where the host runs programs, behind the gate")]
fn command(argv: &[OsString], environment: &[(OsString, OsString)]) -> Result<Command, Unfinished> {
    let (program, arguments) = argv.split_first().ok_or(Unfinished::Missing)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment.iter().cloned());
    Ok(command)
}

fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
}

/// Gives a child its input, and its end. A child that reads no further is no error: how it ends says enough.
async fn feed(stdin: Option<ChildStdin>, bytes: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(bytes).await;
    }
}

async fn watch(child: &mut Child) -> io::Result<Finished> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdout = read(stdout, Keep::Beginning(OUTPUT));
    // All at once: a full pipe would stop the child.
    let (stdout, stderr, status) = tokio::try_join!(stdout, read(stderr, Keep::End(ERRORS)), child.wait())?;
    Ok(Finished { success: status.success(), code: status.code(), ending: ending(status), stdout, stderr })
}

#[derive(Clone, Copy)]
enum Keep {
    Beginning(usize),
    End(usize),
}

async fn read(from: Option<impl AsyncRead + Unpin>, keep: Keep) -> io::Result<Vec<u8>> {
    let Some(mut from) = from else { return Ok(Vec::new()) };
    let (mut kept, mut cut) = (Vec::new(), false);
    while from.read_buf(&mut kept).await? > 0 {
        match keep {
            Keep::Beginning(most) => kept.truncate(most),
            Keep::End(most) => {
                let more = kept.len().saturating_sub(most);
                cut |= more > 0;
                kept.drain(..more);
            }
        }
    }
    // The rest of a line may be the rest of a secret, which nothing would recognise.
    if cut {
        kept.drain(..kept.iter().position(|&byte| byte == b'\n').map_or(kept.len(), |end| end + 1));
    }
    Ok(kept)
}

/// Asks the whole group to end, then ends what is left of it. No error here can be acted upon: it means that there is
/// nothing left to end.
async fn stop(child: &mut Child, group: Option<Pid>) {
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = group.map(|group| kill_process_group(group, signal));
        let _ = timeout(GRACE, child.wait()).await;
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

// Last: what stands before it is looked through for programs that are started elsewhere.
#[cfg(test)]
mod tests;
