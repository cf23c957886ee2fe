//! A service that does not prove the requested commit is a failed deploy, within the deadline, with the reason.

use std::time::{Duration, Instant};

use e2e::{Behaviour, Run, SERVICE, SampleImage, Stage, commit};

/// Deploys an image that behaves so over a good one, and asserts what every bad health has in common.
fn failed(behaviour: Behaviour, code: &str) -> (Stage, Run) {
    let stage = Stage::new();
    let good = stage.published("good");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0);
    let bad = commit(behaviour.name());
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(behaviour));
    let begun = Instant::now();

    let run = stage.deploy(&bad, &["--run-now"]);

    assert!(begun.elapsed() < Duration::from_secs(30), "{behaviour:?} took {:?}", begun.elapsed());
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/code"), code, "{run:?}");
    let message = run.text("/error/message");
    assert!(message.contains(&format!("was started from commit {bad}")), "it says what runs: {message}");
    assert!(run.text("/recommendedAction").contains(&good), "it says how to go back: {run:?}");
    (stage, run)
}

fn assert_says(run: &Run, words: &[&str]) {
    let message = run.text("/error/message");
    for word in words {
        assert!(message.contains(word), "{word:?} is missing: {message}");
    }
}

#[test]
fn an_older_commit() {
    let (_stage, run) = failed(Behaviour::OldCommit, "unverified");
    assert_eq!(run.text("/error/step"), "health.expect");
    assert_says(&run, &["/deploy/commit", "expected", &commit("old-commit"), "found", &"0".repeat(40)]);
}

#[test]
fn an_internal_error() {
    let (_stage, run) = failed(Behaviour::Status500, "unavailable");
    assert_says(&run, &["500", "/deploy/commit"]);
}

#[test]
fn a_page() {
    let (_stage, run) = failed(Behaviour::Html, "mismatch");
    assert_says(&run, &["text/html", "/deploy/commit"]);
}

#[test]
fn a_text_for_a_flag() {
    let (_stage, run) = failed(Behaviour::Stringly, "unverified");
    assert_says(&run, &["/ok", "expected true", "found \"true\""]);
}

#[test]
fn a_body_of_twenty_megabytes() {
    let (_stage, run) = failed(Behaviour::Huge, "mismatch");
    assert_says(&run, &["1048576", "/deploy/commit"]);
}

#[test]
fn no_answer_at_all() {
    let (_stage, run) = failed(Behaviour::Silent, "unavailable");
    assert_says(&run, &["/deploy/commit"]);
}

#[test]
fn a_byte_a_second() {
    failed(Behaviour::Drip, "unavailable");
}

#[test]
fn an_address_elsewhere() {
    let (_stage, run) = failed(Behaviour::Redirect, "mismatch");
    assert_says(&run, &["302"]);
}

#[test]
fn a_bad_health_is_rolled_back_where_asked_for() {
    let stage = Stage::new();
    let good = stage.published("good");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0);
    let before = stage.snapshot();
    let bad = commit("never ready");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::NeverReady));

    let run = stage.deploy(&bad, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(good));
    let after = stage.snapshot();
    assert_eq!(before.differences(&after), ["the container"], "only the container is a new one");
    let steps = run.json()["steps"].clone();
    let undone: Vec<_> = steps
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| step["operation"] == "host.undo")
        .map(|step| step["outcome"].clone())
        .collect();
    assert_eq!(undone, ["ok", "ok"]);
}

#[test]
fn a_first_deploy_that_fails_is_rolled_back_to_nothing() {
    let stage = Stage::new();
    let before = stage.snapshot();
    let bad = commit("crash");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::Crash));

    let run = stage.deploy(&bad, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0], "{run:?}");
}
