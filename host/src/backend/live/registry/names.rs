//! Lists of names: the registry's catalogue, and the tags of a repository (OCI distribution specification, "Listing Tags").
//!
//! A registry gives them in pieces, in its own order, or all at once whatever was asked for. They are read to their end, and
//! where the next piece begins follows from the names themselves: no address that an answer gives is ever gone to.

use std::collections::BTreeSet;
use std::fmt::Write;

use bytes::Bytes;
use hyper::header::LINK;
use hyper::{Method, Response};
use serde_json::Value;

use super::fetch::Reader;
use crate::answer::CallError;
use crate::backend::live::json;
use crate::words::plain;

/// How many are asked for at a time: what a registry gives unasked, so that none finds it too many.
const PIECE: usize = 100;
/// Most names of one list.
const MOST: usize = 100_000;
/// Longest name, in bytes; the specification allows a repository 255, and a tag 128.
const LONGEST: usize = 255;
/// Characters of a parser's message.
const SHOWN: usize = 160;

/// Every name of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each once, sorted.
    pub all: BTreeSet<String>,
    /// How many were too long to be one.
    pub too_long: usize,
}

/// Reads the list that is at `path`, in the field `key`; nothing where the registry knows of none.
///
/// # Errors
/// As for [`Reader::ask`], and [`CallError::Mismatch`] for what is no such list or has no end.
pub async fn names(reader: &Reader<'_>, path: &str, key: &str) -> Result<Option<Names>, CallError> {
    let mut names = Names::default();
    let mut address = format!("{path}?n={PIECE}");
    loop {
        let Some(response) = reader.ask(Method::GET, &address, "application/json").await? else {
            return Ok(None);
        };
        let wrong = |why: String| CallError::Mismatch(format!("{}: {why}", reader.url(path)));
        let piece = read(response.body(), key).map_err(wrong)?;
        let last = piece.last().cloned();
        let known = names.all.len();
        names.take(piece);
        if names.all.len() + names.too_long > MOST {
            return Err(wrong(format!("it lists more than {MOST} names")));
        }
        if !continues(&response) {
            return Ok(Some(names));
        }
        address = match last {
            Some(last) if last.len() <= LONGEST && names.all.len() > known => {
                format!("{path}?n={PIECE}&last={}", escaped(&last))
            }
            _ => return Err(wrong("it says that it goes on, and does not".to_owned())),
        };
    }
}

impl Names {
    fn take(&mut self, piece: Vec<String>) {
        for name in piece {
            if name.len() > LONGEST {
                self.too_long += 1;
            } else {
                self.all.insert(name);
            }
        }
    }
}

/// One piece. An empty one is often `null`.
fn read(body: &[u8], key: &str) -> Result<Vec<String>, String> {
    let mut document = json::parse(body)
        .map_err(|error| format!("it cannot be read: {}", plain(&error.to_string(), SHOWN)))?;
    let no_list = || format!("it has no list of names under {key:?}: is it an image registry?");
    match document.get_mut(key).map(Value::take) {
        Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(names)) => names
            .into_iter()
            .map(|name| match name {
                Value::String(name) => Ok(name),
                _ => Err(no_list()),
            })
            .collect(),
        _ => Err(no_list()),
    }
}

/// Whether the registry says that more follows (RFC 8288).
fn continues(response: &Response<Bytes>) -> bool {
    let links = response.headers().get_all(LINK).into_iter().filter_map(|link| link.to_str().ok());
    links.flat_map(|link| link.split(';')).any(|part| {
        let part = part.split(',').next().unwrap_or_default();
        part.trim().strip_prefix("rel=").is_some_and(|relation| relation.trim_matches('"') == "next")
    })
}

/// As the value of a query (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().fold(String::new(), |mut shown, byte| {
        if plain(&byte) {
            shown.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(shown, "%{byte:02X}");
        }
        shown
    })
}

#[cfg(test)]
mod tests;
