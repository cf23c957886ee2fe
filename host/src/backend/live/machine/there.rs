//! Files, programs and locks of another machine, by small scripts over SSH.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::script;
use super::{Entry, Facts, Found, Lock, Looked, Replaced, Trouble, Unrun};
use crate::answer::CallError;
use crate::backend::live::process::{Finished, Input, Unfinished};
use crate::backend::live::ssh::{Connection, Program};
use crate::names::{Digest, ServiceName};
use crate::words::{plain, seconds};

/// Longest that a look, a replacement or the answer of a lock may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest part of what the other machine says that a message repeats, in characters.
const SHOWN: usize = 200;

pub(super) async fn look(connection: &Connection, path: &Path, most: u64) -> Result<Looked, Trouble> {
    let cannot = |why: &str| file_trouble("cannot be looked at", why);
    let most = most.to_string();
    let finished = script(connection, script::LOOK, &[text(path)?, &most], b"").await?;
    let finished = Zeroizing::new(succeeded(finished).map_err(|why| cannot(&why))?);
    let end = finished.iter().position(|byte| *byte == b'\n').ok_or_else(|| cannot("it said nothing"))?;
    let line = String::from_utf8_lossy(&finished[..end]).into_owned();
    let strange = || cannot(&format!("it said {:?}", plain(&line, SHOWN)));
    let mut words = line.split(' ');
    let folder_mode = match words.next() {
        Some("-") => None,
        Some(mode) => Some(u32::from_str_radix(mode, 8).map_err(|_| strange())?),
        None => return Err(strange()),
    };
    let entry = match words.next() {
        Some("missing") => Entry::Missing,
        Some("symlink") => Entry::Symlink,
        Some("nofile") => Entry::NoFile,
        Some("file") => {
            let facts = facts(words).ok_or_else(strange)?;
            Entry::File(Found { bytes: Zeroizing::new(finished[end + 1..].to_vec()), facts })
        }
        _ => return Err(strange()),
    };
    Ok(Looked { folder_mode, entry })
}

pub(super) async fn replace(
    connection: &Connection,
    path: &Path,
    beside: &Path,
    bytes: &[u8],
    before: &Found,
) -> Result<Replaced, Trouble> {
    let cannot = |why: &str| file_trouble("cannot be replaced", why);
    let old = &before.facts;
    let input =
        Zeroizing::new([sum(&before.bytes).as_bytes(), b"\n", sum(bytes).as_bytes(), b"\n", bytes].concat());
    let (mode, owner) = (format!("{:o}", old.mode & 0o7777), format!("{}:{}", old.user, old.group));
    let facts = format!("{:x} {} {} {}", old.mode, old.user, old.group, old.version);
    let arguments = [text(path)?, text(beside)?, &mode, &owner, &facts];
    let said = succeeded(script(connection, script::REPLACE, &arguments, &input).await?);
    match said.map_err(|why| cannot(&why))?.trim_ascii() {
        b"replaced" => Ok(Replaced::Done),
        b"changed" => Ok(Replaced::Changed),
        other => Err(cannot(&format!("it said {:?}", plain(&String::from_utf8_lossy(other), SHOWN)))),
    }
}

pub(super) async fn run(
    connection: &Connection,
    argv: &[OsString],
    set: &[(OsString, OsString)],
    lock: Option<&Lock>,
    within: Duration,
    stopped: impl Future<Output = ()>,
) -> Result<Finished, Unrun> {
    let utf8 = |word: &OsStr| -> Result<String, Unrun> {
        let word = word.to_str().map(str::to_owned);
        word.ok_or_else(|| Unfinished::Broken(std::io::Error::other("a word of it is no UTF-8 text")).into())
    };
    let file = match lock {
        Some(Lock::There(held)) => format!("{}.running", held.file),
        _ => String::new(),
    };
    let mut words = command(script::RUN, &[&file, &within.as_secs().to_string()]);
    for (key, value) in set {
        words.push(format!("{}={}", utf8(key)?, utf8(value)?));
    }
    for word in argv {
        words.push(utf8(word)?);
    }
    connection
        .run_unless(&words, Input::nothing(), within, stopped)
        .await
        .map_err(|error| Unrun::Machine(error.into()))
}

