//! One HTTP exchange, well or badly behaved.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use sample_service::Behaviour;

use crate::document;

/// Longest request head that is read; whoever sends more is cut off.
const MAX_HEAD: u64 = 8 * 1024;

/// Where `redirect` points when the image names no other place: nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9/health";

/// Reads one request and answers it.
pub fn answer(mut stream: TcpStream, behaviour: Behaviour) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = read_head(&mut stream)?;
    let path = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let Some(document) = document::at(path, behaviour) else {
        return respond(&mut stream, "404 Not Found", "application/json", r#"{"error":"not found"}"#);
    };
    match behaviour {
        Behaviour::Silent => wait_until_closed(&mut stream),
        Behaviour::Drip => drip(&mut stream, &response("200 OK", "application/json", &document)),
        Behaviour::Redirect => redirect(&mut stream),
        Behaviour::Html => respond(
            &mut stream,
            "200 OK",
            "text/html; charset=utf-8",
            "<!doctype html><title>Welcome</title><p>It works.</p>",
        ),
        Behaviour::Status500 => {
            respond(&mut stream, "500 Internal Server Error", "application/json", &document)
        }
        Behaviour::NeverReady => {
            respond(&mut stream, "503 Service Unavailable", "application/json", &document)
        }
        _ => respond(&mut stream, "200 OK", "application/json", &document),
    }
}

/// The request line and headers; a body is not expected.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut limited = stream.take(MAX_HEAD);
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match limited.read(&mut chunk)? {
            0 => break,
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn respond(stream: &mut TcpStream, status: &str, content_type: &str, body: &str) -> io::Result<()> {
    stream.write_all(response(status, content_type, body).as_bytes())
}

fn redirect(stream: &mut TcpStream) -> io::Result<()> {
    let target = std::env::var("SAMPLE_REDIRECT_TO").unwrap_or_else(|_| NOWHERE.to_owned());
    let answer =
        format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes())
}

/// Sends a byte per second until the client gives up.
fn drip(stream: &mut TcpStream, answer: &str) -> io::Result<()> {
    for byte in answer.as_bytes() {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// Holds the connection open without a word until the client gives up.
fn wait_until_closed(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {}
    Ok(())
}
