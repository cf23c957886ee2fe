//! The connection itself: a master that holds it, and what everything that goes through it needs to know.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::arguments::{self, BEHIND_SOCKET, READY};
use super::error::{Place, SshError, Trouble};
use super::folder::{Folder, Left};
use super::heard::{Heard, last};
use super::said;
use crate::backend::live::process::{self, Finished, Running, Unfinished};
use crate::config::{Limits, SshHost};
use crate::names::ConfigName;

/// How long a question to the master on this machine may take.
const CONTROL: Duration = Duration::from_secs(5);
/// How long the rest of what a master said may take to come in once it has ended: something that it started may keep its
/// output open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How many commands run at the same time: servers refuse the eleventh (`MaxSessions`), and the lock of a deploy
/// and the transfers of its image have sessions, too.
const SESSIONS: usize = 6;
/// How long a master may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// Longest greeting of a login shell before the connection is told to stand, in bytes.
const GREETING: u64 = 64 << 10;

/// One connection to a machine. All commands and forwards go through it; it ends when this value is gone, and with it all
/// of them.
#[derive(Debug)]
pub struct Connection {
    line: Arc<Line>,
    guard: Option<Running>,
}

/// What goes through a connection shares this.
#[derive(Debug)]
pub(super) struct Line {
    pub place: Place,
    pub environment: Vec<(OsString, OsString)>,
    pub heard: Heard,
    folder: Folder,
    master: Running,
    /// How many logs and sockets were named.
    names: AtomicUsize,
    /// For each command that may run now.
    pub(super) sessions: Semaphore,
    /// Whether it is about to end.
    pub(super) ending: AtomicBool,
}

impl Connection {
    /// Connects to `host`, which is `[ssh.<name>]`, and comes back when commands can be run there.
    ///
    /// # Errors
    /// Why there is no connection, after `limits.ssh-connect-seconds` at the latest.
    pub async fn connect(name: &ConfigName, host: &SshHost, limits: &Limits) -> Result<Self, SshError> {
        let place = Place::new(name, host);
        let environment = arguments::environment();
        remove_left(&environment).await;
        let folder = Folder::make().map_err(|why| SshError::new(&place, Trouble::Folder(why)))?;
        let socket = folder.socket();
        let start = |argv: &[OsString]| {
            Running::start(argv, &environment).map_err(|why| SshError::new(&place, unstarted(&why)))
        };
        let guard = guard(&socket, &environment).await;
        let mut master = start(&arguments::master(host, &socket, limits.ssh_connect_seconds))?;

        let heard = Heard::default();
        let listening = master.stderr.take().map(|stderr| {
            let heard = heard.clone();
            tokio::spawn(async move { heard.listen(stderr).await })
        });
        let within = Duration::from_secs(limits.ssh_connect_seconds.max(1));
        let stdout = master.stdout.take();
        let trouble = tokio::select! {
            biased;
            () = ready(stdout) => None,
            _ = master.ended() => {
                last_words(listening).await;
                Some(said::unconnected(&heard.since(0)))
            }
            // What `ssh` says about its own deadline is better.
            () = tokio::time::sleep(within + Duration::from_millis(500)) => {
                let said = last(&heard.since(0)).map(|said| format!(" ({said})")).unwrap_or_default();
                Some(Trouble::Slow { within, said })
            }
        };
        let names = AtomicUsize::new(0);
        let ending = AtomicBool::new(false);
        let sessions = Semaphore::new(SESSIONS);
        let line = Arc::new(Line { place, environment, heard, folder, master, names, sessions, ending });
        let connection = Self { line, guard };
        match trouble {
            None => {
                tracing::debug!(place = %connection.line.place, "connected over SSH");
                Ok(connection)
            }
            Some(trouble) => {
                let error = connection.line.error(trouble);
                connection.close().await;
                Err(error)
            }
        }
    }

    /// Whether it still stands, as far as is known: a dead line shows only after some seconds.
    pub async fn stands(&self) -> bool {
        self.line.stands().await
    }

    /// Waits until the connection is lost; gives why.
    pub async fn lost(&self) -> SshError {
        self.line.master.ended().await;
        self.line.dropped()
    }

