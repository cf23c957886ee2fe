//! One answer read as a health payload, and held against what is expected of it.

use bytes::Bytes;
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use crate::answer::{Check, Expectation, Literal};
use crate::backend::live::{http, json};
use crate::words::{plain, quoted, quoted_bytes};

/// Characters of an answer that a message repeats.
const SHOWN: usize = 120;
/// Characters of a found text that a message repeats: enough for a commit and more.
const SHOWN_TEXT: usize = 80;
/// Longest text that a [`Check`] carries into journal and report when it is not what was expected, in characters.
const FOUND_TEXT: usize = 512;

/// The JSON object of a `200` answer, with `deploy` in place of its own where there is one.
///
/// What the far side calls its content does not matter, unless it says that it is no UTF-8.
///
/// # Errors
/// In words: what is wrong with the answer, its status, content type and beginning.
pub fn read(response: &Response<Bytes>, deploy: Option<Value>) -> Result<Value, String> {
    let refused = |why: String| Err(format!("{why}: {}", described(response)));
    if response.status().is_redirection() {
        return refused(format!("a redirect to {}, which is not followed", http::redirect_target(response)));
    }
    if response.status() != 200 {
        return refused("not the status 200".to_owned());
    }
    let content_type = http::header(response, CONTENT_TYPE).unwrap_or_default();
    if let Some(charset) = charset(content_type).filter(|name| !is_utf8(name)) {
        return refused(format!("the character set {}, and only UTF-8 is read", quoted(charset, SHOWN_TEXT)));
    }
    match json::parse(response.body()) {
        Ok(Value::Object(mut payload)) => {
            if let Some(deploy) = deploy {
                payload.insert("deploy".to_owned(), deploy);
            }
            Ok(Value::Object(payload))
        }
        Ok(_) => refused("JSON, but no object".to_owned()),
        Err(error) => refused(format!("no readable JSON ({})", plain(&error.to_string(), SHOWN))),
    }
}

/// One check per expectation, in their order.
pub fn check(payload: &Value, expectations: &[Expectation]) -> Vec<Check> {
    expectations.iter().map(|expectation| held(payload, expectation)).collect()
}

fn held(payload: &Value, Expectation { pointer, equals }: &Expectation) -> Check {
    let value = payload.pointer(pointer.as_str());
    let found = value.and_then(literal);
    let satisfied = match equals {
        Literal::Absent => value.is_none_or(Value::is_null),
        expected => found.as_ref() == Some(expected),
    };
    let found = if satisfied { found } else { found.map(shortened) };
    Check { pointer: pointer.clone(), found, satisfied }
}

