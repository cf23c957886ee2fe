//! A server made by hand, byte by byte: it can be wrong in every way in which a real one is not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What happens on a connection after the request came.
#[derive(Debug, Clone)]
pub enum Step {
    /// These bytes go out.
    Send(Vec<u8>),
    /// These bytes go out again and again, with a pause after each time, until the client leaves.
    Repeat(Vec<u8>, Duration),
    /// Nothing happens any more; the connection stays open.
    Hang,
}

/// The steps of one answer; the connection is closed after the last one.
pub type Reply = Vec<Step>;

/// A whole answer with a length.
pub fn answer(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut bytes = head(status, headers);
    // In front of the empty line that ends the headers.
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// Status line and headers only.
pub fn head(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A server on a free loopback port, gone when dropped.
pub struct RawServer {
    /// `127.0.0.1:PORT`.
    pub authority: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl RawServer {
    /// Answers every request with what `reply` makes of its head and of the number of requests before it.
    pub async fn start(reply: impl Fn(&str, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let authority = listener.local_addr().expect("bound").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = request_head(&mut stream).await else { continue };
                let steps = {
                    let mut seen = seen.lock().expect("no test panics while it holds this");
                    seen.push(request.clone());
                    reply(&request, seen.len() - 1)
                };
                connections.spawn(play(stream, steps));
            }
        });
        Self { authority, requests, task }
    }

    /// Answers every request in the same way.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test panics while it holds this").clone()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address where nothing listens, kept from everybody else as long as this lives.
pub struct Nobody {
    /// `127.0.0.1:PORT`.
    pub authority: String,
    _bound: TcpSocket,
}

/// Binds a free port and never listens on it.
pub fn nobody() -> Nobody {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    Nobody { authority: socket.local_addr().expect("bound").to_string(), _bound: socket }
}

async fn request_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Errors only say that the client has left.
async fn play(mut stream: TcpStream, steps: Reply) {
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Repeat(bytes, pause) => {
                while stream.write_all(&bytes).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
                return;
            }
            Step::Hang => std::future::pending().await,
        }
    }
    let _left = stream.shutdown().await;
}
