//! How a value looks where somebody quoted it, and how to see through that.

/// `text` without quotes, backslashes and capitals, whichever of them somebody on the way added, and where in `text` each
/// byte of that is.
pub fn reduced(text: &str) -> (Vec<u8>, Vec<usize>) {
    text.bytes()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\\' | b'"' | b'\''))
        .map(|(at, byte)| (byte.to_ascii_lowercase(), at))
        .unzip()
}

/// Only the text of [`reduced`].
pub fn reduced_text(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\\' | '"' | '\'')).map(|c| c.to_ascii_lowercase()).collect()
}

/// As Go's `%q` writes it, without the quotes around it.
pub fn go_quoted(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{7}' => "\\a".to_owned(),
            '\u{8}' => "\\b".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\u{b}' => "\\v".to_owned(),
            '\\' | '"' => format!("\\{c}"),
            '\0'..' ' | '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
            c if c.is_ascii() || c.escape_debug().len() == 1 => c.to_string(),
            c if u32::from(c) < 0x1_0000 => format!("\\u{:04x}", u32::from(c)),
            c => format!("\\U{:08x}", u32::from(c)),
        })
        .collect()
}

/// As Go writes it into JSON.
pub fn json_quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_as_go_does() {
        for (text, go, json) in [
            ("a\"b\\c", "a\\\"b\\\\c", "\"a\\\"b\\\\c\""),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", "\\a\\b\\f\\n\\r\\t\\v", "\"\\u0007\\b\\f\\n\\r\\t\\u000b\""),
            ("\0\u{1b}\u{7f}", "\\x00\\x1b\\x7f", "\"\\u0000\\u001b\u{7f}\""),
            ("é日\u{a0}\u{200b}\u{e0001}", "é日\\u00a0\\u200b\\U000e0001", "\"é日\u{a0}\u{200b}\u{e0001}\""),
            ("<a&b>'", "<a&b>'", "\"\\u003ca\\u0026b\\u003e'\""),
        ] {
            assert_eq!(go_quoted(text), go);
            assert_eq!(json_quoted(text), json);
        }
    }

    #[test]
    fn every_byte_that_is_left_knows_its_place() {
        let (bytes, places) = reduced("A\\\"é'B");
        assert_eq!(bytes, "aéb".as_bytes());
        assert_eq!(places, [0, 3, 4, 6]);
        assert_eq!(reduced_text("A\\\"é'B"), "aéb");
    }
}
