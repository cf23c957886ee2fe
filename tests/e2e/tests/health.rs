//! A service that does not prove the requested commit is a failed deploy, within the deadline, with the reason.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use e2e::{Behaviour, Run, SERVICE, SampleImage, Settings, Stage, commit};

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

#[test]
fn a_container_that_cannot_be_started_is_taken_back_at_once() {
    let stage = Stage::new();
    let good = stage.published("good");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0);
    let before = stage.snapshot();
    let broken = commit("no such program");
    stage.publish(&SampleImage::new(SERVICE, &broken).entrypoint("/no-such-program"));

    let run = stage.deploy(&broken, &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/step"), "compose.activate");
    assert_says(&run, &["no-such-program", "the activation was taken back", "the image was delivered"]);
    assert_eq!(stage.running(), Some(good));
    let after = stage.snapshot();
    assert_eq!(before.env_file, after.env_file);
    assert_eq!(before.images.get("project-manager:latest"), after.images.get("project-manager:latest"));
}

#[test]
fn a_configured_endpoint_stands_in_for_the_containers_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/health", listener.local_addr().expect("an address"));
    let stage = Stage::with(Settings {
        tables: format!("[health.project-manager-backend]\nurl = {url:?}\n"),
        ..Settings::default()
    });
    let never_ready = commit("behind an endpoint");
    stage.publish(&SampleImage::new(SERVICE, &never_ready).behaviour(Behaviour::NeverReady));
    let payload =
        format!(r#"{{"ok":true,"deploy":{{"commit":"{never_ready}","requestedCommit":"{never_ready}"}}}}"#);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut request = BufReader::new(&stream).lines().map_while(Result::ok);
            let path = request.next().unwrap_or_default();
            drop(request.find(String::is_empty));
            let status = if path.starts_with("GET /health ") { "200 OK" } else { "404 Not Found" };
            let length = payload.len();
            let _ = write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{payload}");
        }
    });

    let run = stage.deploy(&never_ready, &["--run-now"]);

    assert_eq!(
        run.outcome(),
        (0, "deployed".to_owned()),
        "the endpoint was asked, not the container: {run:?}"
    );
}
