//! What is said of a `host.toml` that cannot be read: where and why, never the line itself. The file may be the wrong one,
//! and a wrong one may hold passwords.

use std::borrow::Cow;

use crate::fault::Fault;
use crate::words::{nearest, plain};

/// Longest reason, in characters: keys in it are the file's own.
const LONGEST: usize = 600;

/// Keys and kinds of the design that come with a later release.
const LATER: &[&str] = &["approvals"];

/// The fault of a text that is no TOML, or has a key or value that is unknown here.
pub fn invalid(name: &str, text: &str, error: &toml::de::Error) -> Fault {
    let at = error.span().map(|span| position(text, span.start)).unwrap_or_default();
    let told = Told::of(error.message());
    let why = match &told {
        Told::Later(word) => format!("{word:?} is not in this release"),
        _ => plain(&without_text(error.message()), LONGEST),
    };
    let all = "see the Configuration section of README.md for all keys";
    let help = match told {
        Told::Later(_) => format!("leave it out; {all}"),
        Told::Near { unknown, known } => {
            format!("there is no key {unknown:?} here; did you mean {known:?}?")
        }
        Told::Other => all.to_owned(),
    };
    Fault::usage("config-invalid", format!("{name}{at}: {why}"), help)
}

/// A text where another type belongs may be anything, so it is not repeated; numbers and keys are.
pub(super) fn without_text(message: &str) -> Cow<'_, str> {
    let text = ["invalid type: string", "invalid value: string"];
    match (text.into_iter().find(|text| message.starts_with(text)), message.rsplit_once(", expected ")) {
        (Some(text), Some((_, expected))) => format!("{text}, expected {expected}").into(),
        _ => message.into(),
    }
}

/// `, line 3, column 1` of a byte of `text`.
fn position(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(", line {line}, column {column}")
}

/// What a message of the parser says of a key.
enum Told<'a> {
    /// It comes later.
    Later(&'a str),
    /// It is like one that is known.
    Near { unknown: &'a str, known: &'a str },
    /// Nothing that helps.
    Other,
}

impl<'a> Told<'a> {
    /// Serde names the unknown word between back-ticks, and after it the known ones.
    fn of(message: &'a str) -> Self {
        let field = message.starts_with("unknown field");
        if !field && !message.starts_with("unknown variant") {
            return Self::Other;
        }
        let mut words = message.split('`').skip(1).step_by(2);
        let Some(unknown) = words.next() else { return Self::Other };
        if LATER.contains(&unknown) {
            return Self::Later(unknown);
        }
        match nearest(unknown, words).filter(|_| field) {
            Some(known) => Self::Near { unknown, known },
            None => Self::Other,
        }
    }
}
