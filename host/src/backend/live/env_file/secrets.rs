//! Takes what an env file holds out of a text, in whichever form it got there: Compose and the libraries under it repeat
//! values that they cannot use, resolved, quoted, or in the parts that they split them into.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::path::Path;

use super::LARGEST;
use super::decode::Values;
use super::quoting::{go_quoted, json_quoted, reduced, reduced_text};
use super::text::{Entry, entries};
use crate::backend::live::machine::{self, Looked, Machine};
use crate::names::EnvKey;

/// What stands for something taken out.
pub const HIDDEN: &str = "[hidden]";
/// Fewer characters are a word like `yes` or `80`: taken out where they stand alone. Inside of words they are everywhere.
const SHORTEST: usize = 4;
/// So many bytes in common with a value are no coincidence.
const COMMON: usize = 8;

/// The values of an env file; they are never shown. Nothing where the file could not be read, or would become too long:
/// everything may be one then.
pub struct Secrets(Option<Forms>);

/// What is taken out, all of it in the form of [`reduced`].
#[derive(Default)]
struct Forms {
    /// Wherever it stands, if it is not short.
    whole: BTreeSet<Vec<u8>>,
    /// Any piece of a value that is this long.
    pieces: HashSet<[u8; COMMON]>,
    /// All values: a word that is in here may be the beginning of one.
    values: String,
    /// What is told anyway: pieces and words of it may be those of values.
    known: String,
}

impl Secrets {
    /// Of the file at `path` of `machine`. The values of the keys in `stamped` are no secrets: deploys wrote them. `known` is
    /// what is told anyway.
    pub async fn read(machine: &Machine, path: &Path, stamped: &[EnvKey], known: &str) -> Self {
        match machine.look(path, LARGEST + 1).await {
            Ok(Looked { entry: machine::Entry::File(found), .. }) if found.bytes.len() as u64 <= LARGEST => {
                Self::of(&found.bytes, stamped, known)
            }
            _ => Self(None),
        }
    }

    /// Of a file with this content.
    pub fn of(file: &[u8], stamped: &[EnvKey], known: &str) -> Self {
        let mut values = Values::default();
        let entries = entries(file);
        let decoded: Vec<_> = entries.iter().map(|entry| values.next(entry)).collect();
        if values.are_cut() {
            return Self(None);
        }
        let mut forms = Forms { known: reduced_text(known), ..Forms::default() };
        for (entry, value) in entries.iter().zip(decoded) {
            if !is_stamp(entry, stamped) {
                forms.value(&String::from_utf8_lossy(entry.value));
                forms.value(&value);
            }
        }
        forms.lines(file, &entries, stamped);
        Self(Some(forms))
    }

    /// `text` with [`HIDDEN`] in the place of every value and every longer part of one.
    pub fn hide(&self, text: &str) -> String {
        let Some(forms) = &self.0 else { return HIDDEN.to_owned() };
        let mut hidden = vec![false; text.len()];
        for range in forms.wholes(text).into_iter().chain(forms.words(text)) {
            hidden[range].fill(true);
        }
        let mut shown = String::new();
        let mut before = false;
        for (at, c) in text.char_indices() {
            // A piece may begin or end inside a character.
            let here = hidden[at..at + c.len_utf8()].contains(&true);
            match (here, before) {
                (true, false) => shown.push_str(HIDDEN),
                (true, true) => {}
                (false, _) => shown.push(c),
            }
            before = here;
        }
        shown
    }
}

impl Forms {
    /// Where `text` has a whole value, or a long piece of one.
    fn wholes(&self, text: &str) -> Vec<Range<usize>> {
        let (bytes, places) = reduced(text);
        let place = |at: usize, length: usize| places[at]..places[at + length - 1] + 1;
        let pieces = bytes
            .array_windows::<COMMON>()
            .enumerate()
            .filter(|(_, window)| self.pieces.contains(*window))
            .map(|(at, _)| place(at, COMMON));
        let mut found: Vec<_> = pieces.collect();
        for form in &self.whole {
            let short = String::from_utf8_lossy(form).chars().count() < SHORTEST;
            for (at, _) in bytes.windows(form.len()).enumerate().filter(|(_, window)| window == form) {
                let here = place(at, form.len());
                let in_word = text[..here.start].ends_with(char::is_alphanumeric)
                    || text[here.end..].starts_with(char::is_alphanumeric);
                if !(short && in_word) {
                    found.push(here);
                }
            }
        }
        found
    }

    /// Where `text` has a word that some value contains: who reads a number out of a value complains of its beginning.
    fn words(&self, text: &str) -> Vec<Range<usize>> {
        let mut start = 0;
        let mut found = Vec::new();
        for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
            let end = start + word.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
            let reduced = reduced_text(&text[start..end]);
            let long = reduced.chars().count() >= SHORTEST;
            if long && self.values.contains(&reduced) && !self.known.contains(&reduced) {
                found.push(start..end);
            }
            start += word.len();
        }
        found
    }

    /// A value, whole and in parts.
    fn value(&mut self, value: &str) {
        for form in [value, value.trim(), &go_quoted(value), &json_quoted(value), &format!("{value:?}")] {
            self.whole(form);
        }
        value.lines().for_each(|line| self.whole(line.trim()));
        self.parts(value);
    }

    fn whole(&mut self, text: &str) {
        let form = reduced(text).0;
        if !form.is_empty() {
            self.whole.insert(form);
        }
    }

    /// What remains when somebody splits a text at its punctuation (`5432` of `db:5432`), or cuts it anywhere.
    fn parts(&mut self, text: &str) {
        for part in text.split(|c: char| !c.is_alphanumeric()).map(reduced_text) {
            if part.chars().count() >= SHORTEST && !self.known.contains(&part) {
                self.whole(&part);
            }
        }
        let reduced = reduced_text(text);
        let known: HashSet<_> = self.known.as_bytes().array_windows::<COMMON>().collect();
        self.pieces.extend(reduced.as_bytes().array_windows().filter(|piece| !known.contains(*piece)));
        self.values.extend(["\n", &reduced]);
    }

    /// Whole lines, as complaints about the file itself repeat them; all parts of a line that cannot be understood.
    fn lines(&mut self, file: &[u8], entries: &[Entry<'_>], stamped: &[EnvKey]) {
        let mut start = 0;
        for line in file.split_inclusive(|&byte| byte == b'\n') {
            let here = start..start + line.len();
            start = here.end;
            let touching =
                || entries.iter().filter(|one| one.whole.start < here.end && here.start < one.whole.end);
            if touching().any(|one| is_stamp(one, stamped)) {
                continue;
            }
            let understood = touching().any(|one| is_key(one.key));
            let line = String::from_utf8_lossy(line);
            self.whole(line.trim());
            if let Some((_, value)) = line.split_once(['=', ':']) {
                self.whole(value.trim());
            }
            if !understood && !line.trim_start().starts_with('#') {
                self.parts(&line);
            }
        }
    }
}

/// What Compose takes for a key.
fn is_key(key: &[u8]) -> bool {
    key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(byte))
}

fn is_stamp(entry: &Entry<'_>, stamped: &[EnvKey]) -> bool {
    stamped.iter().any(|key| key.as_str().as_bytes() == entry.key)
}

#[cfg(test)]
mod tests;
