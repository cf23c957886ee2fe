//! A Docker engine that is slow, lies, or dies in the middle: a clear error in bounded time, and what ran before is as it
//! was or comes back.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::time::Duration;

use e2e::aftermath::Leaves;
use e2e::hostile::{BACK, Hostile, LIVE, after, is, nth, on};
use e2e::{Behaviour, CONTAINER, Run, SERVICE, SampleImage, commit};
use lab::faulty::Answer;
use lab::faulty_docker::Fault;

/// Deadlines that a hanging engine runs into.
const LIMITS: &str = "docker-seconds = 3\ndelivery-seconds = 3\ncompose-seconds = 8\nhealth-seconds = 5";

/// Longer than any row.
const FOR_EVER: Duration = Duration::from_mins(10);
const ALWAYS: usize = usize::MAX;

const VERSION: &[&str] = &["GET ", "/version "];
const INFO: &[&str] = &["GET ", "/info "];
const IMAGE: &[&str] = &["GET ", "/images/", "/json "];
const CONTAINER_BY_NAME: &[&str] = &["GET ", "/containers/project-manager-backend/json"];
const LIST: &[&str] = &["GET ", "/containers/json?"];
const PULL: &[&str] = &["POST ", "/images/create?"];
const TAG: &[&str] = &["POST ", "/tag?"];
const CREATE: &[&str] = &["POST ", "/containers/create?"];
const START: &[&str] = &["POST ", "/start "];

fn json(body: &str) -> Fault {
    Fault::Answer(Answer::new("200 OK", body).with("Content-Type", "application/json").bytes())
}

fn page(status: &str) -> Fault {
    let answer = Answer::new(status, "<html>\u{1b}[2J\u{202e}Bad Gateway</html>");
    Fault::Answer(answer.with("Content-Type", "text/html").bytes())
}

/// An answer that goes on and on.
fn endless(piece: &str, pause: Duration) -> Fault {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    Fault::Endless(head.into(), piece.repeat(8).into_bytes(), pause)
}

#[test]
fn before_anything_changes() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let mut row = |name: &str, words: &'static [&'static str], fault: Fault| {
        on_stage.engine_row(name, Leaves::Nothing, LIVE, on(words, ALWAYS, fault));
    };
    row("version: silence", VERSION, Fault::Silence);
    row("version: closed", VERSION, Fault::Closed);
    row("version: cut", VERSION, Fault::Cut(300));
    row("version: a page", VERSION, page("200 OK"));
    row("version: 500 and a page", VERSION, page("500 Internal Server Error"));
    row("version: none", VERSION, json("{}"));
    row("version: endless", VERSION, endless(&" ".repeat(8192), Duration::ZERO));
    let too_old = r#"{"message":"client version 1.52 is too old. Minimum supported API version is 1.99, please upgrade your client to a newer version"}"#;
    row(
        "info: this client is too old",
        INFO,
        Fault::Answer(
            Answer::new("400 Bad Request", too_old).with("Content-Type", "application/json").bytes(),
        ),
    );
    row("info: garbage", INFO, json("{\"DriverStatus\": [[[]]"));
    row("info: dies", INFO, Fault::Death(FOR_EVER));
    row("image: cut", IMAGE, Fault::Cut(400));
    row("image: silence", IMAGE, Fault::Silence);
    row("image: without an id", IMAGE, json("{}"));
    row("container: garbage", CONTAINER_BY_NAME, json("[1, 2"));
    row("container: without an id", CONTAINER_BY_NAME, json("{\"Name\":\"/project-manager-backend\"}"));
    row("container: 503 and a page", CONTAINER_BY_NAME, page("503 Service Unavailable"));
    row("list: cut", LIST, Fault::Cut(150));
    on_stage.engine_row(
        "slow but alive",
        Leaves::Deployed,
        LIVE,
        on(&["GET "], ALWAYS, Fault::Late(Duration::from_millis(50))),
    );

    // What the real engine holds.
    let docker = on_stage.stage.project().docker().clone();
    let foreign = format!("unidesk/{SERVICE}:{}", commit("name: of another image"));
    docker.run(&["tag", SERVICE, &foreign]).expect("a name");
    on_stage.row("name: of another image", Leaves::Nothing, LIVE);
    let labels = ["project=host-e2e", "service=project-manager", "oneoff=False"]
        .map(|label| format!("com.docker.compose.{label}"));
    docker
        .run(&[
            "run",
            "--detach",
            "--network=none",
            "--name",
            "a-second-one",
            "--label",
            &labels[0],
            "--label",
            &labels[1],
            "--label",
            &labels[2],
            SERVICE,
        ])
        .expect("a second container");
    on_stage.row("container: a second one", Leaves::Nothing, LIVE);
    docker.run(&["rm", "--force", "a-second-one"]).expect("removed");
    insta::assert_snapshot!(on_stage.finish());
}

