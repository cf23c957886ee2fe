//! Secrets in the lines of an env file.

use super::value::{Secret, Values};
use crate::backend::live::env_file;
use crate::names::EnvKey;

/// The values of `keys`: what Compose would take from this text.
///
/// # Errors
/// In words; without anything that is in the text.
pub fn values(text: &[u8], keys: &[EnvKey]) -> Result<Values, String> {
    let values = env_file::values(text, keys).map_err(|line| {
        format!("it has a quote in line {line} that is never closed, so Compose cannot read it either")
    })?;
    Ok(values.into_iter().map(|(key, value)| (key.to_owned(), Secret::from(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(text: &str) -> Option<usize> {
        let key = EnvKey::parse("TOKEN_KEY").expect("a key");
        values(text.as_bytes(), &[key]).expect("readable").get("TOKEN_KEY").map(Secret::length)
    }

    #[test]
    fn a_value_is_as_long_as_what_the_container_gets() {
        for (text, expected) in [
            ("TOKEN_KEY=abc\n", Some(3)),
            ("TOKEN_KEY=abc # a comment\r\n", Some(3)),
            ("export TOKEN_KEY: 'a b'\n", Some(3)),
            ("TOKEN_KEY=\"a\\\"b\\n\"\n", Some(4)),
            ("TOKEN_KEY='a\nb'\n", Some(3)),
            ("TOKEN_KEY=é€\n", Some(5)),
            ("OTHER=12345\nTOKEN_KEY=x${OTHER}\n", Some(6)),
            ("TOKEN_KEY='x${OTHER}'\n", Some(9)),
            ("TOKEN_KEY=old\nTOKEN_KEY=newer\n", Some(5)),
            ("TOKEN_KEY=\n", Some(0)),
            ("TOKEN_KEY=\"\"\n", Some(0)),
            ("TOKEN_KEY=${NOWHERE}\n", Some(0)),
            ("TOKEN_KEY\n", None),
            ("#TOKEN_KEY=abc\nTOKEN_KEY2=abc\nXTOKEN_KEY=abc\n", None),
            ("", None),
        ] {
            assert_eq!(length(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_compose_cannot_read_is_refused_without_a_word_of_it() {
        let key = EnvKey::parse("TOKEN_KEY").expect("a key");
        let error = values(b"TOKEN_KEY=abc\nPW=\"hunter2\n", &[key]).map(|_| ()).expect_err("unclosed");
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn no_bytes_do_harm() {
        let keys = [EnvKey::parse("A").expect("a key")];
        for byte in 0..=u8::MAX {
            for text in [[byte, b'A', b'=', byte], [b'A', b'=', byte, b'"'], [b'A', byte, b'=', b'$']] {
                let _ = values(&text, &keys);
            }
        }
    }
}
