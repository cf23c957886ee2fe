//! The least HTTP that is needed to ask a registry or a container on this machine how it is.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Neither a container nor a registry on this machine takes longer for a whole answer, unless it is broken.
const DEADLINE: Duration = Duration::from_secs(5);

/// Longest answer that is read; what is longer is cut off.
const MAX_ANSWER: usize = 1024 * 1024;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// `GET http://<address><path>`; `address` is `host:port`.
pub fn get(address: &str, path: &str) -> Result<Answer> {
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let what = || format!("GET http://{address}{path}");
    let answer = exchange(address, request.as_bytes(), Instant::now() + DEADLINE);
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
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = parse("HTTP/1.1 202 Accepted\r\nLocation: http://x/y?z=1\r\n\r\n{}");
        assert_eq!(answer, Some(Answer { status: 202, body: "{}".to_owned() }));
        assert_eq!(parse("nonsense"), None);
    }
}
