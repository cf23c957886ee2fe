use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use super::*;
use crate::answer::{Expectation, Literal};
use crate::backend::live::testing::{RawServer, Reply, Step, answer, head, nobody};
use crate::names::{ConfigName, Pointer, ServiceName};
use crate::operation::HealthTarget;
use crate::progress::Unwatched;

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];
/// Time for what does not come; nothing is asserted about how little of it passes.
const SHORT: Duration = Duration::from_secs(1);

fn call(expectations: &[(&str, Literal)], within_seconds: u32) -> ExpectHealth {
    ExpectHealth {
        service: ServiceName::parse("todo-note").expect("a name"),
        target: HealthTarget::Endpoint { name: ConfigName::parse("todo").expect("a name") },
        expectations: expectations
            .iter()
            .map(|(pointer, equals)| Expectation {
                pointer: Pointer::parse(pointer).expect("a pointer"),
                equals: equals.clone(),
            })
            .collect(),
        within_seconds,
    }
}

fn commit(text: &str) -> (&'static str, Literal) {
    ("/deploy/commit", Literal::Text(text.to_owned()))
}

fn at(authority: &str) -> HealthSource {
    HealthSource { authority: authority.to_owned(), path: "/health".to_owned(), deploy: None }
}

fn ok(body: &str) -> Reply {
    answer("200 OK", JSON, body)
}

async fn expected(call: &ExpectHealth, source: &impl Locate) -> Result<Vec<Check>, CallError> {
    let (_sender, interrupt) = Interrupt::pair();
    expect(call, source, &Limits::default(), &Unwatched, &interrupt).await
}

/// What stands at the end of a short deadline against a server that always does the same.
async fn in_the_end(reply: Reply) -> Result<Vec<Check>, CallError> {
    let server = RawServer::always(reply).await;
    let call = call(&[commit("new")], 1);
    let poll = Poll { call: &call, body_bytes: 1000, within: SHORT };
    poll.until_it_holds(&at(&server.authority), &Unwatched).await
}

