//! Addresses in `host.toml`.

use std::net::{IpAddr, Ipv6Addr};

use crate::words::quoted;

/// Longest part of a refused address that a message repeats, in characters.
const SHOWN: usize = 120;

/// A plain HTTP address: what follows `http://`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Host and port as written, `127.0.0.1:5000`.
    pub authority: String,
    /// `/` or a path, without query.
    pub path: String,
}

impl HttpUrl {
    /// Takes `http://host[:port][/path]` apart.
    ///
    /// # Errors
    /// In words, for another scheme, credentials, a query, an empty host or a port that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("{} does not begin with http://", quoted(text, SHOWN)))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = split(authority);
        if authority.contains('@') || !is_host(host) {
            // What is before an `@` may be a password: it is not repeated.
            let why = "it needs a plain host and port after http://, without user or password";
            return Err(why.to_owned());
        }
        if port.is_some_and(|port| !is_port(port)) {
            return Err(format!("{} has no port from 1 to 65535 after the host", quoted(text, SHOWN)));
        }
        if path.contains(['?', '#', '\\']) || path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!("{} has a path with a query, a fragment or a space", quoted(text, SHOWN)));
        }
        Ok(Self { authority: authority.to_owned(), path: path.to_owned() })
    }

    /// The host without port and brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        split(&self.authority).0.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the host is this machine's loopback, by address or as `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path.trim_end_matches('/'))
    }
}

/// Host (an IPv6 address with its brackets) and port.
fn split(authority: &str) -> (&str, Option<&str>) {
    let after_address = authority.find(']').map_or(0, |at| at + 1);
    match authority[after_address..].find(':') {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at(after_address + colon);
            (host, Some(&port[1..]))
        }
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, host, path) in [
            ("http://127.0.0.1:5000", "127.0.0.1", "/"),
            ("http://[::1]:65535/health", "::1", "/health"),
            ("http://[::1]", "::1", "/"),
            ("http://localhost/", "localhost", "/"),
        ] {
            let url = HttpUrl::parse(text).expect(text);
            assert_eq!((url.host(), url.path.as_str(), url.is_loopback()), (host, path, true), "{text}");
        }
    }

    #[test]
    fn a_port_that_is_none_is_refused() {
        for port in ["65536", "99999", "0", "", "http", "80:80", "+80", "80x"] {
            let error = HttpUrl::parse(&format!("http://127.0.0.1:{port}/")).expect_err(port);
            assert!(error.contains("no port from 1 to 65535"), "{error}");
        }
        for host in ["", "::1", "[::1", "[127.0.0.1]", "[::1]x", "a b", "a@b"] {
            assert!(HttpUrl::parse(&format!("http://{host}:80/")).is_err(), "{host}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let error = HttpUrl::parse("http://me:hunter2@127.0.0.1:5000").expect_err("a password");
        assert!(error.contains("password") && !error.contains("hunter2"), "{error}");
        assert!(HttpUrl::parse("http://hunter2@127.0.0.1").is_err());
    }
}
