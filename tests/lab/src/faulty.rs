//! A far side that goes wrong where a test says so, and nowhere else: every other request is forwarded to the real one
//! behind it.

mod answer;

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

pub use answer::Answer;

use crate::{Error, Result};

/// Longest head of a request that is read, in bytes.
const HEAD: usize = 64 * 1024;

/// The first byte of a TLS handshake: an engine tries that first, also with a registry on loopback.
const TLS: u8 = 0x16;

/// What happens on a connection after a request came; it is closed after the last step.
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes go out.
    Send(Vec<u8>),
    /// These bytes go out again and again, with a pause after each time, until the client leaves.
    Repeat(Vec<u8>, Duration),
    /// Nothing more happens until the client leaves.
    Hang,
    /// The connection is reset.
    Reset,
}

/// One request, as a fault sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `HEAD`.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// How often the same was asked before since the fault was set.
    pub before: usize,
    lines: Vec<String>,
    upstream: Option<String>,
}

/// Decides what goes wrong: nothing is returned for a request that the real far side shall answer.
type Fault = dyn Fn(&Asked) -> Option<Vec<Step>> + Send + Sync;

/// A server on a free port of 127.0.0.1, gone when dropped.
pub struct Faulty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Option<String>,
    script: Mutex<Script>,
}

struct Script {
    fault: Arc<Fault>,
    seen: Seen,
    ended: bool,
}

/// What came, and what went out, since the fault was set.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections, with or without a request.
    pub connections: usize,
    /// `GET /path`, one for each request.
    pub requests: Vec<String>,
    /// Bytes that the clients' systems took.
    pub sent: u64,
}

impl Faulty {
    /// In front of the far side at `host:port`; faultless so far.
    pub fn before(upstream: impl Into<String>) -> Result<Self> {
        Self::start(Some(upstream.into()), Arc::new(|_: &Asked| None))
    }

    /// With nothing behind it: what the fault does not answer is not found.
    pub fn alone(fault: impl Fn(&Asked) -> Option<Vec<Step>> + Send + Sync + 'static) -> Result<Self> {
        Self::start(None, Arc::new(fault))
    }

    fn start(upstream: Option<String>, fault: Arc<Fault>) -> Result<Self> {
        let failed = || Error::io("listen on a free port of 127.0.0.1");
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let script = Script { fault, seen: Seen::default(), ended: false };
        let shared = Arc::new(Shared { upstream, script: Mutex::new(script) });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.script().ended {
                    break;
                }
                serving.script().seen.connections += 1;
                let shared = Arc::clone(&serving);
                // What fails here shows on the other side.
                thread::spawn(move || shared.serve(stream).unwrap_or_default());
            }
        });
        Ok(Self { address, shared })
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on this goes wrong, in place of what did before; the counts begin anew.
    pub fn set(&self, fault: impl Fn(&Asked) -> Option<Vec<Step>> + Send + Sync + 'static) {
        let mut script = self.shared.script();
        script.fault = Arc::new(fault);
        script.seen = Seen::default();
    }

    /// Nobody listens any more when this returns.
    pub fn close(&self) {
        self.shared.script().ended = true;
        // The first of these wakes the thread that waits for connections.
        while TcpStream::connect(self.address).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What came since.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.script().seen.clone()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let Some(lines) = head(&mut stream)? else {
            return self.send(&mut stream, &Answer::new("400 Bad Request", "").bytes());
        };
        let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let line = format!("{method} {path}");
        let (fault, before) = {
            let mut script = self.script();
            let before = script.seen.requests.iter().filter(|seen| **seen == line).count();
            script.seen.requests.push(line);
            (Arc::clone(&script.fault), before)
        };
        let asked = Asked { method, path, before, lines, upstream: self.upstream.clone() };
        let steps = fault(&asked).unwrap_or_else(|| asked.answered().steps());
        if !matches!(steps.as_slice(), [Step::Reset]) {
            stream.read_exact(&mut [0])?;
        }
        for step in steps {
            match step {
                Step::Send(bytes) => self.send(&mut stream, &bytes)?,
                Step::Repeat(bytes, pause) => loop {
                    self.send(&mut stream, &bytes)?;
                    thread::sleep(pause);
                },
                Step::Hang => while stream.read(&mut [0; 1024])? > 0 {},
                // Closed with a byte unread, the system resets a connection.
                Step::Reset => return Ok(()),
            }
        }
        stream.shutdown(Shutdown::Write)
    }

    fn send(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = stream.write(bytes)?;
            self.script().seen.sent += sent as u64;
            bytes = &bytes[sent..];
        }
        Ok(())
    }
}

impl Asked {
    /// Whether the Docker engine asks, and not the program that is tested.
    #[must_use]
    pub fn by_engine(&self) -> bool {
        self.header("user-agent").is_some_and(|agent| agent.starts_with("docker/"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What the real far side answers; where there is none, or it fails, the status says so.
    #[must_use]
    pub fn answered(&self) -> Answer {
        let Some(upstream) = &self.upstream else { return Answer::new("404 Not Found", "") };
        self.forward(upstream).unwrap_or_else(|error| Answer::new("502 Bad Gateway", error.to_string()))
    }

    fn forward(&self, upstream: &str) -> io::Result<Answer> {
        // In HTTP/1.0 the answer has a length or ends with the connection: nothing needs to be put together.
        let mut request = format!("{} {} HTTP/1.0\r\nhost: {upstream}\r\n", self.method, self.path);
        let hop = ["host", "connection", "accept-encoding"];
        for line in self.lines.iter().skip(1) {
            let name = line.split(':').next().unwrap_or_default();
            if !hop.iter().any(|hop| name.eq_ignore_ascii_case(hop)) {
                request.extend([line, "\r\n"]);
            }
        }
        request.push_str("connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(upstream)?;
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// The lines of a request's head, but for its last byte, which stays unread; nothing where a client speaks TLS.
fn head(stream: &mut TcpStream) -> io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r") {
        stream.read_exact(&mut byte)?;
        if (head.is_empty() && byte == [TLS]) || head.len() == HEAD {
            return Ok(None);
        }
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    Ok(Some(text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    #[test]
    fn what_is_not_to_go_wrong_is_forwarded() {
        let real =
            Faulty::alone(|asked| Some(Answer::new("200 OK", asked.path.clone()).steps())).expect("real");
        let faulty = Faulty::before(real.address()).expect("faulty");
        faulty.set(|asked| (asked.path == "/bad" && asked.before == 0).then(|| vec![Step::Reset]));

        assert!(http::get(&faulty.address(), "/bad").is_err());
        let answer = http::get(&faulty.address(), "/bad").expect("the second time");
        assert_eq!((answer.status, answer.body.as_str()), (200, "/bad"));
        assert_eq!(http::get(&faulty.address(), "/good").expect("an answer").body, "/good");
        assert_eq!(faulty.seen().requests, ["GET /bad", "GET /bad", "GET /good"]);
        assert_eq!(real.seen().requests, ["GET /bad", "GET /good"]);
    }
}
