//! Words for messages. Whatever comes from outside is escaped and cut before it reaches a terminal, a log or a plugin.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

/// `text` in quotes, with control and invisible characters escaped, cut where more than `longest` characters would be shown.
#[must_use]
pub fn quoted(text: &str, longest: usize) -> String {
    let mut shown = 0;
    for (at, c) in text.char_indices() {
        shown += if c == '\'' { 1 } else { c.escape_debug().count() };
        if shown > longest {
            return format!("{:?}…", &text[..at]);
        }
    }
    format!("{text:?}")
}

/// The beginning of `bytes` as [`quoted`] text; what is no UTF-8 shows as the replacement character.
#[must_use]
pub fn quoted_bytes(bytes: &[u8], longest: usize) -> String {
    // A character has at most four bytes: more of them need not be looked at.
    let most = longest.saturating_mul(4).saturating_add(4);
    quoted(&String::from_utf8_lossy(&bytes[..bytes.len().min(most)]), longest)
}

/// `text` without quotes, for texts that quote what they found themselves: escaped and cut all the same.
#[must_use]
pub fn plain(text: &str, longest: usize) -> String {
    let mut chars = text.chars();
    // `'` and `"` are printable; everything else is escaped as in `quoted`.
    let shown = chars.by_ref().take(longest).fold(String::new(), |mut shown, c| {
        if is_shown(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_debug());
        }
        shown
    });
    if chars.next().is_none() { shown } else { shown + "…" }
}

/// Whether a terminal shows `c` as a character of its own: it moves nothing, hides nothing and turns no direction.
#[must_use]
pub fn is_shown(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// JSON text with everything that is not shown as itself in the escaped form that means the same: `serde_json` leaves
/// DEL, C1 controls (U+009B begins a terminal's command), directions and invisible characters as they are.
#[must_use]
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && !is_shown(c);
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    // Outside its strings JSON has none of these.
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
        escaped
    });
    Cow::Owned(escaped)
}

/// `a, b, c and 4 more`.
#[must_use]
pub fn listed(items: &[String], most: usize) -> String {
    let shown = items[..items.len().min(most)].join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `1 entry`, `2 entries`.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The known name that `name` was probably meant to be; nothing where none is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= known.len().max(name.len()) / 3)
        .min()
        .map(|(_, known)| known)
}

/// One word of a command line, quoted for a POSIX shell where it needs to be.
#[must_use]
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A duration as a person says it: `20 s`, `0.3 s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_secs_f64() * 10.0).round() / 10.0;
    format!("{tenths} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped_and_cut() {
        assert_eq!(quoted("plain", 5), "\"plain\"");
        assert_eq!(quoted("plainer", 5), "\"plain\"…");
        assert_eq!(quoted("a\u{1b}[2J\n\u{202e}b", 80), "\"a\\u{1b}[2J\\n\\u{202e}b\"");
        assert_eq!(quoted_bytes(b"\xffabc", 3), "\"\u{fffd}ab\"…");
        assert_eq!(plain("unknown `\"x\"\u{7}`, it's", 80), "unknown `\"x\"\\u{7}`, it's");
        assert_eq!(plain(&"é".repeat(9), 8), "é".repeat(8) + "…");
        assert_eq!(plain(&"é".repeat(8), 8), "é".repeat(8));
    }

    #[test]
    fn json_means_the_same_and_shows_nothing_that_a_terminal_would_obey() {
        let text = "a\u{7f}\u{9b}2J\u{202e}\u{200b}\u{e0041}\u{1b}\n\"\\é✓";
        let json = serde_json::to_string_pretty(&[text]).expect("JSON");
        let escaped = escaped_json(&json);
        assert!(escaped.chars().all(|c| c == '\n' || is_shown(c)), "{escaped:?}");
        assert!(escaped.contains("\\u009b2J\\u202e\\u200b\\udb40\\udc41"), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).expect("JSON"), [text]);
        assert!(matches!(escaped_json("[\"é\"]"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_list_says_how_much_it_leaves_out() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(&items, 3), "a, b, c");
        assert_eq!(listed(&items, 1), "a and 2 more");
        assert_eq!(listed(&[], 1), "");
    }

    #[test]
    fn what_is_far_from_every_known_name_is_near_to_none() {
        let keys = ["kind", "docker", "project", "project-directory", "state"];
        assert_eq!(nearest("project-directroy", keys.into_iter()), Some("project-directory"));
        assert_eq!(nearest("projcet", keys.into_iter()), Some("project"));
        for far in ["via", "secrets", "hostname", "x", ""] {
            assert_eq!(nearest(far, keys.into_iter()), None, "{far}");
        }
    }

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!(shell("/srv/host.toml"), "/srv/host.toml");
        assert_eq!(shell("/srv/d ir/it's"), r"'/srv/d ir/it'\''s'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(seconds(Duration::from_secs(20)), "20 s");
        assert_eq!(seconds(Duration::from_micros(19_987_654)), "20 s");
        assert_eq!(seconds(Duration::from_millis(320)), "0.3 s");
    }
}
