//! The one HTTP client of the host: plain HTTP/1.1, one connection per request, every size and time bounded.
//!
//! What it does not do is the point: no TLS in this release, no proxy taken from the environment, no redirect followed,
//! no credential sent, nothing decompressed. The answer reaches the caller as the far side gave it.

mod opened;

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, LOCATION, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Method, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub use opened::{Opened, open};

use crate::words::{quoted, seconds};

/// Longest status line and headers of an answer, in bytes.
const HEADER_BYTES: usize = 16 << 10;
/// Most headers of an answer.
const HEADERS: usize = 64;
/// Largest read buffer of a connection, in bytes; hyper wants at least 8 KiB.
const BUFFER_BYTES: usize = 64 << 10;
/// Characters of a redirect's target that a message repeats.
const SHOWN: usize = 120;
/// No deadline is further away: an [`Instant`] cannot be moved by an arbitrary configured number.
const LONGEST: Duration = Duration::from_hours(24);

/// The moment that is `within` from now.
#[must_use]
pub fn deadline(within: Duration) -> Instant {
    Instant::now() + within.min(LONGEST)
}

/// What is asked, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// `HEAD` or `GET`; a request has no body.
    pub method: Method,
    /// Host and port, `127.0.0.1:5000` or `[::1]:5000`; port 80 where none is given.
    pub authority: &'a str,
    /// Path from the root on.
    pub path: &'a str,
    /// Media types that the caller understands.
    pub accept: &'a str,
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} http://{}{}", self.method, self.authority, self.path)
    }
}

/// How much of an answer is taken, and how long it may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// Deadline of the whole exchange: connection, headers and body.
    pub within: Duration,
}

/// An exchange without a complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{request}: {failure}")]
pub struct HttpError {
    /// Method and URL.
    pub request: String,
    /// What happened.
    pub failure: Failure,
}

/// Why there is no complete answer. None of the texts holds anything that the far side chose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The address cannot be asked at all.
    #[error("the address cannot be used: {0}")]
    Unusable(String),
    /// The machine is there, and nothing listens on the port.
    #[error("connection refused: nothing listens there")]
    Refused,
    /// No connection, for another reason: unknown host, no route.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The deadline passed.
    #[error("timed out after {} while {stage}", seconds(*.after))]
    TimedOut {
        /// What was being waited for.
        stage: Stage,
        /// The deadline.
        after: Duration,
    },
    /// The body is longer than allowed; what came beyond was not read.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// The answer breaks the rules of HTTP, or its headers are longer than any answer's need be.
    #[error("the answer is no proper HTTP: {0}")]
    Malformed(String),
    /// The connection ended before the answer did.
    #[error("the connection broke off before the answer was complete: {0}")]
    BrokenOff(String),
}

impl Failure {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Refused | Self::Unreachable(_) | Self::TimedOut { .. } | Self::BrokenOff(_) => true,
            Self::Unusable(_) | Self::TooLarge { .. } | Self::Malformed(_) => false,
        }
    }
}

/// How far an exchange came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No connection yet.
    Connecting,
    /// Connected; no complete headers yet.
    Answering,
    /// Headers are there; the body is incomplete.
    Reading,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Answering => "waiting for the answer",
            Self::Reading => "reading the answer",
        })
    }
}

/// Asks once and takes the whole answer, whatever its status.
///
/// Dropping the future closes the connection.
///
/// # Errors
/// [`HttpError`] if no complete answer came within `bounds`.
pub async fn send(request: &Request<'_>, bounds: Bounds) -> Result<Response<Bytes>, HttpError> {
    exchange(request, bounds).await.map_err(|failure| HttpError { request: request.to_string(), failure })
}

/// The value of a header, if it is there and is text.
pub fn header(response: &Response<Bytes>, name: impl AsRef<str>) -> Option<&str> {
    response.headers().get(name.as_ref()).and_then(|value| value.to_str().ok())
}

/// Scheme, host and port of where a redirect points, never a user, a path or a token in it.
pub fn redirect_target(response: &Response<Bytes>) -> String {
    let Some(location) = header(response, LOCATION) else { return "nowhere".to_owned() };
    let Ok(uri) = location.parse::<Uri>() else { return "an unreadable address".to_owned() };
    match (uri.scheme_str(), uri.host(), uri.port_u16()) {
        (None, None, _) => "another path of its own".to_owned(),
        (scheme, host, port) => {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            quoted(&format!("{}://{}{port}", scheme.unwrap_or("http"), host.unwrap_or_default()), SHOWN)
        }
    }
}

