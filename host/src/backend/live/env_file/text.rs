//! The text of an env file, read as Compose reads it, byte by byte: what is not the value of a wanted key is never
//! touched, whatever it is.
//!
//! Compose's reader knows `KEY=value`, `KEY: value`, `export KEY=value` and blanks around all of them; values in single
//! or double quotes that may go over several lines; comments of whole lines, and after ` #`. A key alone in its line takes
//! its value from the environment, which is empty here: it assigns nothing.

use std::ops::Range;

/// Some editors begin a file with it; Compose skips it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The value that holds for a key.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// As written, without quotes.
    pub value: Vec<u8>,
    /// The line of its assignment, from 1.
    pub line: usize,
}

/// Where the parts of one assignment are.
struct Assignment {
    key: Range<usize>,
    /// Without quotes.
    value: Range<usize>,
    /// From the key, or the `export` before it, to the end of the value and its quote.
    whole: Range<usize>,
}

/// The last assignment of `key`: the one that holds.
///
/// # Errors
/// The line of a quote that is never closed.
pub fn value(text: &[u8], key: &str) -> Result<Option<Found>, usize> {
    let last = of(text, key)?.pop();
    Ok(last.map(|last| Found { line: line_of(text, last.whole.start), value: text[last.value].to_vec() }))
}

/// `text` with `value` in every assignment of `key`, or with an assignment at its end if there is none. `value` needs no
/// quotes, unless it is empty, and stays inside those that are there.
///
/// # Errors
/// The line of a quote that is never closed.
pub fn with(text: &[u8], key: &str, value: &str) -> Result<Vec<u8>, usize> {
    let found = of(text, key)?;
    let mut text = text.to_vec();
    if found.is_empty() {
        append(&mut text, format!("{key}={value}").as_bytes());
    }
    // From the end, so that what is still to come keeps its place.
    for assignment in found.into_iter().rev() {
        let rest = &text[assignment.whole.end..line_end(&text, assignment.whole.end)];
        // Nothing before a comment: Compose takes the comment for the value.
        let bare = assignment.whole.end == assignment.value.end && !rest.trim_ascii().is_empty();
        let value = if value.is_empty() && bare { "\"\"" } else { value };
        text.splice(assignment.value, value.bytes());
    }
    Ok(text)
}

/// `text` without any assignment of `key`.
///
/// # Errors
/// The line of a quote that is never closed.
pub fn without(text: &[u8], key: &str) -> Result<Vec<u8>, usize> {
    let mut text = text.to_vec();
    while let Some(last) = of(&text, key)?.pop() {
        text.drain(removed(&text, &last.whole));
    }
    Ok(text)
}

/// A new last line in the line ending of the file; a file whose last line has no end keeps it that way.
fn append(text: &mut Vec<u8>, line: &[u8]) {
    let windows = text.ends_with(b"\r\n")
        // Another line ending would make this half of one a whole one.
        || text.ends_with(b"\r")
        || text.iter().rposition(|&byte| byte == b'\n').is_some_and(|end| text[..end].ends_with(b"\r"));
    let ending: &[u8] = if windows { b"\r\n" } else { b"\n" };
    if text.ends_with(b"\n") || text.is_empty() || text == BYTE_ORDER_MARK {
        text.extend_from_slice(line);
        text.extend_from_slice(ending);
    } else {
        text.extend_from_slice(ending);
        text.extend_from_slice(line);
    }
}

/// What goes with an assignment: its whole line, unless that holds something else too.
fn removed(text: &[u8], whole: &Range<usize>) -> Range<usize> {
    let start =
        text[..whole.start].iter().rposition(|&byte| byte == b'\n').map_or(first(text), |end| end + 1);
    let end = line_end(text, whole.end);
    let rest = text[whole.end..end].trim_ascii();
    if !text[start..whole.start].trim_ascii().is_empty() || !(rest.is_empty() || rest.starts_with(b"#")) {
        return whole.clone();
    }
    if end < text.len() {
        return start..end + 1;
    }
    // The last line without an end: the line before it becomes one.
    let before = text[..start]
        .strip_suffix(b"\n")
        .map_or(&text[..start], |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    before.len()..end
}

/// One assignment of any key, as written.
#[derive(Debug)]
pub struct Entry<'t> {
    /// The key.
    pub key: &'t [u8],
    /// The value without quotes; escapes and variables are as they were written.
    pub value: &'t [u8],
    /// The quote around the value.
    pub quote: Option<u8>,
    /// Where all of it is, from the key to the quote.
    pub whole: Range<usize>,
}

