//! A way through the connection to something that listens on the other side only. Its local end is on loopback, or a
//! socket in the private folder.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Connection, Line};
use super::error::{Refusal, SshError, Trouble};
use super::heard::last;
use super::said;

/// Ports that are tried: somebody else may take one between its choice and its use.
const ATTEMPTS: usize = 10;
/// Longest name of a socket, in bytes (Linux, `sun_path`).
const LONGEST: usize = 107;

/// Something on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address as seen from there: `127.0.0.1:5000`.
    Tcp(SocketAddr),
    /// The absolute path of a socket there: `/var/run/docker.sock`.
    Socket(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "the socket {}", path.display()),
        }
    }
}

/// Where a forward begins: of the same kind as where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalEnd {
    /// On loopback, of this machine only.
    Tcp(SocketAddr),
    /// In the private folder, of this user only.
    Socket(PathBuf),
}

/// A way through a connection, until this value is gone, or the connection is.
#[derive(Debug)]
pub struct Forward {
    line: Arc<Line>,
    target: Target,
    local: LocalEnd,
    /// As the master knows it.
    specification: String,
    open: bool,
}

impl Connection {
    /// Opens a way to `target`. Whether anything listens there shows only when the way is used: see [`Forward::refusal`].
    ///
    /// # Errors
    /// When the connection is lost, no local end can be made, or `target` is none that `ssh` could be told.
    pub async fn forward(&self, target: &Target) -> Result<Forward, SshError> {
        let line = self.line();
        let far = far_end(target).map_err(|why| {
            let what = format!("a forward to {}", said_plain(target));
            line.error(Trouble::Invalid { what, why })
        })?;
        let heard = line.heard.count();
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let (local, near) = match target {
                Target::Tcp(_) => {
                    let address =
                        free_port().map_err(|error| no_local_end(line, target, error.to_string()))?;
                    (LocalEnd::Tcp(address), address.to_string())
                }
                Target::Socket(_) => {
                    let path = line.fresh("s");
                    let near = path.display().to_string();
                    if near.len() > LONGEST {
                        let why = format!("the name {near} is longer than {LONGEST} bytes");
                        return Err(no_local_end(line, target, why));
                    }
                    (LocalEnd::Socket(path), near)
                }
            };
            let specification = format!("{near}:{far}");
            let answer = line.control(&["forward", "-L", &specification]).await?;
            if answer.success {
                let (line, target) = (Arc::clone(line), target.clone());
                return Ok(Forward { line, target, local, specification, open: true });
            }
            if !line.stands().await {
                return Err(line.dropped());
            }
            let lines: Vec<String> =
                String::from_utf8_lossy(&answer.stderr).lines().map(str::to_owned).collect();
            why = last(&line.heard.since(heard)).or_else(|| last(&lines)).unwrap_or(answer.ending);
        }
        Err(no_local_end(line, target, why))
    }
}

impl Forward {
    /// Where it begins.
    #[must_use]
    pub fn local(&self) -> &LocalEnd {
        &self.local
    }

    /// Where it leads.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Why a connection through it was closed, if the other side said so after the first `heard` lines; to be asked when
    /// one was. Which forward it speaks of it does not say.
    #[must_use]
    pub fn refusal(&self, heard: usize) -> Option<SshError> {
        let lines = self.line.heard.since(heard);
        let why = lines.iter().rev().find_map(|line| said::refusal(line))?;
        Some(self.line.error(Trouble::ForwardRefused { target: self.target.clone(), why }))
    }

    /// Closes it and waits until nothing listens any more. What goes through it at that time goes on to its end.
    pub async fn close(mut self) {
        self.open = false;
        cancel(Arc::clone(&self.line), self.specification.clone(), self.local.clone()).await;
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // Where nothing runs any more the connection ends too, and the forward with it.
        if self.open
            && !self.line.ending.load(Ordering::Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(cancel(Arc::clone(&self.line), self.specification.clone(), self.local.clone()));
        }
    }
}

async fn cancel(line: Arc<Line>, specification: String, local: LocalEnd) {
    // An error means that the connection is gone, and with it the forward.
    if let Err(error) = line.control(&["cancel", "-L", &specification]).await {
        tracing::debug!(%error, "a forward cannot be closed");
    }
    if let LocalEnd::Socket(path) = local {
        // OpenSSH leaves it; it goes with the folder at the latest.
        let _ = fs::remove_file(path);
    }
}

/// The second half of `-L`.
fn far_end(target: &Target) -> Result<String, String> {
    match target {
        Target::Tcp(address) => Ok(address.to_string()),
        Target::Socket(path) => {
            // Anything else may be read as the end of the path, or as something to be expanded.
            let tame = |c: char| c.is_ascii_alphanumeric() || "/._-+@,".contains(c);
            match path.to_str() {
                Some(text) if text.starts_with('/') && text.len() <= LONGEST && text.chars().all(tame) => {
                    Ok(text.to_owned())
                }
                _ => Err(format!(
                    "a socket's path is absolute, of letters, digits and `/._-+@,`, and has at most {LONGEST} bytes"
                )),
            }
        }
    }
}

fn said_plain(target: &Target) -> String {
    super::heard::shown(&target.to_string())
}

fn no_local_end(line: &Line, target: &Target, why: String) -> SshError {
    line.error(Trouble::ForwardRefused { target: target.clone(), why: Refusal::NoLocalEnd(why) })
}

/// OpenSSH cannot be told to choose one itself.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ssh_cannot_misread_is_a_target() {
        let socket = |path: &str| far_end(&Target::Socket(path.into()));
        assert_eq!(socket("/var/run/docker.sock"), Ok("/var/run/docker.sock".to_owned()));
        for path in
            ["docker.sock", "/a:b", "/a b", "/%h", "/${HOME}", "/a\n", "", &format!("/{}", "x".repeat(107))]
        {
            assert!(socket(path).is_err(), "{path}");
        }
        let tcp = |address: &str| far_end(&Target::Tcp(address.parse().expect(address)));
        assert_eq!(tcp("127.0.0.1:5000"), Ok("127.0.0.1:5000".to_owned()));
        assert_eq!(tcp("[::1]:5000"), Ok("[::1]:5000".to_owned()));
    }
}
