//! The values of an env file as Compose hands them on: escapes resolved, variables filled in. Follows `dotenv` and
//! `template` of compose-go, v2.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::text::Entry;

/// Deepest `${A:-${B:-…}}` that is followed; what is deeper stays as it is written.
const DEEPEST: usize = 8;
/// Longest value that is filled in, in bytes: doubling it line by line would grow without end.
const LONGEST: usize = 1 << 16;
/// Bytes of all values together; after that variables stay as they are written. No env file that a person wrote has as
/// many, and variables of variables would take gigabytes.
const MOST: usize = 4 << 20;

/// Values by key; a later assignment beats an earlier one. Wiped when dropped.
#[derive(Default)]
pub struct Values {
    by_key: BTreeMap<String, Zeroizing<String>>,
    length: usize,
}

impl Values {
    /// The value of the next assignment of the file.
    pub fn next(&mut self, entry: &Entry<'_>) -> String {
        let written = String::from_utf8_lossy(entry.value);
        let value = match entry.quote {
            _ if self.are_cut() => written.into_owned(),
            None => self.filled(&written, 0),
            Some(b'"') => {
                let plain = Zeroizing::new(unescaped(&Zeroizing::new(unquoted(&written, '"'))));
                self.filled(&plain, 0)
            }
            Some(quote) => unquoted(&written, char::from(quote)),
        };
        self.length += value.len();
        self.by_key.insert(String::from_utf8_lossy(entry.key).into_owned(), value.clone().into());
        value
    }

    /// Whether values were left as they are written, because all of them together became too long.
    pub fn are_cut(&self) -> bool {
        self.length > MOST
    }

    /// Takes out the value that holds for `key` after all assignments so far.
    pub fn take(&mut self, key: &str) -> Option<Zeroizing<String>> {
        self.by_key.remove(key)
    }

    fn filled(&self, text: &str, depth: usize) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$')
            && filled.len() < LONGEST
        {
            filled.push_str(before);
            let name = name_length(after);
            if let Some(after) = after.strip_prefix('$') {
                filled.push('$');
                rest = after;
            } else if let Some((inside, after)) = braced(after)
                && depth < DEEPEST
                && name_length(inside) > 0
            {
                filled.push_str(&self.braces(inside, depth));
                rest = after;
            } else if name > 0 {
                filled.push_str(self.value(&after[..name]));
                rest = &after[name..];
            } else {
                filled.push('$');
                rest = after;
            }
        }
        filled + rest
    }

    /// What stands for `NAME`, `NAME:-default`, `NAME-default`, `NAME:+instead` and `NAME+instead`.
    fn braces(&self, inside: &str, depth: usize) -> String {
        let (name, rest) = inside.split_at(name_length(inside));
        let value = self.value(name);
        let (operator, empty_counts) = match rest.strip_prefix(':') {
            Some(operator) => (operator, false),
            None => (rest, true),
        };
        let there = if empty_counts { self.by_key.contains_key(name) } else { !value.is_empty() };
        match (operator.chars().next(), there) {
            (Some('-'), false) | (Some('+'), true) => self.filled(&operator[1..], depth + 1),
            _ => value.to_owned(),
        }
    }

    fn value(&self, name: &str) -> &str {
        self.by_key.get(name).map_or("", |value| value.as_str())
    }
}

/// What is inside the braces that `text` begins with, and what follows them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let mut depth = 1_usize;
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inside[..at], &inside[at + 1..]));
        }
    }
    None
}

fn name_length(text: &str) -> usize {
    let letters = text.bytes().take_while(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()).count();
    if text.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { letters }
}

