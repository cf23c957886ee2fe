//! A plugin that puts long and tricky text into every argument of every function of the contract, and long lists into
//! every list. The environment says how; where it says "long", the number that the commit ends with says into which one.

#![allow(clippy::assigning_clones, clippy::needless_pass_by_value, reason = "the rows are read as a table")]

mod lists;
mod texts;

use std::sync::OnceLock;

use plugin_sdk::contract::deploy::consumer::log;
use plugin_sdk::contract::deploy::consumer::registry::{self, Artifact};
use plugin_sdk::contract::deploy::consumer::types::Error;
use plugin_sdk::shape::unidesk_user_service;
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Arguments;

/// Of the request.
static COMMIT: OnceLock<String> = OnceLock::new();

/// Texts that mean something to a shell, a command line, an env file, a Compose file, a URL or a terminal.
const TRICKY: &[&str] = &[
    "--privileged",
    "-f",
    "-",
    "a\nb",
    "a\rb",
    "a=b",
    "a\0b",
    "$HOME",
    "${HOME}",
    "$(id)",
    "`id`",
    "a b",
    "a;b",
    "../x",
    "a'b",
    "a\"b",
    "a\\b",
    "a#b",
    "a%b",
    "a?b",
    "a\u{202e}b",
    "a\u{200b}b",
    "a\u{9b}2Jb",
    "a\x1b[2Jb",
    "é",
];

/// A way to fill one argument.
type FillText = fn(&Artifact, &str) -> Result<(), Error>;
/// A way to fill one list.
type FillList = fn(&Artifact, usize) -> Result<(), Error>;

impl Plugin for Arguments {
    const SERVICE: &'static str = "arguments";

    fn source() -> Source {
        unidesk_user_service(Some("tests/guests/arguments"))
    }

    fn environments() -> Vec<Environment> {
        ["long", "too-long", "tricky"]
            .into_iter()
            .map(|name| Environment {
                name: name.to_owned(),
                shape: "main-server-compose".to_owned(),
                runtime: "main-server".to_owned(),
                affects: Vec::new(),
                excludes: Vec::new(),
                after: None,
            })
            .collect()
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        COMMIT.get_or_init(|| request.commit.clone());
        let artifact = registry::resolve(&request.service, &request.commit, &[])?;
        // Below the limit of a call, and above it; in one text, and in the entries of a list.
        let (text, entries) = match request.environment.as_str() {
            "tricky" => return tricky(&artifact),
            "long" => (200_000, 2_000),
            _ => (300_000, 100_000),
        };
        let number = request.commit.trim_start_matches('0').parse().unwrap_or(0_usize);
        let told = if let Some((name, fill)) = texts::ALL.get(number) {
            log::info(&format!("{name}: {text} bytes"));
            fill(&artifact, &"x".repeat(text))
        } else if let Some((name, fill)) = lists::ALL.get(number - texts::ALL.len()) {
            log::info(&format!("{name}: {entries} entries"));
            fill(&artifact, entries)
        } else {
            return Err(Failure::failed("there is no argument of this number", ""));
        };
        Ok(told?)
    }
}

plugin_sdk::register!(Arguments);

/// Every tricky text into every argument: names those that the host did not refuse.
fn tricky(artifact: &Artifact) -> Result<(), Failure> {
    for (name, fill) in texts::ALL {
        let taken: Vec<String> = TRICKY
            .iter()
            .filter(|text| !matches!(fill(artifact, text), Err(Error::Invalid(_))))
            .map(|text| format!("{text:?}"))
            .collect();
        if !taken.is_empty() {
            log::info(&format!("{name} takes {}", taken.join(" ")));
        }
    }
    Err(Failure::failed("tried them all", ""))
}
