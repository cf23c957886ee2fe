//! Is there a registry, and is it this machine's alone?

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};

use super::http::{self, Bounds, Failure, Request};
use crate::config::RegistryConfig;
use crate::diagnosis::Finding;
use crate::words::quoted_bytes;

/// The header by which a registry says what it is (OCI distribution specification, "Determining support").
const API_VERSION: &str = "docker-distribution-api-version";
/// Largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;
/// Never reached: whoever asks has a shorter deadline around this.
const WITHIN: Duration = Duration::from_mins(1);
/// Characters of an answer that a finding repeats.
const SHOWN: usize = 60;
/// Where the kernel lists sockets.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// How the kernel writes the state of a socket that waits for connections.
const LISTENING: &str = "0A";

/// What is to be said of the registry, which is reached at `authority`.
pub async fn diagnose(registry: &RegistryConfig, authority: &str) -> Vec<Finding> {
    let url = &registry.url;
    let request = Request { method: Method::GET, authority, path: "/v2/", accept: "*/*" };
    let answered = http::send(&request, Bounds { body_bytes: LARGEST, within: WITHIN }).await;
    let first = match &answered {
        Ok(response) => judged(registry, response),
        Err(error) => match &error.failure {
            Failure::Malformed(_) | Failure::TooLarge { .. } => other(registry, &error.failure.to_string()),
            failure => Finding::problem(
                format!("no registry answers at {url}: {failure}"),
                "start the registry, or say in host.toml where it is: `url` in [registry]",
            ),
        },
    };
    // Only of this machine's own the kernel can be asked.
    let here = answered.is_ok() && registry.via.is_none();
    let exposed = here.then(|| exposed(&url.authority)).flatten();
    std::iter::once(first).chain(exposed).collect()
}

fn judged(registry: &RegistryConfig, response: &Response<Bytes>) -> Finding {
    let url = &registry.url;
    let status = response.status();
    match status {
        StatusCode::OK if http::header(response, API_VERSION).is_some() => {
            Finding::ok(format!("a registry answers at {url}"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Finding::problem(
            format!("the registry at {url} answers {status}"),
            "no credentials are sent: it must be open to this machine, and to nobody else (it listens on loopback only)",
        ),
        _ if status.is_server_error() => Finding::problem(
            format!("what answers at {url} answers {status}: {}", quoted_bytes(response.body(), SHOWN)),
            "see what the registry says (`docker logs`, `journalctl`)",
        ),
        StatusCode::OK => other(registry, "it does not say that it is one"),
        _ => other(registry, &format!("GET /v2/ answers {status}")),
    }
}

fn other(registry: &RegistryConfig, why: &str) -> Finding {
    Finding::problem(
        format!("what listens at {} is no image registry: {why}", registry.url),
        "free the port for the registry and start it, or say in host.toml where it is: `url` in [registry]",
    )
}

/// The specification wants the registry on loopback only. That the address of the configuration is a loopback one says
/// nothing of the others that the same program listens on.
fn exposed(authority: &str) -> Option<Finding> {
    let port: u16 = authority.rsplit_once(':')?.1.parse().ok()?;
    let tables = TABLES.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let open = tables.iter().find_map(|table| listener_for_others(table, port))?;
    Some(Finding::warning(
        format!("port {port} is open to other machines as well: something listens on {open}:{port}"),
        format!(
            "let the registry listen on 127.0.0.1:{port} only: whoever reaches it may replace what is deployed"
        ),
    ))
}

/// The address of a socket on `port` that is none of loopback, in a table of the kernel.
fn listener_for_others(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let (address, found) = local.split_once(':')?;
        if state != LISTENING || u16::from_str_radix(found, 16).ok()? != port {
            return None;
        }
        // Words of four bytes, each in the byte order of the machine.
        let bytes: Vec<u8> = (0..address.len() / 8)
            .filter_map(|at| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok())
            .flat_map(u32::to_ne_bytes)
            .collect();
        if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
            let address = Ipv4Addr::from(four);
            return (!address.is_loopback()).then(|| address.to_string());
        }
        let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?);
        let loopback =
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|four| four.is_loopback());
        (!loopback).then(|| format!("[{address}]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

    fn found(line: &str) -> Option<String> {
        listener_for_others(&format!("{HEAD}{line}\n"), 5000)
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn only_a_socket_that_others_reach_is_found() {
        assert_eq!(found("0: 00000000:1388 00000000:0000 0A 0 0").as_deref(), Some("0.0.0.0"));
        assert_eq!(found("0: 0100007F:1388 00000000:0000 0A 0 0"), None, "loopback");
        assert_eq!(found("0: 00000000:1389 00000000:0000 0A 0 0"), None, "another port");
        assert_eq!(found("0: 00000000:1388 00000000:0000 01 0 0"), None, "a connection");
        let any = "0".repeat(32);
        assert_eq!(found(&format!("0: {any}:1388 {any}:0000 0A 0 0")).as_deref(), Some("[::]"));
        assert_eq!(found("0: 00000000000000000000000001000000:1388 x 0A 0 0"), None, "loopback");
        assert_eq!(found("0: 0000000000000000FFFF00000100007F:1388 x 0A 0 0"), None, "loopback");
        assert_eq!(found("0: zz:1388"), None, "no line of the table");
    }
}
