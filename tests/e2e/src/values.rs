//! Whether a value that must stay where it is has got anywhere else, in whatever form.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Searches every file below `folder` that is no source.
pub fn search(folder: &Path, sources: &[PathBuf], values: &[String], searched: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, sources, values, searched);
        } else if !sources.contains(&path) {
            let bytes = std::fs::read(&path).expect("a file");
            let name = path.display().to_string();
            none_in(&name, &String::from_utf8_lossy(&bytes), values);
            searched.push(name);
        }
    }
}

/// Refuses a text that has one of these values in any form.
pub fn none_in(what: &str, text: &str, values: &[String]) {
    for value in values {
        for form in forms(value) {
            let at = text.find(&form);
            let before = at.map(|at| text[..at].chars().rev().take(200).collect::<Vec<_>>());
            let before = before.map(|before| before.into_iter().rev().collect::<String>());
            assert_eq!(before, None, "{what} holds {value} as {form}");
        }
    }
}

/// Whether a source has the value, as it is written there.
#[must_use]
pub fn holds(text: &str, value: &str) -> bool {
    forms(value).iter().any(|form| text.contains(form))
}

/// What a value looks like when somebody hands it on: whole, in halves, escaped, in hexadecimal digits, in base64 from
/// wherever in a longer text it stands.
fn forms(value: &str) -> Vec<String> {
    let middle = value.len() / 2;
    let hex = |upper: bool| {
        value.bytes().fold(String::new(), |mut text, byte| {
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
            text
        })
    };
    let escaped = serde_json::to_string(value).expect("a text");
    let mut forms = vec![value.to_owned(), value[..middle].to_owned(), value[middle..].to_owned()];
    forms.push(escaped.trim_matches('"').to_owned());
    forms.extend([hex(false), hex(true)]);
    forms.extend((0..3).map(|shift| base64(value.as_bytes(), shift)));
    forms
}

/// The letters of base64 that depend on `bytes` alone, when `shift` bytes stand before them.
fn base64(bytes: &[u8], shift: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = std::iter::repeat_n(&0, shift)
        .chain(bytes)
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let first = (shift * 8).div_ceil(6);
    bits.chunks_exact(6)
        .skip(first)
        .map(|six| char::from(LETTERS[six.iter().fold(0, |index, bit| index << 1 | usize::from(*bit))]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_are_looked_for_are_those_that_others_write() {
        let value = "controlledQz0Hj8Lp3Wm4Xy9Kv2Rt";
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}{value}xyz");
            let encoded = base64(text.as_bytes(), 0);
            assert!(holds(&encoded, value), "{encoded}");
        }
        assert_eq!(base64(b"Man", 0), "TWFu");
        assert_eq!(base64(b"light w", 0), "bGlnaHQgd", "the last letter depends on what follows");
        assert!(holds(
            "636f6e74726f6c6c6564517a30486a384c7033576d34587939 4b7632".replace(' ', "").as_str(),
            "controlledQz0Hj8Lp3Wm4Xy9Kv2"
        ));
        assert!(holds(r#"{"a":"x \"8\" y"}"#, "x \"8\" y"));
        assert!(!holds("nothing of it", value));
    }
}