#[test]
fn while_the_image_comes() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let mut row = |name: &str, words: &'static [&'static str], times: usize, fault: Fault| {
        on_stage.engine_row(name, Leaves::Nothing, LIVE, on(words, times, fault));
    };
    let line = "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":9},\"id\":\"a\"}\r\n";
    let chunk =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n400\r\n{\"status\":\"Pulling fs la".to_vec();
    let error = "{\"errorDetail\":{\"message\":\"no \\u001b[2Jspace left\"},\"error\":\"no \\u001b[2Jspace left\"}\r\n";
    row("pull: silence", PULL, ALWAYS, Fault::Silence);
    row("pull: closed", PULL, ALWAYS, Fault::Closed);
    row("pull: dies", PULL, ALWAYS, Fault::Death(FOR_EVER));
    row("pull: cut in a line", PULL, ALWAYS, Fault::Answer(chunk));
    row("pull: ends in a line", PULL, ALWAYS, json("{\"status\":\"Pulling fs la"));
    row("pull: endless", PULL, ALWAYS, endless(line, Duration::from_millis(20)));
    row("pull: an endless line", PULL, ALWAYS, endless(&" ".repeat(8192), Duration::ZERO));
    row("pull: garbage", PULL, ALWAYS, json("{\"status\":\"Pulling\"}\r\n<html>\u{1b}[2J</html>\r\n"));
    row("pull: an error inside", PULL, ALWAYS, json(error));
    row("pull: 500 and a page", PULL, ALWAYS, page("500 Internal Server Error"));
    row("pull: says it is done", PULL, ALWAYS, json(""));
    row("tag: 500 and a page", TAG, 1, page("500 Internal Server Error"));
    row("tag: done, and cut", TAG, 1, Fault::Cut(0));
    row("tag: silence", TAG, 1, Fault::Silence);
    let other = json(&format!("{{\"Id\":\"sha256:{}\"}}", "0".repeat(64)));
    on_stage.engine_row(
        "pulled: another image",
        Leaves::Nothing,
        LIVE,
        after(PULL, on(&["GET ", "/images/", "@sha256"], 1, other)),
    );

    // The name by which the image came cannot be taken away.
    let docker = on_stage.stage.project().docker().clone();
    let has = |name: &str| docker.run(&["image", "inspect", name]).is_ok();
    let run = on_stage.engine_row("name left behind", Leaves::Something, LIVE, untagged(usize::MAX));
    assert!(has(&passing_name(&run)), "it is there");
    docker.run(&["image", "rm", &passing_name(&run)]).expect("removed");
    let run = on_stage.engine_row("name left behind, then rolled back", Leaves::Nothing, BACK, untagged(1));
    assert!(!has(&passing_name(&run)), "it was taken back");
    insta::assert_snapshot!(on_stage.finish());
}

/// No image gets a name, and the name under which it was pulled cannot be taken away so many times.
fn untagged(times: usize) -> impl FnMut(&str) -> Fault + Send {
    let mut untag = on(&["DELETE ", "/images/", "@sha256"], times, Fault::Closed);
    move |head| if is(head, TAG) { page("500 Internal Server Error") } else { untag(head) }
}

/// The name by which the engine knew the image of a run while it was delivered.
fn passing_name(run: &Run) -> String {
    let probe = run.text("/registry/probeUrl");
    let authority = probe.split('/').nth(2).unwrap_or_default();
    format!("{authority}/{}@{}", run.text("/registry/repository"), run.text("/registry/digest"))
}