    /// It is about to end: forwards need not be closed one by one, for they end with it.
    pub fn ends(&self) {
        self.line.ending.store(true, Ordering::Relaxed);
    }

    /// The key that the other side proved to have: type and fingerprint, as `ssh` shows them.
    #[must_use]
    pub fn host_key(&self) -> Option<String> {
        self.line.heard.host_key()
    }

    /// How many lines its master has said so far.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.line.heard.count()
    }

    /// Ends it, and with it all that still goes through it, and waits until nothing of it is left here.
    pub async fn close(self) {
        let line = Arc::clone(&self.line);
        drop(self);
        if timeout(GRACE, line.master.ended()).await.is_err() {
            line.master.signal(Signal::KILL);
            // Nothing more can be done: the process belongs to the kernel now.
            let _ = timeout(GRACE, line.master.ended()).await;
        }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It has nothing left to do.
        if let Some(guard) = &self.guard {
            guard.signal(Signal::KILL);
        }
        // On this it removes its socket and ends what it started.
        self.line.master.signal(Signal::TERM);
    }
}

impl Line {
    pub fn socket(&self) -> PathBuf {
        self.folder.socket()
    }

    /// A name in the private folder that nothing has yet: `<kind><number>`.
    pub fn fresh(&self, kind: &str) -> PathBuf {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("{kind}{number}"))
    }

    pub fn error(&self, trouble: Trouble) -> SshError {
        SshError::new(&self.place, trouble)
    }

    /// Asks the master on this machine.
    pub async fn control(&self, verb: &[&str]) -> Result<Finished, SshError> {
        let argv = arguments::control(&self.socket(), verb);
        process::run(&argv, &self.environment, Stdio::null(), CONTROL)
            .await
            .map_err(|why| self.error(unstarted(&why)))
    }

    pub async fn stands(&self) -> bool {
        // The second look is for a master that is just ending.
        !self.master.has_ended()
            && self.control(&["check"]).await.is_ok_and(|answer| answer.success)
            && !self.master.has_ended()
    }

    pub fn dropped(&self) -> SshError {
        let said = last(&self.heard.since(0)).unwrap_or_else(|| "ssh ended and said nothing".to_owned());
        self.error(Trouble::Dropped { said })
    }
}

/// Why an `ssh` on this machine did not end by itself.
pub(super) fn unstarted(why: &Unfinished) -> Trouble {
    match why {
        Unfinished::Missing => Trouble::ProgramMissing,
        Unfinished::Late => Trouble::Other("its master on this machine does not answer".to_owned()),
        Unfinished::Stopped => Trouble::Other("it was ended".to_owned()),
        Unfinished::Broken(error) => Trouble::Other(format!("it cannot be run: {error}")),
    }
}

/// Comes back once the other side says that the connection stands; never if it does not. What comes later is not kept.
async fn ready(stdout: Option<impl AsyncRead + Send + Unpin + 'static>) {
    if let Some(stdout) = stdout {
        let mut lines = BufReader::new(stdout.take(GREETING)).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            if line.trim_ascii_end().ends_with(READY.as_bytes()) {
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}

/// Starts the guard. Without it, where there is no `xargs`, the master of a killed run ends when the last transfer through
/// it does, or when the next connection is made.
async fn guard(socket: &Path, environment: &[(OsString, OsString)]) -> Option<Running> {
    let mut guard = Running::start(&arguments::guard(socket), environment).ok()?;
    guard.stdin.as_mut()?.write_all(BEHIND_SOCKET.as_bytes()).await.ok()?;
    Some(guard)
}

pub(super) async fn last_words(listening: Option<JoinHandle<()>>) {
    if let Some(listening) = listening {
        // Whatever came in until then has to do.
        let _ = timeout(LAST_WORDS, listening).await;
    }
}

/// Ends and removes what killed runs left.
async fn remove_left(environment: &[(OsString, OsString)]) {
    for left in Left::all() {
        if let Some(socket) = left.socket() {
            tracing::debug!(socket = %socket.display(), "ending the connection of a run that is no more");
            let argv = arguments::control(&socket, &["exit"]);
            // An error means that nothing listens there any more.
            let _ = process::run(&argv, environment, Stdio::null(), CONTROL).await;
        }
        left.remove();
    }
}
