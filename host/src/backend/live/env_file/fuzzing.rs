//! What must hold of any env file.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use super::decode::Values;
use super::quoting::{go_quoted, json_quoted, reduced_text};
use super::secrets::{HIDDEN, Secrets};
use super::text;
use crate::fuzzing::parted;

/// The key that is edited; short, so that it is met by chance.
const KEY: &str = "K";
/// What is written: a commit, a word, a URL, nothing.
const VALUES: [&str; 4] = ["0a1b2c3d", "v", "https://a.b/c:d", ""];
/// What a text may begin with, as UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// Fewer characters are taken out only where they stand alone.
const SHORT: usize = 4;
/// So many bytes of a value are taken out wherever they stand.
const PIECE: usize = 8;

/// Any text is an env file: editing it brings one key to one value, and every other byte stays.
pub fn env_file(file: &[u8]) {
    let before = match text::value(file, KEY) {
        Ok(found) => found,
        Err(line) => {
            assert!((1..=lines(file).len()).contains(&line), "there is no line {line}");
            assert_eq!(text::with(file, KEY, "v"), Err(line));
            assert_eq!(text::without(file, KEY), Err(line));
            return;
        }
    };
    for value in VALUES {
        let after = text::with(file, KEY, value).expect("what can be read can be edited");
        edited(file, &after, value);
        let removed = text::without(&after, KEY).expect("what was edited can be edited");
        if before.is_none() {
            assert_eq!(shown(&removed), shown(file), "the way back");
        }
        // A mark in the middle of a text is none, unless everything before it goes.
        if removed.starts_with(MARK) == after.starts_with(MARK) {
            removed_only(&after, &removed);
        }
        // The way back to another value, where all assignments had the same. Quotes that nothing needs stay.
        if !value.is_empty()
            && let Some(before) = &before
            && let Ok(old) = std::str::from_utf8(&before.value)
            && own(file).iter().all(|entry| entry.value == before.value)
        {
            let back = text::with(&after, KEY, old).expect("what was edited can be edited");
            assert_eq!(shown(&back), shown(file), "the way back");
        }
    }
}

/// `after` is `before` with `value` as the value of [`KEY`].
fn edited(before: &[u8], after: &[u8], value: &str) {
    let found = text::value(after, KEY).expect("still closed").expect("assigned");
    assert_eq!(shown(&found.value), value);
    assert!(own(after).iter().all(|entry| entry.value == value.as_bytes()), "the same in every assignment");
    assert_eq!(others(before), others(after), "other assignments stay");
    if own(before).is_empty() {
        let new = after.strip_prefix(before).expect("everything stays before a new line");
        assert_eq!(shown(new.trim_ascii()), format!("{KEY}={value}"));
    } else if !value.is_empty() {
        assert_eq!(shown(&besides(before)), shown(&besides(after)), "every byte beside the value stays");
    }
    assert_eq!(text::with(after, KEY, value).as_deref(), Ok(after), "once more changes nothing");
}

/// `after` is `before` without the assignments of [`KEY`], and every line without one stays.
fn removed_only(before: &[u8], after: &[u8]) {
    assert_eq!(text::value(after, KEY), Ok(None));
    assert_eq!(others(before), others(after), "other assignments stay");
    let gone: Vec<_> = own(before).into_iter().map(|entry| entry.whole).collect();
    let touched =
        |line: &Range<usize>| gone.iter().any(|gone| gone.start < line.end && line.start < gone.end);
    let after = lines(after);
    let mut left = after.iter().map(|line| line.1.trim_ascii());
    for (_, line) in lines(before).iter().filter(|(place, _)| !touched(place)) {
        let line = line.trim_ascii();
        assert!(left.any(|one| one == line), "{} is gone", shown(line));
    }
}

/// Every line of a text with its place, without the mark that a text may begin with.
fn lines(text: &[u8]) -> Vec<(Range<usize>, &[u8])> {
    let mut start = text.len();
    let text = text.strip_prefix(MARK).unwrap_or(text);
    start -= text.len();
    let place = |line| {
        let place = start..start + <[u8]>::len(line);
        start = place.end + 1;
        (place, line)
    };
    text.split(|&byte| byte == b'\n').map(place).collect()
}