#[tokio::test]
async fn polls_until_the_payload_says_so() {
    let server = RawServer::start(|_, before| match before {
        0 => answer("503 Service Unavailable", &[], "starting"),
        1 => answer("200 OK", &[("Content-Type", "text/html")], "<html>"),
        2 => Reply::new(),
        3 => ok(r#"{"deploy":{"commit":"old"}}"#),
        _ => ok(r#"{"deploy":{"commit":"new"}}"#),
    })
    .await;
    let checks = expected(&call(&[commit("new")], 60), &at(&server.authority)).await.expect("healthy");
    assert_eq!(checks.len(), 1);
    assert!(checks[0].satisfied);
    assert_eq!(server.requests().len(), 5);
    assert!(server.requests()[0].starts_with("GET /health "));
}

#[tokio::test]
async fn an_old_healthy_revision_is_no_success_and_no_error() {
    let checks = in_the_end(ok(r#"{"deploy":{"commit":"old"}}"#)).await.expect("a payload");
    assert_eq!(checks[0].found, Some(Literal::Text("old".to_owned())));
    assert!(!checks[0].satisfied);
}

#[tokio::test]
async fn all_expectations_must_hold_in_one_payload() {
    let server = RawServer::start(|_, before| match before % 2 {
        0 => ok(r#"{"a":1,"b":0}"#),
        _ => ok(r#"{"a":0,"b":1}"#),
    })
    .await;
    let call = call(&[("/a", Literal::Number(1)), ("/b", Literal::Number(1))], 1);
    let poll = Poll { call: &call, body_bytes: 1000, within: SHORT };
    let checks = poll.until_it_holds(&at(&server.authority), &Unwatched).await.expect("payloads");
    assert_eq!(checks.iter().filter(|check| check.satisfied).count(), 1);
}

#[tokio::test]
async fn what_is_no_payload_in_the_end_is_an_error_that_says_what_came() {
    let moved = answer("302 Found", &[("Location", "http://elsewhere/")], "");
    let endless = vec![Step::Send(head("200 OK", JSON)), Step::Repeat(vec![b' '; 4096], Duration::ZERO)];
    let cases = [
        (answer("503 Busy", &[], "\u{1b}[2J"), "unavailable", r#"beginning "\u{1b}[2J""#),
        (answer("404 Not Found", &[], "no"), "mismatch", "404 Not Found"),
        (answer("200 OK", &[("Content-Type", "text/html")], "<html>"), "mismatch", "\"text/html\""),
        (moved, "mismatch", r#"a redirect to "http://elsewhere", which is not followed"#),
        (ok(r#"{"deploy":{"commit":"new","commit":"new"}}"#), "mismatch", "stands twice"),
        (ok("null"), "mismatch", "no object"),
        (endless, "mismatch", "longer than 1000 bytes"),
        (Reply::new(), "unavailable", "broke off"),
    ];
    let checks = cases.map(|(reply, code, says)| async move {
        let error = in_the_end(reply).await.expect_err(says);
        let text = error.to_string();
        assert_eq!(error.code(), code, "{text}");
        assert!(text.contains(says), "{text}");
        let asked = r#"endpoint todo gave no health payload within 1 s (expected /deploy/commit = "new")"#;
        assert!(text.contains(asked), "{text}");
    });
    join_all(checks).await;
}

#[tokio::test]
async fn silence_and_dripping_end_at_the_deadline() {
    let drip = Step::Repeat(b" ".to_vec(), Duration::from_millis(50));
    let cases = [vec![Step::Hang], vec![Step::Send(head("200 OK", JSON)), drip]];
    let stages = ["waiting for the answer", "reading the answer"];
    for (result, stage) in join_all(cases.map(in_the_end)).await.into_iter().zip(stages) {
        let error = result.expect_err("no answer");
        assert!(error.to_string().ends_with(&format!("/health, cut short while {stage}")), "{error}");
        assert_eq!(error.code(), "unavailable");
        assert!(error.to_string().contains("nothing answered within 1 s"), "{error}");
    }
}

#[tokio::test]
async fn a_poll_that_the_deadline_cut_short_does_not_hide_what_was_seen() {
    let server = RawServer::start(|_, before| match before {
        0 => ok(r#"{"deploy":{"commit":"old"}}"#),
        _ => vec![Step::Hang],
    })
    .await;
    let call = call(&[commit("new")], 1);
    let poll = Poll { call: &call, body_bytes: 1000, within: Duration::from_secs(1) };
    let checks = poll.until_it_holds(&at(&server.authority), &Unwatched).await.expect("the first answer");
    assert_eq!(checks[0].found, Some(Literal::Text("old".to_owned())));
}

#[tokio::test]
async fn where_nobody_listens_the_address_is_named() {
    let nobody = nobody();
    let call = call(&[], 1);
    let error = expected(&call, &at(&nobody.authority)).await.expect_err("nobody listens");
    assert_eq!(error.code(), "unavailable");
    let text = error.to_string();
    assert!(text.contains(&nobody.authority) && text.contains("connection refused"), "{text}");
}

#[tokio::test]
async fn the_operators_deadline_is_the_longest() {
    let nobody = nobody();
    let (_sender, interrupt) = Interrupt::pair();
    let limits = Limits { health_seconds: 0, ..Limits::default() };
    let error = expect(&call(&[], u32::MAX), &at(&nobody.authority), &limits, &Unwatched, &interrupt).await;
    assert!(error.expect_err("no time").to_string().contains("within 0 s"));
}

/// A container that gets its address late, and another one after a restart.
struct Moving {
    asked: AtomicUsize,
    addresses: Vec<HealthSource>,
}

impl Locate for Moving {
    async fn locate(&self) -> Result<HealthSource, CallError> {
        match self.asked.fetch_add(1, Ordering::Relaxed).checked_sub(1) {
            None => Err(CallError::Unavailable("the container has no address yet".to_owned())),
            Some(index) => self
                .addresses
                .get(index)
                .cloned()
                .ok_or_else(|| CallError::NotFound("the container is gone".to_owned())),
        }
    }
}

#[tokio::test]
async fn the_address_and_its_stamp_are_found_anew_for_every_poll() {
    let nobody = nobody();
    let server = RawServer::always(ok(r#"{"deploy":{"commit":"claimed"}}"#)).await;
    let stamped =
        |commit| HealthSource { deploy: Some(json!({ "commit": commit })), ..at(&server.authority) };
    let source = Moving {
        asked: AtomicUsize::new(0),
        addresses: vec![at(&nobody.authority), at(&server.authority), stamped("old"), stamped("new")],
    };
    let checks = expected(&call(&[commit("new")], 60), &source).await.expect("healthy");
    assert!(checks[0].satisfied);
    assert_eq!(source.asked.into_inner(), 5);
}

#[tokio::test]
async fn a_source_that_is_gone_ends_the_polling() {
    let source = Moving { asked: AtomicUsize::new(0), addresses: Vec::new() };
    let error = expected(&call(&[], 60), &source).await.expect_err("gone");
    assert_eq!(error, CallError::NotFound("the container is gone".to_owned()));
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_at_once_and_beats_a_good_answer() {
    let server = RawServer::always(vec![Step::Hang]).await;
    let (sender, interrupt) = Interrupt::pair();
    let call = call(&[], 60);
    let limits = Limits::default();
    let source = at(&server.authority);
    let waiting = expect(&call, &source, &limits, &Unwatched, &interrupt);
    let raised = async {
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        sender.raise();
    };
    let (result, ()) = tokio::join!(waiting, raised);
    assert!(result.expect_err("interrupted").to_string().contains("interrupted while waiting"));

    let good = RawServer::always(ok("{}")).await;
    let result = expect(&call, &at(&good.authority), &limits, &Unwatched, &interrupt).await;
    assert_eq!(result.expect_err("raised before").code(), "unavailable");
    assert!(good.requests().is_empty());
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Watcher for Notes {
    fn bytes(&self, _done: u64, _total: u64) {}
    fn note(&self, text: &str) {
        self.0.lock().expect("no test panics while it holds this").push(text.to_owned());
    }
}

#[tokio::test]
async fn whoever_watches_learns_what_is_missing() {
    let server = RawServer::start(|_, before| match before {
        0 => answer("503 Busy", &[], ""),
        1 => ok(r#"{"deploy":{"commit":"old"}}"#),
        _ => ok(r#"{"deploy":{"commit":"new"}}"#),
    })
    .await;
    let (_sender, interrupt) = Interrupt::pair();
    let notes = Notes::default();
    let call = call(&[commit("new")], 60);
    let checks = expect(&call, &at(&server.authority), &Limits::default(), &notes, &interrupt).await;
    assert!(checks.expect("healthy")[0].satisfied);
    let notes = notes.0.into_inner().expect("no test panics while it holds this");
    assert!(notes[0].contains("503"), "{notes:?}");
    assert_eq!(notes[1], r#"waiting for endpoint todo: /deploy/commit is "old", expected "new""#);
}
