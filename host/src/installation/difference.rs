//! What an install changes in a managed file, for a reviewer. Somebody may have written a credential into it by hand, so only
//! such values are shown as stand beside a key that host writes itself.

use std::collections::BTreeSet;

use similar::{ChangeTag, TextDiff};

/// Unchanged lines that are shown around a change.
const AROUND: usize = 1;

/// From the lines that are there to the content that is wanted: `- ` goes, `+ ` comes.
#[must_use]
pub fn difference(present: &[String], wanted: &str) -> Vec<String> {
    let known: BTreeSet<&str> = wanted.lines().filter_map(key).collect();
    let present: Vec<&str> = present.iter().map(String::as_str).collect();
    let wanted: Vec<&str> = wanted.lines().collect();
    let diff = TextDiff::from_slices(&present, &wanted);
    let mut lines = Vec::new();
    for hunk in diff.grouped_ops(AROUND) {
        for change in hunk.iter().flat_map(|part| diff.iter_changes(part)) {
            lines.push(match change.tag() {
                ChangeTag::Equal => format!("  {}", change.value()),
                ChangeTag::Insert => format!("+ {}", change.value()),
                ChangeTag::Delete => format!("- {}", shown(change.value(), &known)),
            });
        }
    }
    lines
}

/// A line that somebody else wrote, as far as it may be told.
fn shown(line: &str, known: &BTreeSet<&str>) -> String {
    let begins = &line[..line.len() - line.trim_start().len()];
    let address = |c: char| c.is_ascii_digit() || ".:[]\"- ".contains(c);
    match key(line) {
        _ if line.trim().chars().all(address) => line.to_owned(),
        Some(key) if known.contains(key) => line.to_owned(),
        Some(key) => format!("{begins}{key}: (not shown)"),
        None => format!("{begins}(not shown)"),
    }
}

/// What a line of YAML or of a unit is about; nothing for a comment, or for one that does not say.
fn key(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches("- ");
    let (key, _) = line.split_once([':', '='])?;
    let key = key.trim_end();
    let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (!key.is_empty() && key.chars().all(named)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_shown_where_host_writes_the_same_kind_of_thing() {
        let present = [
            "version: 0.1",
            "storage:",
            "  s3:",
            "    secretkey: hunter2",
            "    cache:",
            "# password hunter2",
            "http:",
            "  addr: :6000",
            "ports:",
            "  - \"0.0.0.0:5000:5000\"",
            "  hunter2",
        ]
        .map(str::to_owned);
        let wanted =
            "version: 0.1\nstorage:\n  cache:\nhttp:\n  addr: :5000\nports:\n  - \"127.0.0.1:5000:5000\"\n";
        let lines = difference(&present, wanted).join("\n");
        assert!(!lines.contains("hunter2"), "{lines}");
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn the_same_is_no_difference() {
        assert_eq!(difference(&["a: 1".to_owned()], "a: 1\n"), [""; 0]);
    }
}
