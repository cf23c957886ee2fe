//! JSON that says one thing. A key that stands twice in one object is refused: parsers differ in which of the two
//! they believe, so such a document proves nothing.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Most values of a document, those inside of others counted: one takes up to twenty times its bytes in memory, so the
/// length of a document alone bounds little.
const VALUES: usize = 200_000;

/// Reads one document: UTF-8, no repeated key, at most 128 levels deep (`serde_json`'s own bound), no more than 200,000
/// values, nothing after it.
///
/// # Errors
/// In the parser's words, with line and column. They may repeat a key of the document.
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let left = Cell::new(VALUES);
    let value = Strict { left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            return Err(D::Error::custom(format_args!("it holds more than {VALUES} values")));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            object.insert(key, entries.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_means_what_serde_json_takes_it_for() {
        let text = r#"{"a":[1,-2,18446744073709551615,1.5,"x\u00e9",null,true],"b":{"a":{}}," ":[]}"#;
        assert_eq!(parse(text.as_bytes()).expect("fine"), serde_json::from_str::<Value>(text).expect("fine"));
    }

    #[test]
    fn a_repeated_key_is_refused_at_any_depth_and_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"\u0061":3}}]"#] {
            let error = parse(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains("\"a\" stands twice"), "{error}");
        }
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let zeros = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(parse(zeros(VALUES - 1).as_bytes()).is_ok());
        let error = parse(zeros(VALUES).as_bytes()).expect_err("too many").to_string();
        assert!(error.contains("more than 200000 values"), "{error}");
    }

    #[test]
    fn whatever_is_no_single_document_is_an_error() {
        let deep = "[".repeat(100_000);
        for bytes in
            [b"".as_slice(), b"{} {}", b"{\"a\":\"\xe9\"}", b"\xef\xbb\xbf{}", b"<html>", deep.as_bytes()]
        {
            assert!(parse(bytes).is_err());
        }
        assert!(parse(deep.as_bytes()).expect_err("too deep").to_string().contains("recursion limit"));
    }
}