/// Without the backslash before the quote that is around it.
fn unquoted(text: &str, quote: char) -> String {
    let (mut plain, mut escaped) = (String::new(), false);
    for c in text.chars() {
        if escaped && c != quote {
            plain.push('\\');
        }
        if escaped || c != '\\' {
            plain.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    plain
}

/// `\n` and its like resolved; `\$` becomes the `$$` that is no variable. What is no escape stays.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let resolved = match after.chars().next() {
            Some('a') => Some("\u{7}"),
            Some('b') => Some("\u{8}"),
            Some('f') => Some("\u{c}"),
            Some('n') => Some("\n"),
            Some('r') => Some("\r"),
            Some('t') => Some("\t"),
            Some('v') => Some("\u{b}"),
            Some('$') => Some("$$"),
            Some('"') => Some("\""),
            Some('\\') => Some("\\"),
            _ => None,
        };
        rest = match (resolved, octal(after)) {
            (Some(resolved), _) => {
                plain.push_str(resolved);
                &after[1..]
            }
            (None, Some((byte, after))) => {
                plain.push(byte);
                after
            }
            // Compose takes the zero away also where it resolves nothing.
            (None, None) => {
                plain.push('\\');
                after.strip_prefix('0').unwrap_or(after)
            }
        };
    }
    plain + rest
}

/// The character of `0` and three octal digits, and what follows them.
fn octal(text: &str) -> Option<(char, &str)> {
    let digits = text.strip_prefix('0')?.get(..3)?;
    let code =
        u8::from_str_radix(digits, 8).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((char::from(code), &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::live::env_file::text;

    /// The last value of a file.
    fn last(file: &str) -> String {
        let mut values = Values::default();
        text::entries(file.as_bytes()).iter().map(|entry| values.next(entry)).last().expect("an assignment")
    }

    #[test]
    fn escapes_are_resolved_as_compose_does() {
        // Each pair is what `docker compose config --environment` of v2.40.3 says.
        for (file, value) in [
            (r#"K="hunter2\"secret""#, r#"hunter2"secret"#),
            (r#"K="a\\b""#, r"a\b"),
            (r#"K="a\tb\n\a\b\f\r\vc""#, "a\tb\n\u{7}\u{8}\u{c}\r\u{b}c"),
            (r#"K="a\0123b\01""#, r"aSb\1"),
            (r#"K="a\07b\0377c\0400d""#, r"a\7bÿc\400d"),
            (r#"K="a\qb\'c""#, r"a\qb\'c"),
            (r"K='it\'s a\tb\\c'", r"it's a\tb\\c"),
            (r"K=a\tb\$c", r"a\tb\"),
            ("K=a # comment", "a"),
            ("K: a#b", "a#b"),
            ("K='a\nb'", "a\nb"),
        ] {
            assert_eq!(last(file), value, "{file}");
        }
    }

    #[test]
    fn variables_are_filled_in_as_compose_does() {
        for (value, filled) in [
            ("x${A}y$A-$B", "xoneyone-"),
            ("${A:-no}${B:-de$A}${E:-f}${E-f}", "onedeonef"),
            ("${A:+yes}${B:+no}${E+set}${E:+no}", "yesset"),
            ("${B:-${C:-deep}}", "deep"),
            ("$${A}$$A", "${A}$A"),
            ("\"\\$A\"", "$A"),
            ("'$A'", "$A"),
        ] {
            assert_eq!(last(&format!("A=one\nE=\nK={value}\n")), filled, "{value}");
        }
    }

    #[test]
    fn nonsense_does_no_harm() {
        for value in ["$", "${", "${A", "a$!b", "${}", "${1}", "}{$"] {
            assert_eq!(last(&format!("K={value}")), value);
        }
        let deep = "${A:-".repeat(1000) + &"}".repeat(1000);
        assert!(last(&format!("K={deep}")).len() < 6000);
        let doubling: Vec<_> = (1..64).map(|i| format!("V{i}=$V{0}$V{0}", i - 1)).collect();
        assert!(last(&format!("V0=aaaa\n{}", doubling.join("\n"))).len() <= 2 * LONGEST);
        let many: Vec<_> = (0..1000).map(|i| format!("W{i}=$V63")).collect();
        assert_eq!(last(&format!("V0=aaaa\n{}\n{}", doubling.join("\n"), many.join("\n"))), "$V63");
    }
}
