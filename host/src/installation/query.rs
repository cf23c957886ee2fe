//! One question to the registry's machine, in one round trip: everything that `status` and `health` are told.
//!
//! It only reads, needs no rights but those of Docker, and goes through any way that runs a shell command there. Each fact is a
//! line, its name and its words separated by tabs; what is not said was not found out.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::render::{HEADER, LABEL, Rendered};
use crate::config::Installation;
use crate::words::plain;

/// Longest word of an answer that is kept, in characters.
const SHOWN: usize = 300;

/// A POSIX shell runs it, with [`arguments`]: every value is one, and none is ever a part of it.
pub const SCRIPT: &str = include_str!("query.sh");

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub enum Depth {
    /// Nothing more where none of the managed files is there.
    Evidence,
    /// Everything but what is in files.
    All,
    /// That, too: of each managed file so many bytes at most.
    Files(usize),
}

/// Of [`SCRIPT`], for a registry that its machine reaches at `url`.
#[must_use]
pub fn arguments(installation: &Installation, url: &str, depth: Depth) -> Vec<String> {
    let rendered = Rendered::new(installation);
    let mut words = vec![
        installation.unit.clone(),
        installation.container.to_string(),
        installation.image.clone(),
        installation.storage.display().to_string(),
        format!("{url}/v2/"),
        HEADER.trim_end().to_owned(),
        LABEL.to_owned(),
        match depth {
            Depth::Evidence => "evidence".to_owned(),
            Depth::All => "0".to_owned(),
            Depth::Files(bytes) => bytes.to_string(),
        },
    ];
    words.extend(rendered.files().map(|(_, file)| file.path.display().to_string()));
    words
}

/// What was found there. What is nothing was not found out, and says so by a word of its own where that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// `LoadState`, `ActiveState`, `SubState`, `UnitFileState` and `NeedDaemonReload` of the unit (systemctl(1), `show`).
    pub unit: BTreeMap<String, String>,
    /// The version of the engine.
    pub docker: Option<String>,
    /// Why it did not answer.
    pub docker_error: Option<String>,
    /// Its container, where there is one.
    pub container: Option<Container>,
    /// The image that the configured name stands for now.
    pub image: Option<String>,
    /// Where anything listens, on any port.
    pub listeners: Option<Vec<SocketAddr>>,
    /// The status of `GET /v2/`.
    pub http: Option<u16>,
    /// Why there is none.
    pub http_error: Option<String>,
    /// `folder`, `other` or `missing`.
    pub storage: Option<String>,
    /// Free space of its disk, in KiB.
    pub storage_free: Option<u64>,
    /// The managed files, in the order in which they are written.
    pub files: Vec<Kept>,
}

/// The registry's container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `running`, `exited`, `restarting`.
    pub state: String,
    /// The image by the name that it was made with.
    pub image_name: String,
    /// That image's id.
    pub image: String,
    /// The Compose project that made it; empty for none.
    pub project: String,
    /// What it was made from, as [`LABEL`] tells it; empty for nothing.
    pub made_from: String,
}

/// A managed file as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Kept {
    /// Not at all.
    Missing {
        /// Nor is the folder that it belongs into.
        folder_too: bool,
    },
    /// Something else than a file, or one that may not be read.
    Unreadable,
    /// There.
    Present {
        /// SHA-256 of its content.
        sha256: String,
        /// Whether it begins as managed files do.
        managed: bool,
        /// What is in it, line by line; nothing where that was not asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        text: Vec<String>,
    },
}

/// Takes an answer apart.
///
/// # Errors
/// In words, for one that does not end as the question asks: it was cut off, or something else answered.
pub fn parse(answer: &str) -> Result<Observed, String> {
    let mut observed = Observed::default();
    let mut ended = false;
    for line in answer.lines() {
        if let Some(told) = line.strip_prefix("text\t") {
            if let Some(Kept::Present { text, .. }) = observed.files.last_mut() {
                text.push(plain(told.trim_end(), SHOWN));
            }
            continue;
        }
        let words: Vec<String> = line.split('\t').map(|word| plain(word.trim(), SHOWN)).collect();
        let Some((name, words)) = words.split_first() else { continue };
        let word = |at: usize| words.get(at).cloned().unwrap_or_default();
        let said = |at: usize| words.get(at).filter(|word| !word.is_empty()).cloned();
        match name.as_str() {
            "unit" => {
                if let Some((key, value)) = word(0).split_once('=') {
                    observed.unit.insert(key.to_owned(), value.to_owned());
                }
            }
            "docker" => observed.docker = said(0),
            "docker-error" => observed.docker_error = said(0),
            "container" => {
                observed.container = Some(Container {
                    state: word(0),
                    image_name: word(1),
                    image: word(2),
                    project: word(3),
                    made_from: word(4),
                });
            }
            "image" => observed.image = said(0),
            "listen" => observed.listeners.get_or_insert_default().extend(listener(&word(0))),
            "http" => observed.http = word(0).parse().ok().filter(|status| *status > 0),
            "http-error" => observed.http_error = said(0),
            "storage" => {
                observed.storage = said(0);
                observed.storage_free = word(1).parse().ok();
            }
            "file" => observed.files.push(match word(0).as_str() {
                "missing" => Kept::Missing { folder_too: word(1) == "folder" },
                "present" => {
                    Kept::Present { sha256: word(1), managed: word(2) == "managed", text: Vec::new() }
                }
                _ => Kept::Unreadable,
            }),
            "end" => ended = true,
            _ => {}
        }
    }
    if ended { Ok(observed) } else { Err("its answer does not end as it should: it was cut off".to_owned()) }
}

/// An address of `/proc/net/tcp` or `tcp6`: hexadecimal, each four bytes in the order of the machine (proc(5)).
fn listener(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u32> = address
        .as_bytes()
        .chunks(8)
        .map(|chunk| u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let ip = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        16 => std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = "unit\tLoadState=loaded\nunit\tActiveState=active\ndocker\t28.2.2\n\
            container\trunning\tregistry:2.8.3\tsha256:5\tunidesk-artifact-registry\nimage\tsha256:5\n\
            listen\t0100007F:1388\nlisten\t00000000000000000000000001000000:1388\nhttp\t200\nstorage\tfolder\t1024\n\
            file\tpresent\tabc\tmanaged\ntext\ta:\ntext\t  b: 1\nfile\tmissing\nfile\tunreadable\nend\n";
        let observed = parse(answer).expect("an answer");
        assert_eq!(observed.unit["ActiveState"], "active");
        assert_eq!(
            observed.listeners,
            Some(vec!["127.0.0.1:5000".parse().expect("v4"), "[::1]:5000".parse().expect("v6")])
        );
        assert_eq!((observed.http, observed.storage_free), (Some(200), Some(1024)));
        let Kept::Present { text, .. } = &observed.files[0] else { panic!("{observed:?}") };
        assert_eq!(*text, ["a:", "  b: 1"]);
        assert_eq!(observed.files[1..], [Kept::Missing { folder_too: false }, Kept::Unreadable]);
        assert!(parse(answer.trim_end_matches("end\n")).is_err(), "an answer that was cut off is none");
        assert!(parse("Last login: today\n").is_err());
    }

    #[test]
    fn what_it_says_is_shown_on_one_line() {
        let observed = parse("docker-error\t\u{1b}[2Jboo\nend\n").expect("an answer");
        assert!(!observed.docker_error.expect("words").contains('\u{1b}'));
    }
}