fn own(text: &[u8]) -> Vec<text::Entry<'_>> {
    text::entries(text).into_iter().filter(|entry| entry.key == KEY.as_bytes()).collect()
}

fn others(text: &[u8]) -> Vec<(String, String, Option<u8>)> {
    let others = text::entries(text).into_iter().filter(|entry| entry.key != KEY.as_bytes());
    others.map(|entry| (shown(entry.key), shown(entry.value), entry.quote)).collect()
}

/// The text without the values of [`KEY`].
fn besides(text: &[u8]) -> Vec<u8> {
    let mut besides = text.to_vec();
    for entry in own(text).into_iter().rev() {
        let end = entry.whole.end - usize::from(entry.quote.is_some());
        besides.drain(end - entry.value.len()..end);
    }
    besides
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// An env file, and what somebody says who read it: no value of it survives, whatever form it has there.
pub fn secrets(input: &[u8]) {
    let (file, said) = parted(input);
    let secrets = Secrets::of(file, &[], "");
    let values = values(file);
    let said = String::from_utf8_lossy(said);
    assert_hidden(&secrets.hide(&said), &values);
    for value in &values {
        for form in [
            value.clone(),
            format!("\"{}\"", go_quoted(value)),
            format!("\"{}\"", go_quoted(&go_quoted(value))),
            json_quoted(value),
            format!("{value:?}"),
            value.to_ascii_uppercase(),
        ] {
            assert_hidden(&secrets.hide(&format!("{said} invalid: {form}, so")), &values);
        }
    }
    // A line that cannot be read is repeated whole.
    for (_, line) in lines(file) {
        let line = String::from_utf8_lossy(line);
        let told = secrets.hide(&format!("unexpected {line}!"));
        let line = reduced_text(line.trim());
        let whole = told.split(HIDDEN).any(|part| reduced_text(part).contains(&line));
        assert!(!whole || line.chars().count() < SHORT, "{line:?} survives in {told:?}");
    }
    if values.is_empty() && !said.contains(HIDDEN) && file.trim_ascii().is_empty() {
        assert_eq!(secrets.hide(&said), said, "nothing is taken out without a reason");
    }
}

/// What may be secret: every value as it is written, and as Compose hands it on.
pub fn values(file: &[u8]) -> Vec<String> {
    let mut decoded = Values::default();
    let both =
        |entry: &text::Entry<'_>| [String::from_utf8_lossy(entry.value).into_owned(), decoded.next(entry)];
    let values: BTreeSet<_> = text::entries(file).iter().flat_map(both).collect();
    values.into_iter().collect()
}

/// No value, and no longer piece of one, is in a text that was made fit for telling.
pub fn assert_hidden(told: &str, values: &[String]) {
    let pieces: HashSet<Vec<u8>> = values
        .iter()
        .flat_map(|value| {
            reduced_text(value).as_bytes().windows(PIECE).map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    // Beside something that was taken out no word stands alone.
    let words = reduced_text(&told.replace(HIDDEN, "taken"));
    let words: HashSet<_> = words.split(|c: char| !c.is_alphanumeric()).collect();
    // What stands for a secret is nobody's secret, nor what comes together around it.
    for part in told.split(HIDDEN) {
        let reduced = reduced_text(part);
        for value in values.iter().map(|value| reduced_text(value)) {
            if value.chars().count() >= SHORT {
                assert!(!reduced.contains(&value), "{value:?} survives in {told:?}");
            } else if !value.is_empty() && value.chars().all(char::is_alphanumeric) {
                assert!(!words.contains(value.as_str()), "{value:?} survives in {told:?}");
            }
        }
        let piece = reduced.as_bytes().windows(PIECE).find(|piece| pieces.contains(*piece));
        assert!(piece.is_none(), "{:?} survives in {told:?}", piece.map(shown));
    }
}
