//! How an engine is asked: its socket, one connection per request, and an end to what it may answer. The library would
//! take in whatever comes.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// Longest answer to a question, in bytes. A container with every field in use takes less than 100 kB.
const ANSWER: usize = 8 << 20;
/// Longest story of a pull, in bytes: an engine tells some 200 lines of 200 bytes each second.
const STORY: usize = 64 << 20;

/// The library's client for the engine that listens on `socket`; `longest` is its own deadline for an answer to begin, in
/// seconds.
pub fn client(socket: Arc<Path>, longest: u64) -> Result<Docker, Error> {
    let ask = move |request: BollardRequest| ask(Arc::clone(&socket), request);
    Docker::connect_with_custom_transport(ask, Some("http://docker"), longest, API_DEFAULT_VERSION)
}

/// Sends one request and gives its answer, whatever that says.
#[expect(clippy::disallowed_methods, reason = "this is where the host reaches an engine, behind the gate")]
pub async fn ask<B>(socket: Arc<Path>, request: Request<B>) -> Result<Response<Incoming>, Error>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = UnixStream::connect(&*socket)
        .await
        .map_err(|error| io::Error::new(error.kind(), Unconnected(error.to_string())))?;
    let (mut head, body) = request.into_parts();
    let longest = if head.uri.path().ends_with("/images/create") { STORY } else { ANSWER };
    // To the engine itself, not to a proxy in front of it: only the path.
    head.uri = Uri::from(head.uri.into_parts().path_and_query.ok_or_else(|| io::Error::other("no path"))?);
    head.headers.insert(HOST, HeaderValue::from_static("docker"));
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let bounded = Bounded { stream, left: longest, longest };
    let (mut sender, connection) = http1::handshake(TokioIo::new(bounded)).await?;
    // It ends with the answer, or when nobody waits for that any more; its errors come out at the answer.
    tokio::spawn(connection);
    Ok(sender.send_request(Request::from_parts(head, body)).await?)
}

/// A connection that gives no more than so many bytes.
struct Bounded {
    stream: UnixStream,
    left: usize,
    longest: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match self.left.checked_sub(buf.filled().len() - before) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(io::Error::other(TooLong(self.longest)))),
        }
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The socket could not be connected to.
#[derive(Debug)]
pub struct Unconnected(String);

/// The engine said more than is taken in, in bytes.
#[derive(Debug)]
pub struct TooLong(pub usize);

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its answer has more than {} bytes", self.0)
    }
}

impl std::error::Error for Unconnected {}
impl std::error::Error for TooLong {}

/// Whether an error of the type `E` is behind `error`.
pub fn is_behind<E: std::error::Error + 'static>(error: &Error) -> bool {
    // The library's error shows the place of the one that it holds, so that one is not among its own sources.
    let held: &(dyn std::error::Error + 'static) = match error {
        Error::IOError { err } => err,
        other => other,
    };
    std::iter::successors(Some(held), |cause| cause.source()).any(|cause| {
        // What an I/O error carries is not among its sources either.
        let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        carried.is_some_and(<dyn std::error::Error + Send + Sync>::is::<E>)
    })
}
