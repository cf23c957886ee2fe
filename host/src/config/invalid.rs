//! What is said of a `host.toml` that cannot be read: where and why, never the line itself. The file may be the wrong one,
//! and a wrong one may hold passwords.

use std::borrow::Cow;

use crate::fault::Fault;
use crate::words::{nearest, plain};

/// Longest reason, in characters: keys in it are the file's own.
const LONGEST: usize = 600;

/// The fault of a text that is no TOML, or has a key or value that is unknown here.
pub fn invalid(name: &str, text: &str, error: &toml::de::Error) -> Fault {
    let at = error.span().map(|span| position(text, span.start)).unwrap_or_default();
    let why = plain(&without_text(error.message()), LONGEST);
    let help = match near(error.message()) {
        Some((unknown, known)) => format!("there is no key {unknown:?} here; did you mean {known:?}?"),
        None => "see the Configuration section of README.md for all keys".to_owned(),
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

/// The unknown key that a message of the parser names, and a known one that is like it. Serde names the unknown word between
/// back-ticks, and after it the known ones.
fn near(message: &str) -> Option<(&str, &str)> {
    if !message.starts_with("unknown field") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = words.next()?;
    nearest(unknown, words).map(|known| (unknown, known))
}
