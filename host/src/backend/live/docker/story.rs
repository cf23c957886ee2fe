//! The story of a pull or a load, line by line as the engine tells it. Read here and not by the library, which would go on
//! for as long as a line does not end, deaf to every deadline.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, http};
use serde::Deserialize;

use super::transport::{TooLong, ask};

/// Longest line, in bytes; an engine's are some hundred.
const LINE: usize = 64 << 10;

/// The answer to `request`, in lines; the first error is the last of them.
pub fn of<B>(
    socket: Arc<Path>,
    request: http::Result<Request<B>>,
) -> impl Stream<Item = Result<CreateImageInfo, Error>> + Send
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let begun = async move {
        match begin(socket, request).await {
            Ok(body) => Lines { body: Some(body), unread: BytesMut::new() },
            Err(error) => return stream::once(async { Err(error) }).left_stream(),
        }
        .into_stream()
        .right_stream()
    };
    stream::once(begun).flatten()
}

async fn begin<B>(socket: Arc<Path>, request: http::Result<Request<B>>) -> Result<Incoming, Error>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let response = ask(socket, request?).await?;
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    Err(refusal(response).await?)
}

/// What an engine that does not begin gives as its reason.
async fn refusal(response: Response<Incoming>) -> Result<Error, Error> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let status_code = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    let message = serde_json::from_slice::<Refusal>(&body)
        .map_or_else(|_| String::from_utf8_lossy(&body).into_owned(), |refusal| refusal.message);
    Ok(Error::DockerResponseServerError { status_code, message })
}

struct Lines {
    /// Nothing after its end.
    body: Option<Incoming>,
    unread: BytesMut,
}

impl Lines {
    fn into_stream(self) -> impl Stream<Item = Result<CreateImageInfo, Error>> + Send {
        stream::unfold(Some(self), |lines| async move {
            let mut lines = lines?;
            match lines.next().await.transpose()? {
                Ok(line) => Some((Ok(line), Some(lines))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<CreateImageInfo>, Error> {
        loop {
            // An engine that is always ready must not keep others from their turn, deadlines among them.
            tokio::task::consume_budget().await;
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line = self.unread.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return understood(&line).map(Some);
            }
            if self.unread.len() > LINE {
                return Err(io::Error::other(TooLong(LINE)).into());
            }
            match self.more().await? {
                Some(more) => self.unread.extend_from_slice(&more),
                None if self.unread.trim_ascii().is_empty() => return Ok(None),
                None => return understood(&self.unread.split()).map(Some).map_err(cut),
            }
        }
    }

    async fn more(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let Some(frame) = body.frame().await else {
            self.body = None;
            return Ok(None);
        };
        // What is no data is a trailer: there is nothing in it for a pull.
        Ok(Some(frame?.into_data().unwrap_or_default()))
    }
}

/// A last line that is only begun is the end of an engine, not its nonsense.
fn cut(error: Error) -> Error {
    match error {
        Error::JsonSerdeError { err } if err.is_eof() => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
        other => other,
    }
}

/// One line; an engine tells in it also that it failed.
fn understood(line: &[u8]) -> Result<CreateImageInfo, Error> {
    let line: CreateImageInfo = serde_json::from_slice(line)?;
    match line.error_detail.as_ref().map(|detail| detail.message.clone().unwrap_or_default()) {
        Some(error) => Err(Error::DockerStreamError { error }),
        None => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;
    use crate::backend::live::docker::transport::is_behind;

    /// What comes of an engine that answers with `pieces` and closes, or goes on with the last of them for ever.
    async fn told(pieces: &'static [&'static str], for_ever: bool) -> Vec<Result<String, Error>> {
        let folder = tempfile::TempDir::new().expect("a folder");
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let engine = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.expect("a client");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.expect("a request"));
            }
            assert!(head.starts_with(b"POST /images/create?x=1 HTTP/1.1\r\n"));
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.expect("a client that listens");
            }
            let last = pieces.last().expect("one").repeat(1000);
            while for_ever && client.write_all(last.as_bytes()).await.is_ok() {}
        });
        let request = Request::post("/images/create?x=1").body(Empty::<Bytes>::new());
        let lines = of(socket.into(), request);
        let told = lines.map(|line| line.map(|line| line.status.unwrap_or_default())).collect().await;
        engine.await.expect("an engine without a failed assertion");
        told
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn lines_are_told_wherever_they_are_broken() {
        let lines =
            told(&[OK, "{\"status\":\"a\"}\r\n\r\n{\"sta", "tus\":\"b\"}\n{\"status\":\"c\"}"], false).await;
        let lines: Vec<_> = lines.into_iter().map(|line| line.expect("a line")).collect();
        assert_eq!(lines, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn the_first_error_is_the_end() {
        let lines =
            told(&[OK, "{\"errorDetail\":{\"message\":\"no space\"}}\n{\"status\":\"b\"}\n"], false).await;
        assert!(
            matches!(&lines[..], [Err(Error::DockerStreamError { error })] if error == "no space"),
            "{lines:?}"
        );
        let lines = told(&[OK, "{\"status\":\"a\"}\n", "<html>\n{}\n"], false).await;
        assert!(matches!(&lines[..], [Ok(_), Err(Error::JsonSerdeError { .. })]), "{lines:?}");
        let lines = told(&[OK, "{\"status\":\"a"], false).await;
        assert!(matches!(&lines[..], [Err(Error::IOError { .. })]), "{lines:?}");
        let lines =
            told(&["HTTP/1.1 500 No\r\nconnection: close\r\n\r\n", "{\"message\":\"why\"}"], false).await;
        assert!(
            matches!(&lines[..], [Err(Error::DockerResponseServerError { status_code: 500, message })] if message == "why"),
            "{lines:?}"
        );
    }

    #[tokio::test]
    async fn neither_a_line_nor_a_story_is_without_end() {
        for pieces in [&[OK, " "], &[OK, "{\"status\":\""]] {
            let lines = told(pieces, true).await;
            assert!(matches!(&lines[..], [Err(error)] if is_behind::<TooLong>(error)), "{lines:?}");
        }
        // Some sixty million bytes of good lines are enough for any pull.
        let lines =
            told(&[OK, "{\"status\":\"01234567890123456789012345678901234567890123456789\"}\n"], true).await;
        assert!(is_behind::<TooLong>(lines.last().expect("lines").as_ref().expect_err("no end")));
    }
}
