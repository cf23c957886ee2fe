//! The least HTTP that is needed to talk to a registry or a container on this machine.
//!
//! A client library would bring a TLS stack and twenty crates along for a few requests over loopback.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Neither a container nor a registry on this machine takes longer for a whole answer, unless it is broken.
const GET_DEADLINE: Duration = Duration::from_secs(5);

/// Sending a layer to a slow disk takes longer.
const SEND_DEADLINE: Duration = Duration::from_mins(1);

/// Longest answer that is read; what is longer is cut off.
const MAX_ANSWER: usize = 1024 * 1024;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
    head: String,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// A body and its content type.
pub type Body<'a> = (&'a str, &'a [u8]);

/// `GET http://<address><path>`; `address` is `host:port`.
pub fn get(address: &str, path: &str) -> Result<Answer> {
    request("GET", address, path, None, GET_DEADLINE)
}

/// Any other method, with a body or without.
pub fn send(method: &str, address: &str, path: &str, body: Option<Body>) -> Result<Answer> {
    request(method, address, path, body, SEND_DEADLINE)
}

fn request(method: &str, address: &str, path: &str, body: Option<Body>, within: Duration) -> Result<Answer> {
    let (content_type, content) = body.unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        content.len()
    );

    let what = || format!("{method} http://{address}{path}");
    let answer = exchange(address, &[head.as_bytes(), content].concat(), Instant::now() + within);
    let answer = answer.map_err(Error::io(what()))?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| Error::unexpected(what(), "not an HTTP answer"))
}

fn exchange(address: &str, request: &[u8], end: Instant) -> io::Result<Vec<u8>> {
    let left = || match end.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let first = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&first, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request)?;

    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while answer.len() < MAX_ANSWER {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut chunk)? {
            0 => break,
            read => answer.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(answer)
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned(), head: head.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parse("HTTP/1.1 202 Accepted\r\nLocation: http://x/y?z=1\r\n\r\n{}");
        let answer = answer.as_ref();
        assert_eq!(answer.map(|answer| (answer.status, answer.body.as_str())), Some((202, "{}")));
        assert_eq!(answer.and_then(|answer| answer.header("location")), Some("http://x/y?z=1"));
        assert_eq!(parse("nonsense"), None);
    }
}
