//! A Docker engine that goes wrong on request: a socket in front of the real one that passes everything on, but for what
//! a test wants to fail.
//!
//! One request per connection: that is all of HTTP it has to understand.

use std::{
    fs,
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::{Docker, Error, Result};

/// Longest head of a request or an answer; Docker's have less than one kibibyte.
const HEAD: usize = 64 * 1024;

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine answers.
    None,
    /// The engine answers after this time.
    Late(Duration),
    /// Nobody answers, and the engine is never asked; the connection stays open.
    Silence,
    /// The connection is closed at once.
    Closed,
    /// The engine does it, and the connection is closed after so many bytes of its answer.
    Cut(usize),
    /// These bytes are the whole answer.
    Answer(Vec<u8>),
    /// The first bytes once, then the second again and again with a pause after each time, until the client leaves.
    Endless(Vec<u8>, Vec<u8>, Duration),
    /// The engine's answer with one text in it replaced by another of the same length.
    Replaced(String, String),
    /// This request and all others that are under way end in the middle, and nobody listens any more for this time, or
    /// until [`FaultyDocker::revive`].
    Death(Duration),
}

type Rule = Box<dyn FnMut(&str) -> Fault + Send>;

/// The engine's stand-in, gone when dropped.
pub struct FaultyDocker {
    shared: Arc<Shared>,
}

struct Shared {
    real: PathBuf,
    socket: PathBuf,
    state: Mutex<State>,
}

struct State {
    rule: Rule,
    dead: bool,
    /// Dropped: it never comes back.
    gone: bool,
    under_way: Vec<UnixStream>,
    requests: Vec<String>,
}

impl FaultyDocker {
    /// Listens on `socket` in front of the engine that `docker` reaches.
    pub fn start(docker: &Docker, socket: &Path) -> Result<Self> {
        let endpoint = docker.endpoint()?;
        let real = endpoint
            .strip_prefix("unix://")
            .ok_or_else(|| Error::unexpected("the engine's address", format!("{endpoint} is no socket")))?;
        let state =
            State { rule: no_fault(), dead: true, gone: false, under_way: Vec::new(), requests: Vec::new() };
        let shared = Shared { real: real.into(), socket: socket.to_owned(), state: Mutex::new(state) };
        let faulty = Self { shared: Arc::new(shared) };
        faulty.revive()?;
        Ok(faulty)
    }

    /// The address for `host.toml`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.shared.socket.display())
    }

    /// From now on `rule` says what becomes of each request; it sees the head: `GET /v1.51/info HTTP/1.1` and so on.
    /// What was asked before is forgotten.
    pub fn fault(&self, rule: impl FnMut(&str) -> Fault + Send + 'static) {
        let mut state = self.shared.state();
        state.rule = Box::new(rule);
        state.requests.clear();
        state.under_way.clear();
    }

    /// From now on everything works.
    pub fn mend(&self) -> Result<()> {
        self.fault(|_| Fault::None);
        self.revive()
    }

    /// Listens again after [`Fault::Death`].
    pub fn revive(&self) -> Result<()> {
        self.shared.live().map_err(Error::io(format!("listen on {}", self.shared.socket.display())))
    }

    /// The first lines of all requests since the present rule came, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

impl Drop for FaultyDocker {
    fn drop(&mut self) {
        self.shared.state().gone = true;
        self.shared.die();
    }
}

fn no_fault() -> Rule {
    Box::new(|_| Fault::None)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state();
        if !state.dead || state.gone {
            return Ok(());
        }
        let listener = UnixListener::bind(&self.socket)?;
        state.dead = false;
        let shared = Arc::clone(self);
        thread::spawn(move || shared.serve(&listener));
        Ok(())
    }

    fn serve(self: Arc<Self>, listener: &UnixListener) {
        for client in listener.incoming() {
            if self.state().dead {
                return;
            }
            let Ok(client) = client else { continue };
            let shared = Arc::clone(&self);
            // A client that goes away early is its own business: the next one is served all the same.
            thread::spawn(move || shared.answer(client).ok());
        }
    }

    fn answer(self: &Arc<Self>, mut client: UnixStream) -> io::Result<()> {
        let head = head_of(&mut client)?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let fault = {
            let mut state = self.state();
            state.requests.push(text.lines().next().unwrap_or_default().to_owned());
            state.under_way.push(client.try_clone()?);
            (state.rule)(&text)
        };
        match fault {
            Fault::None => self.pass_on(&head, client, |answer, client| io::copy(answer, client).map(drop)),
            Fault::Late(pause) => {
                thread::sleep(pause);
                self.pass_on(&head, client, |answer, client| io::copy(answer, client).map(drop))
            }
            Fault::Silence => wait_for_end(&mut client),
            Fault::Closed => client.shutdown(Shutdown::Both),
            Fault::Cut(bytes) => self.pass_on(&head, client, |answer, client| {
                let whole = all_of(answer)?;
                client.write_all(&whole[..whole.len().min(bytes)])
            }),
            Fault::Answer(answer) => client.write_all(&answer).and_then(|()| client.shutdown(Shutdown::Both)),
            Fault::Endless(first, again, pause) => {
                client.write_all(&first)?;
                loop {
                    client.write_all(&again)?;
                    thread::sleep(pause);
                }
            }
            Fault::Replaced(this, by) => self.pass_on(&head, client, |answer, client| {
                let whole = String::from_utf8_lossy(&all_of(answer)?).replace(&this, &by);
                client.write_all(whole.as_bytes())
            }),
            Fault::Death(pause) => {
                self.die();
                thread::sleep(pause);
                self.live()
            }
        }
    }

    /// Asks the engine, lets `relay` hand its answer over, and ends the connection.
    fn pass_on(
        &self,
        head: &[u8],
        mut client: UnixStream,
        relay: impl FnOnce(&mut UnixStream, &mut UnixStream) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut engine = UnixStream::connect(&self.real)?;
        engine.write_all(&last_of_its_connection(head))?;
        let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
        // What follows the head; it ends with the client's connection.
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        });
        let relayed = relay(&mut engine, &mut client);
        client.shutdown(Shutdown::Both).ok();
        engine.shutdown(Shutdown::Both).ok();
        relayed
    }

    fn die(&self) {
        let streams = {
            let mut state = self.state();
            state.dead = true;
            std::mem::take(&mut state.under_way)
        };
        // Wakes the listener, which then sees that it is over.
        UnixStream::connect(&self.socket).ok();
        fs::remove_file(&self.socket).ok();
        for stream in streams {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

/// The head with `connection: close` in the place of what it says of its connection; an upgrade stays one.
fn last_of_its_connection(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    if text.to_ascii_lowercase().contains("\r\nupgrade:") {
        return head.to_vec();
    }
    let mut lines: Vec<&str> = text.trim_end().split("\r\n").collect();
    lines.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    lines.push("Connection: close\r\n\r\n");
    lines.join("\r\n").into_bytes()
}

fn head_of(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
        if head.len() > HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

fn all_of(answer: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    answer.read_to_end(&mut whole).map(|_| whole)
}

fn wait_for_end(client: &mut UnixStream) -> io::Result<()> {
    io::copy(client, &mut io::sink()).map(drop)
}
