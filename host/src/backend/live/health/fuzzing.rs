//! What must hold of any health payload.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

use std::fmt;

use bytes::Bytes;
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::payload;
use crate::answer::{Check, Expectation, Literal};
use crate::backend::live::json;
use crate::fuzzing::{assert_presentable, parted};

/// Longest text of a check that is not what was expected, and the ellipsis.
const FOUND: usize = 513;
/// Longest complaint about an answer, in characters, when every character of it had to be escaped.
const COMPLAINT: usize = 4000;

/// A status and a content type in one line, expectations as JSON, and a body: a check says what the body holds, in every
/// type, and nothing but a single-minded JSON object is a payload.
pub fn health(input: &[u8]) {
    let (head, rest) = parted(input);
    let (expectations, body) = parted(rest);
    let expectations: Vec<Expectation> = serde_json::from_slice(expectations).unwrap_or_default();
    agrees_with_serde(body);
    let Some(answer) = answer(head, body) else { return };
    match payload::read(&answer, None) {
        Err(why) => assert_presentable(&why, COMPLAINT),
        Ok(payload) => {
            assert_eq!(answer.status(), 200);
            assert!(payload.is_object());
            checked(&payload, &expectations);
            let stamp = serde_json::json!({"commit": "stamped"});
            let stamped = payload::read(&answer, Some(stamp.clone())).expect("still a payload");
            assert_eq!(stamped.get("deploy"), Some(&stamp));
        }
    }
}

fn answer(head: &[u8], body: &[u8]) -> Option<Response<Bytes>> {
    let head = head.trim_ascii_end();
    let status = head.get(..3)?;
    let content_type = head.get(4..).unwrap_or_default();
    let answer = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    answer.body(Bytes::copy_from_slice(body)).ok()
}

/// The reader takes what `serde_json` takes, for the same value, unless a key stands twice.
fn agrees_with_serde(body: &[u8]) {
    let lenient = serde_json::from_slice::<Value>(body);
    let entries = serde_json::from_slice::<Entries>(body);
    match (json::parse(body), lenient) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict, lenient);
            assert_eq!(entries.ok().map(|entries| entries.0), Some(count(&lenient)), "a key stands twice");
        }
        (Ok(strict), Err(error)) => panic!("{strict} is no JSON: {error}"),
        (Err(error), Ok(lenient)) => {
            assert!(error.to_string().contains("stands twice"), "{error}");
            assert!(entries.is_ok_and(|entries| entries.0 > count(&lenient)), "no key stands twice: {error}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// Entries of all objects.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(object) => object.len() + object.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Entries of all objects of a document, one that stands twice counted twice.
struct Entries(usize);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Counting)
    }
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Entries, E> {
        Ok(Entries(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entries, A::Error> {
        let mut all = 0;
        while let Some(Entries(more)) = items.next_element()? {
            all += more;
        }
        Ok(Entries(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Entries, A::Error> {
        let mut all = 0;
        while let Some((_, Entries(more))) = entries.next_entry::<IgnoredAny, Entries>()? {
            all += 1 + more;
        }
        Ok(Entries(all))
    }
}

fn checked(payload: &Value, expectations: &[Expectation]) {
    let checks = payload::check(payload, expectations);
    assert_eq!(checks.len(), expectations.len());
    for (check, expectation) in checks.iter().zip(expectations) {
        let Check { pointer, found, satisfied } = check;
        assert_eq!(pointer, &expectation.pointer);
        let value = at(payload, pointer.as_str());
        let holds = match &expectation.equals {
            Literal::Absent => matches!(value, None | Some(Value::Null)),
            Literal::Flag(flag) => value == Some(&Value::Bool(*flag)),
            Literal::Number(number) => {
                matches!(value, Some(Value::Number(found)) if *found == (*number).into())
            }
            Literal::Text(text) => matches!(value, Some(Value::String(found)) if found == text),
        };
        assert_eq!(*satisfied, holds, "{check:?} of {expectation:?}");
        match found {
            None => assert!(matches!(
                value,
                None | Some(Value::Null | Value::Array(_) | Value::Object(_) | Value::Number(_))
            )),
            Some(Literal::Text(text)) if !satisfied => assert!(text.chars().count() <= FOUND),
            Some(_) => {}
        }
        assert_presentable(&payload::expectation(expectation), COMPLAINT);
        assert_presentable(&payload::difference(check, expectation), COMPLAINT);
    }
}

/// RFC 6901, once more.
fn at<'v>(payload: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(payload, |value, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Object(object) => object.get(&part),
            Value::Array(items) => {
                let number = part == "0"
                    || (!part.starts_with('0')
                        && !part.is_empty()
                        && part.bytes().all(|byte| byte.is_ascii_digit()));
                items.get(part.parse::<usize>().ok().filter(|_| number)?)
            }
            _ => None,
        }
    })
}