/// Every assignment up to the first thing that Compose cannot read.
pub fn entries(text: &[u8]) -> Vec<Entry<'_>> {
    assignments(text).0.into_iter().map(|one| Entry::of(text, one)).collect()
}

/// Every assignment.
///
/// # Errors
/// The line of a quote that is never closed.
pub fn all_entries(text: &[u8]) -> Result<Vec<Entry<'_>>, usize> {
    let (all, unclosed) = assignments(text);
    unclosed.map_or(Ok(()), Err)?;
    Ok(all.into_iter().map(|one| Entry::of(text, one)).collect())
}

impl<'t> Entry<'t> {
    fn of(text: &'t [u8], one: Assignment) -> Self {
        Self {
            key: &text[one.key],
            quote: (one.whole.end > one.value.end).then(|| text[one.value.end]),
            value: &text[one.value],
            whole: one.whole,
        }
    }
}

fn of(text: &[u8], key: &str) -> Result<Vec<Assignment>, usize> {
    let (mut all, unclosed) = assignments(text);
    if let Some(line) = unclosed {
        return Err(line);
    }
    all.retain(|one| &text[one.key.clone()] == key.as_bytes());
    Ok(all)
}

/// All assignments, or those before the line of a quote that is never closed.
fn assignments(text: &[u8]) -> (Vec<Assignment>, Option<usize>) {
    let mut found = Vec::new();
    let mut at = first(text);
    loop {
        at = skip(text, at, |byte| blank(byte) || byte == b'\n');
        let Some(&byte) = text.get(at) else { return (found, None) };
        if byte == b'#' {
            at = line_end(text, at);
            continue;
        }
        let start = at;
        if text[at..].starts_with(b"export") && text.get(at + 6).copied().is_some_and(blank) {
            at = skip(text, at + 6, blank);
        }
        let separator = skip(text, at, |byte| !matches!(byte, b'=' | b':' | b'\n'));
        let key = at..at + text[at..separator].trim_ascii_end().len();
        if text.get(separator).is_none_or(|&byte| byte == b'\n') {
            at = separator;
            continue;
        }
        let (value, end) = match value_at(text, skip(text, separator + 1, blank)) {
            Ok(found) => found,
            Err(line) => return (found, Some(line)),
        };
        at = end;
        found.push(Assignment { key, value, whole: start..end });
    }
}

/// The value that begins at `at`, and where it ends with its quote.
fn value_at(text: &[u8], at: usize) -> Result<(Range<usize>, usize), usize> {
    let Some(&quote @ (b'"' | b'\'')) = text.get(at) else {
        let line = &text[at..line_end(text, at)];
        let comment = line.windows(2).position(|pair| pair == b" #").unwrap_or(line.len());
        let end = at + line[..comment].trim_ascii_end().len();
        return Ok((at..end, end));
    };
    let mut escaped = false;
    for (offset, &byte) in text[at + 1..].iter().enumerate() {
        if byte == quote && !escaped {
            let end = at + 1 + offset;
            return Ok((at + 1..end, end + 1));
        }
        escaped = byte == b'\\' && !escaped;
    }
    Err(line_of(text, at))
}

fn first(text: &[u8]) -> usize {
    if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
}

fn skip(text: &[u8], from: usize, skipped: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|&byte| !skipped(byte)).map_or(text.len(), |offset| from + offset)
}

fn line_end(text: &[u8], from: usize) -> usize {
    skip(text, from, |byte| byte != b'\n')
}

fn line_of(text: &[u8], at: usize) -> usize {
    text[..at].split(|&byte| byte == b'\n').count()
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}