/// A lock on the other machine. A program there holds it, which ends when this value is gone, and with the connection.
#[derive(Debug)]
pub struct Held {
    file: String,
    _holder: Program,
}

impl Held {
    pub(super) async fn project(
        connection: &Connection,
        env_file: &Path,
        holder: &str,
    ) -> Result<Self, CallError> {
        Self::taken(
            connection,
            env_file,
            ".lock",
            "another deploy of this Compose project is in progress",
            holder,
        )
        .await
    }

    pub(super) async fn service(
        connection: &Connection,
        env_file: &Path,
        service: &ServiceName,
        holder: &str,
    ) -> Result<Self, CallError> {
        let busy = format!("another deploy of {service} is in progress");
        Self::taken(connection, env_file, &format!(".{service}.lock"), &busy, holder).await
    }

    async fn taken(
        connection: &Connection,
        env_file: &Path,
        suffix: &str,
        busy: &str,
        holder: &str,
    ) -> Result<Self, CallError> {
        let Some(env_file) = env_file.to_str() else {
            return Err(CallError::Invalid(format!("{} is no UTF-8 text", env_file.display())));
        };
        let file = format!("{env_file}{suffix}");
        let broken = |why: &str| {
            CallError::Other(format!(
                "the lock {file} cannot be taken: {}; check who owns it and its folder, and as whom ssh logs in",
                plain(why.trim(), SHOWN)
            ))
        };
        let mut holder = connection.start(&command(script::HOLD, &[&file, holder]))?;
        let (mut first, mut noted) = (String::new(), String::new());
        if let Some(stdout) = holder.stdout() {
            let mut lines = BufReader::new(stdout).take(4096);
            match timeout(PATIENCE, lines.read_line(&mut first)).await {
                Err(_) => {
                    return Err(CallError::Unavailable(format!(
                        "the lock {file} could not be asked for: there was no answer within {}",
                        seconds(PATIENCE)
                    )));
                }
                Ok(Err(error)) => return Err(broken(&error.to_string())),
                Ok(Ok(_)) => {}
            }
            if first.trim() == "busy" {
                // What cannot be read is only not told.
                let _ = timeout(PATIENCE, lines.read_to_string(&mut noted)).await;
            }
        }
        match first.trim() {
            "held" => Ok(Self { file, _holder: holder }),
            "busy" => Err(CallError::Unavailable(format!(
                "{busy} ({}); it holds {file}, try again when it has ended",
                plain(noted.trim(), SHOWN)
            ))),
            _ => {
                let finished = holder.finish(PATIENCE).await?;
                Err(broken(&succeeded(finished).map_or_else(|why| why, |_| "it said nothing".to_owned())))
            }
        }
    }
}

async fn script(
    connection: &Connection,
    script: &str,
    arguments: &[&str],
    input: &[u8],
) -> Result<Finished, Trouble> {
    let words = command(script, arguments);
    connection
        .run(&words, Input::Bytes(input), PATIENCE)
        .await
        .map_err(|error| Trouble::Machine(error.into()))
}

fn command(script: &str, arguments: &[&str]) -> Vec<String> {
    ["sh", "-c", script, "sh"].iter().chain(arguments).map(ToString::to_string).collect()
}

/// What it printed, or why it did not work.
fn succeeded(finished: Finished) -> Result<Vec<u8>, String> {
    if finished.success {
        return Ok(finished.stdout);
    }
    let said = String::from_utf8_lossy(&finished.stderr);
    let said = said.trim();
    Err(if said.is_empty() { format!("it {}", finished.ending) } else { plain(said, SHOWN) })
}

fn facts<'w>(mut words: impl Iterator<Item = &'w str>) -> Option<Facts> {
    let mode = u32::from_str_radix(words.next()?, 16).ok()?;
    let (user, group) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let version = words.next().filter(|version| !version.is_empty())?.to_owned();
    words.next().is_none().then_some(Facts { mode, user, group, version })
}

fn sum(bytes: &[u8]) -> String {
    Digest::of(bytes).as_str().trim_start_matches("sha256:").to_owned()
}

fn text(path: &Path) -> Result<&str, Trouble> {
    path.to_str().ok_or_else(|| file_trouble("cannot be named there", "it is no UTF-8 text"))
}

fn file_trouble(what: &'static str, why: &str) -> Trouble {
    Trouble::File { what, why: why.to_owned() }
}