async fn exchange(request: &Request<'_>, bounds: Bounds) -> Result<Response<Bytes>, Failure> {
    let until = deadline(bounds.within);
    let late = |stage| Failure::TimedOut { stage, after: bounds.within };
    let message = message(request)?;
    let (mut sender, connection) = dial(request.authority, until, bounds.within).await?;
    let answer = async {
        let response = begun(&mut sender, message, until, bounds.within).await?;
        let (head, body) = response.into_parts();
        let body =
            timeout_at(until, collect(body, bounds.body_bytes)).await.map_err(|_| late(Stage::Reading))??;
        Ok(Response::from_parts(head, body))
    };
    // The connection is driven here and not in a task of its own, so that nothing outlives this call. Its end is no
    // result: the answer's own future learns of it, and may still have bytes to hand over.
    let driven = async {
        let _ended = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        result = answer => result,
        result = driven => result,
    }
}

type Sender = SendRequest<Empty<Bytes>>;

/// A connection that waits for its request.
async fn dial(
    authority: &str,
    until: Instant,
    within: Duration,
) -> Result<(Sender, Connection<TokioIo<TcpStream>, Empty<Bytes>>), Failure> {
    let late = |_| Failure::TimedOut { stage: Stage::Connecting, after: within };
    let stream = timeout_at(until, connect(authority)).await.map_err(late)??;
    http1::Builder::new()
        .max_header_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| classified(&error))
}

/// The answer up to its headers.
async fn begun(
    sender: &mut Sender,
    message: hyper::Request<Empty<Bytes>>,
    until: Instant,
    within: Duration,
) -> Result<Response<Incoming>, Failure> {
    let late = |_| Failure::TimedOut { stage: Stage::Answering, after: within };
    let response = timeout_at(until, sender.send_request(message))
        .await
        .map_err(late)?
        .map_err(|error| classified(&error))?;
    // Whoever stands between may go by the other one of the two (RFC 9112, 6.3: an attempt at smuggling).
    let headers = response.headers();
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        return Err(Failure::Malformed("it has a length and is chunked as well".to_owned()));
    }
    Ok(response)
}

fn message(request: &Request<'_>) -> Result<hyper::Request<Empty<Bytes>>, Failure> {
    hyper::Request::builder()
        .method(&request.method)
        .uri(request.path)
        .header(HOST, request.authority)
        .header(USER_AGENT, HeaderValue::from_static(concat!("host/", env!("CARGO_PKG_VERSION"))))
        .header(ACCEPT, request.accept)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::new())
        .map_err(|error| Failure::Unusable(error.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "this is where the host opens connections, behind the gate")]
async fn connect(authority: &str) -> Result<TcpStream, Failure> {
    let endpoint = endpoint(authority)
        .ok_or_else(|| Failure::Unusable("its port is no number between 0 and 65535".to_owned()))?;
    TcpStream::connect(endpoint).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        _ => Failure::Unreachable(error.to_string()),
    })
}

/// Host, without the brackets of an IPv6 address, and port.
fn endpoint(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    Some((bare.unwrap_or(host), port))
}

/// Takes the body chunk by chunk, so that never more than `limit` bytes and one read buffer are held.
async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let too_large = Failure::TooLarge { limit };
    let declared = usize::try_from(body.size_hint().lower()).map_err(|_| too_large.clone())?;
    if declared > limit {
        return Err(too_large);
    }
    let mut bytes = BytesMut::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| classified(&error))?;
        // Anything but data is a trailer, which nothing here is decided by.
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > limit - bytes.len() {
            return Err(too_large);
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.freeze())
}

/// hyper's texts are its own, fixed ones; the cause says which rule was broken, or what the system reported.
fn classified(error: &hyper::Error) -> Failure {
    let cause = error.source();
    let words = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    let kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    if error.is_parse() || matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) {
        Failure::Malformed(words)
    } else {
        Failure::BrokenOff(words)
    }
}

#[cfg(test)]
mod tests;