/// Only whole numbers are literals: no deploy depends on how a parser rounds. `null` is nothing.
fn literal(value: &Value) -> Option<Literal> {
    match value {
        Value::Bool(flag) => Some(Literal::Flag(*flag)),
        Value::Number(number) => number.as_i64().map(Literal::Number),
        Value::String(text) => Some(Literal::Text(text.clone())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn shortened(found: Literal) -> Literal {
    match found {
        Literal::Text(text) => match text.char_indices().nth(FOUND_TEXT) {
            Some((end, _)) => Literal::Text(format!("{}…", &text[..end])),
            None => Literal::Text(text),
        },
        other => other,
    }
}

/// `/deploy/commit = "0a1b…"`.
pub fn expectation(Expectation { pointer, equals }: &Expectation) -> String {
    format!("{} = {}", plain(pointer.as_str(), SHOWN), shown(equals))
}

/// `/deploy/commit is "0a1b…", expected "c2d3…"`.
pub fn difference(check: &Check, expectation: &Expectation) -> String {
    let pointer = plain(check.pointer.as_str(), SHOWN);
    let found = check.found.as_ref().map_or_else(|| "no plain value".to_owned(), shown);
    format!("{pointer} is {found}, expected {}", shown(&expectation.equals))
}

fn shown(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => quoted(text, SHOWN_TEXT),
        other => other.to_string(),
    }
}

/// `503 Service Unavailable, "text/html", beginning "<html>…"`.
fn described(response: &Response<Bytes>) -> String {
    let content_type = http::header(response, CONTENT_TYPE)
        .map_or_else(|| "no content type".to_owned(), |name| quoted(name, SHOWN_TEXT));
    let body = match response.body() {
        body if body.is_empty() => "empty".to_owned(),
        body => format!("beginning {}", quoted_bytes(body, SHOWN)),
    };
    format!("{}, {content_type}, {body}", response.status())
}

/// The `charset` of a content type.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// ASCII is UTF-8 as well.
fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Pointer;

    fn answer(content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        Response::builder().header(CONTENT_TYPE, content_type).body(body.into()).expect("a valid answer")
    }

    fn found(payload: &str, pointer: &str, equals: Literal) -> (Option<Literal>, bool) {
        let payload = read(&answer("application/json", payload.to_owned()), None).expect("a payload");
        let pointer = Pointer::parse(pointer).expect("a pointer");
        let check = check(&payload, &[Expectation { pointer, equals }]).remove(0);
        (check.found, check.satisfied)
    }

    fn text(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    #[test]
    fn a_literal_is_compared_with_its_type() {
        let payload =
            r#"{"yes":true,"word":"true","one":1,"float":1.0,"half":0.5,"huge":9223372036854775808}"#;
        assert_eq!(found(payload, "/yes", Literal::Flag(true)), (Some(Literal::Flag(true)), true));
        assert_eq!(found(payload, "/word", Literal::Flag(true)), (Some(text("true")), false));
        assert_eq!(found(payload, "/yes", text("true")), (Some(Literal::Flag(true)), false));
        assert_eq!(found(payload, "/one", Literal::Number(1)), (Some(Literal::Number(1)), true));
        assert_eq!(found(payload, "/one", Literal::Flag(true)), (Some(Literal::Number(1)), false));
        assert_eq!(found(payload, "/float", Literal::Number(1)), (None, false));
        assert_eq!(found(payload, "/half", Literal::Number(0)), (None, false));
        assert_eq!(found(payload, "/huge", Literal::Number(i64::MIN)), (None, false));
    }

    #[test]
    fn pointers_lead_through_objects_arrays_and_escapes() {
        let payload = r#"{"a/b":{"c~d":[{"":"deep"}]},"none":null,"list":[]}"#;
        assert_eq!(found(payload, "/a~1b/c~0d/0/", text("deep")), (Some(text("deep")), true));
        assert_eq!(found(payload, "/a~1b/c~0d/00/", text("deep")), (None, false));
        assert_eq!(found(payload, "/list", text("")), (None, false));
        assert_eq!(found(payload, "", text("")), (None, false));
    }

    #[test]
    fn absent_is_nothing_or_null_and_no_object() {
        let payload = r#"{"none":null,"zero":0,"object":{}}"#;
        assert_eq!(found(payload, "/skipped", Literal::Absent), (None, true));
        assert_eq!(found(payload, "/none", Literal::Absent), (None, true));
        assert_eq!(found(payload, "/zero", Literal::Absent), (Some(Literal::Number(0)), false));
        assert_eq!(found(payload, "/object", Literal::Absent), (None, false));
    }

    #[test]
    fn a_long_text_is_cut_only_where_it_is_not_what_was_expected() {
        let long = "x".repeat(2000);
        let payload = format!(r#"{{"a":"{long}"}}"#);
        assert_eq!(found(&payload, "/a", text(&long)), (Some(text(&long)), true));
        let cut = text(&("x".repeat(FOUND_TEXT) + "…"));
        assert_eq!(found(&payload, "/a", text("y")), (Some(cut), false));
    }

    #[test]
    fn a_stamp_replaces_what_the_payload_claims() {
        let claimed = answer("application/json", r#"{"ok":true,"deploy":{"commit":"claimed","more":1}}"#);
        let payload = read(&claimed, Some(serde_json::json!({"commit": "stamped"}))).expect("a payload");
        assert_eq!(payload, serde_json::json!({"ok": true, "deploy": {"commit": "stamped"}}));
    }

    #[test]
    fn a_content_type_is_believed_only_about_the_character_set() {
        for fine in
            ["text/plain", "application/json; charset=UTF-8", "application/json;charset=\"utf-8\"", "x"]
        {
            assert!(read(&answer(fine, "{}"), None).is_ok(), "{fine}");
        }
        let error = read(&answer("application/json; charset=ISO-8859-1", "{}"), None).expect_err("Latin 1");
        assert!(error.contains("\"ISO-8859-1\""), "{error}");
        let error =
            read(&answer("application/json", b"{\"a\":\"\xe9\"}".as_slice()), None).expect_err("bytes");
        assert!(error.contains("no readable JSON"), "{error}");
    }

    #[test]
    fn what_is_no_payload_is_described_escaped_and_cut() {
        let html = format!("<html>\u{1b}[31m{}", "x".repeat(5000));
        let error = read(&answer("text/html\u{9}\"", html), None).expect_err("HTML");
        assert!(error.contains(r#"200 OK, "text/html\t\"", beginning "<html>\u{1b}[31mx"#), "{error}");
        assert!(error.len() < 500, "{}", error.len());
        let error = read(&answer("application/json", "[1]"), None).expect_err("an array");
        assert!(error.contains("no object"), "{error}");
        let error = read(&answer("application/json", r#"{"a":1,"a":2}"#), None).expect_err("twice");
        assert!(error.contains("stands twice"), "{error}");
        let mut empty = answer("text/plain", "");
        *empty.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        let error = read(&empty, None).expect_err("unavailable");
        assert_eq!(error, "not the status 200: 503 Service Unavailable, \"text/plain\", empty");
    }
}