#[test]
fn while_the_container_is_recreated() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let mut row = |name: &str, leaves: Leaves, flags: &[&str], rule: Box<dyn FnMut(&str) -> Fault + Send>| {
        on_stage.engine_row(name, leaves, flags, rule);
    };
    row(
        "stable name: 500 and a page",
        Leaves::Image,
        LIVE,
        Box::new(nth(TAG, 3, 1, page("500 Internal Server Error"))),
    );
    row("create: closed", Leaves::Image, LIVE, Box::new(on(CREATE, 1, Fault::Closed)));
    row("create: closed, rolled back", Leaves::Nothing, BACK, Box::new(on(CREATE, 1, Fault::Closed)));
    row(
        "create: 500 and a page",
        Leaves::Image,
        LIVE,
        Box::new(on(CREATE, 1, page("500 Internal Server Error"))),
    );
    row("create: done, and cut", Leaves::Image, LIVE, Box::new(on(CREATE, 1, Fault::Cut(0))));
    row("start: closed", Leaves::NewContainerAndImage, LIVE, Box::new(on(START, 1, Fault::Closed)));
    row("start: done, and cut", Leaves::NewContainerAndImage, LIVE, Box::new(on(START, 1, Fault::Cut(0))));
    row("start: silence", Leaves::NewContainerAndImage, LIVE, Box::new(on(START, 1, Fault::Silence)));
    let other = Fault::Replaced("\"Image\":\"sha256:".to_owned(), "\"Image\":\"sha255:".to_owned());
    row(
        "started: another image",
        Leaves::NewContainerAndImage,
        LIVE,
        Box::new(after(START, on(CONTAINER_BY_NAME, 1, other))),
    );
    row(
        "started: nobody knows what",
        Leaves::NewContainerAndImage,
        LIVE,
        Box::new(after(START, on(CONTAINER_BY_NAME, 1, Fault::Closed))),
    );
    let third = || after(START, nth(CONTAINER_BY_NAME, 3, 1, Fault::Closed));
    row("verified: closed, rolled back", Leaves::NewContainer, BACK, Box::new(third()));
    row("verified: closed", Leaves::Something, LIVE, Box::new(third()));
    row(
        "create: dies for a second",
        Leaves::Image,
        LIVE,
        Box::new(on(CREATE, 1, Fault::Death(Duration::from_secs(1)))),
    );
    row(
        "start: dies for a second",
        Leaves::NewContainerAndImage,
        LIVE,
        Box::new(on(START, 1, Fault::Death(Duration::from_secs(1)))),
    );
    row("create: dies for good", Leaves::Something, LIVE, Box::new(on(CREATE, 1, Fault::Death(FOR_EVER))));
    row("alive again: the next deploy", Leaves::Deployed, LIVE, Box::new(|_| Fault::None));
    row(
        "start: dies for good, rolled back",
        Leaves::Something,
        BACK,
        Box::new(on(START, 1, Fault::Death(FOR_EVER))),
    );
    row("alive again: the next deploy of all", Leaves::Deployed, LIVE, Box::new(|_| Fault::None));
    insta::assert_snapshot!(on_stage.finish());
}

#[test]
fn a_container_that_is_started_again_and_again() {
    let on_stage = Hostile::in_service(LIMITS);
    let stage = &on_stage.stage;
    let file = on_stage.compose_file();
    let content = std::fs::read_to_string(&file).expect("a Compose file");
    let name = format!("container_name: {CONTAINER}\n");
    let content = content.replace(&name, &format!("{name}    restart: always\n"));
    std::fs::write(&file, content).expect("a Compose file");
    let good = stage.running();
    let before = stage.snapshot();
    let bad = commit("crash loop");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::Crash));

    let run = stage.deploy(&bad, BACK);

    // Whether it is seen between two starts or in one of them is chance.
    let message = run.text("/error/message");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(message.contains("does not run") || message.contains("did not stay up"), "{message}");
    assert_eq!(stage.running(), good);
    assert_eq!(before.differences(&stage.snapshot()), ["the container"], "{run:?}");
}
