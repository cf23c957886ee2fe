//! Secrets in an object of texts somewhere in a JSON document.

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::value::{Secret, Values};
use crate::backend::live::json;
use crate::names::{ConfigName, EnvKey, Pointer};

/// A document whose texts are wiped when it is dropped.
struct Document(Value);

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// As deep as a document can be, which its parser bounds.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(entries) => entries.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Document {
    fn parse(text: &[u8]) -> Result<Self, String> {
        // The parser's own words may repeat what it found.
        json::parse(text).map(Self).map_err(|error| {
            format!(
                "it is no JSON document without repeated keys: line {}, column {}",
                error.line(),
                error.column()
            )
        })
    }

    fn at(&mut self, pointer: &Pointer) -> Result<&mut Value, String> {
        self.0.pointer_mut(pointer.as_str()).ok_or_else(|| format!("it has nothing at {}", pointer.as_str()))
    }
}

/// The values of `keys` in the object at `pointer`; only those that are there and not `null`.
///
/// # Errors
/// In words; without anything that is in the text.
pub fn values(text: &[u8], pointer: &Pointer, keys: &[EnvKey]) -> Result<Values, String> {
    let mut document = Document::parse(text)?;
    let place = || match pointer.as_str() {
        "" => "it".to_owned(),
        pointer => format!("what it has at {pointer}"),
    };
    let object =
        document.at(pointer)?.as_object_mut().ok_or_else(|| format!("{} is no object of texts", place()))?;
    let mut values = Values::new();
    for key in keys {
        match object.get_mut(key.as_str()) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                let value = Zeroizing::new(std::mem::take(text));
                values.insert(key.to_string(), Secret::from(value));
            }
            Some(_) => return Err(format!("{key} is no text in it")),
        }
    }
    Ok(values)
}

/// The values at `entries`, whose pointers begin at `pointer`, by the key that each is to have. A text is taken as it is,
/// a number or a flag as JSON has it.
///
/// # Errors
/// In words, for the first that is not there, empty, or no single value; without anything that is in the text.
pub fn entries(text: &[u8], pointer: &Pointer, entries: &[(Pointer, ConfigName)]) -> Result<Values, String> {
    let mut document = Document::parse(text)?;
    let object = document.at(pointer)?;
    let mut values = Values::new();
    for (from, key) in entries {
        let place = format!("{}{}", pointer.as_str(), from.as_str());
        let value = match object.pointer(from.as_str()) {
            Some(Value::String(text)) if !text.is_empty() => Secret::from(text.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Secret::from(value.to_string()),
            None | Some(Value::Null | Value::String(_)) => return Err(format!("it has no value at {place}")),
            Some(_) => return Err(format!("what it has at {place} is no text, number or flag")),
        };
        values.insert(key.to_string(), value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, pointer: &str) -> Result<Option<usize>, String> {
        let key = EnvKey::parse("TOKEN_KEY").expect("a key");
        let pointer = Pointer::parse(pointer).expect("a pointer");
        Ok(values(text.as_bytes(), &pointer, &[key])?.get("TOKEN_KEY").map(Secret::length))
    }

    #[test]
    fn a_value_is_as_long_as_its_text_in_bytes() {
        for (text, pointer, expected) in [
            (r#"{"TOKEN_KEY":"abc"}"#, "", Some(3)),
            (r#"{"a":{"b/c":[{"TOKEN_KEY":"a\"\n\u00e9"}]}}"#, "/a/b~1c/0", Some(5)),
            (r#"{"TOKEN_KEY":""}"#, "", Some(0)),
            (r#"{"TOKEN_KEY":null,"token_key":"abc"}"#, "", None),
            ("{}", "", None),
        ] {
            assert_eq!(read(text, pointer), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_entry_is_what_stands_at_its_pointer() {
        let text = br#"{"auth":{"user":"a\"b","deep":{"ttl":3600,"on":true},"no":null,"empty":"","list":["hunter2"]}}"#;
        let read = |pairs: &[(&str, &str)]| {
            let parsed = |&(from, key): &(&str, &str)| {
                (Pointer::parse(from).expect("a pointer"), ConfigName::parse(key).expect("a key"))
            };
            let pairs: Vec<_> = pairs.iter().map(parsed).collect();
            let found = entries(text, &Pointer::parse("/auth").expect("a pointer"), &pairs)?;
            let pair = |(key, value): (String, Secret)| format!("{key}={}", value.text());
            Ok::<_, String>(found.into_iter().map(pair).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            read(&[("/user", "name"), ("/deep/ttl", "ttl"), ("/deep/on", "on")]).as_deref(),
            Ok("name=a\"b on=true ttl=3600")
        );
        for (from, word) in [
            ("/nobody", "it has no value at /auth/nobody"),
            ("/no", "it has no value at /auth/no"),
            ("/empty", "it has no value at /auth/empty"),
            ("/list", "what it has at /auth/list is no text, number or flag"),
            ("", "what it has at /auth is no text, number or flag"),
        ] {
            assert_eq!(read(&[("/user", "name"), (from, "key")]), Err(word.to_owned()));
        }
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused_without_a_word_of_it() {
        let deep = format!("{{\"TOKEN_KEY\":{}", "[".repeat(100_000));
        for (text, pointer, word) in [
            ("hunter2", "", "no JSON document"),
            (r#"{"hunter2":1,"hunter2":2}"#, "", "no JSON document without repeated keys: line 1, column 22"),
            (deep.as_str(), "", "no JSON document"),
            ("", "", "no JSON document"),
            (r#"["hunter2"]"#, "", "it is no object"),
            (r#"{"a":"hunter2"}"#, "/a", "what it has at /a is no object"),
            (r#"{"a":{}}"#, "/b", "nothing at /b"),
            (r#"{"TOKEN_KEY":{"x":"hunter2"}}"#, "", "TOKEN_KEY is no text"),
            (r#"{"TOKEN_KEY":7}"#, "", "TOKEN_KEY is no text"),
        ] {
            let error = read(text, pointer).expect_err("refused");
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
