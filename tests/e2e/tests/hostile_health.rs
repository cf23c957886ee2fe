//! A service that answers its health badly, in every way there is. Only one whole payload that says all that is expected
//! makes a deploy; everything else fails it within the deadline, and the reason says what was answered.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::time::{Duration, Instant};

use e2e::table::Table;
use e2e::{CONTAINER, Run, Settings, Snapshot, Stage};
use lab::faulty::{Answer, Faulty, Step};

/// Far above the deadline of a second, whatever the machine does meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

type Steps = Vec<Step>;

/// A commit runs in a real container; what asks for its health is sent to a server that does as it likes.
struct Scene {
    stage: Stage,
    health: Faulty,
    /// Where nobody has any business.
    elsewhere: Faulty,
    commit: String,
    /// What is there after the last row.
    now: Snapshot,
    table: Table,
}

impl Scene {
    fn new() -> Self {
        let health = Faulty::alone(|_| None).expect("a server");
        let elsewhere = Faulty::alone(|_| None).expect("a server");
        let url = format!("http://{}/health", health.address());
        let stage = Stage::with(Settings {
            tables: format!("[health.{CONTAINER}]\nurl = {url:?}\n[limits]\nhealth-seconds = 1\n"),
            ..Settings::default()
        });
        let mut table = Table::default();
        table.hide(health.address(), "[health]");
        table.hide(elsewhere.address(), "[elsewhere]");
        table.hide(stage.folder().display().to_string(), "[stage]");
        let commit = stage.published("health");
        let now = stage.snapshot();
        Self { stage, health, elsewhere, commit, now, table }
    }

    /// All that is expected, as one text.
    fn good(&self) -> String {
        let commit = &self.commit;
        format!(r#"{{"ok":true,"deploy":{{"commit":"{commit}","requestedCommit":"{commit}"}}}}"#)
    }

    fn deployed(&mut self, name: &str, reply: impl Fn(usize) -> Steps + Send + Sync + 'static) {
        let run = self.row(name, reply);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{name}: {run:?}");
    }

    fn failed(&mut self, name: &str, reply: impl Fn(usize) -> Steps + Send + Sync + 'static) {
        let run = self.row(name, reply);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{name}: {run:?}");
        assert_eq!(run.text("/error/step"), "health.expect", "{name}: {run:?}");
    }

    /// Fails with this body of an otherwise good answer.
    fn body(&mut self, name: &str, body: impl Into<Vec<u8>>) {
        let answer = json(body);
        self.failed(name, move |_| answer.steps());
    }

    fn row(&mut self, name: &str, reply: impl Fn(usize) -> Steps + Send + Sync + 'static) -> Run {
        self.health.set(move |asked| Some(reply(asked.before)));
        let begun = Instant::now();

        let run = self.stage.deploy(&self.commit, &["--run-now"]);

        assert!(begun.elapsed() < PATIENCE, "{name} took {:?}", begun.elapsed());
        let after = self.stage.snapshot();
        let before = std::mem::replace(&mut self.now, after);
        let differences = before.differences(&self.now);
        assert!(differences.iter().all(|what| FIRST.contains(what)), "{name}: {differences:?}");
        if before.container.is_some() {
            // The same commit again is another container of another run.
            assert_eq!(differences, ["the container", "the env file"], "{name}");
        }
        let seen = self.health.seen();
        assert!(seen.requests.iter().all(|line| line == "GET /health"), "{name}: {seen:?}");
        assert_eq!(self.elsewhere.seen().connections, 0, "{name}: somebody else was asked");
        self.table.row(name, &self.commit, &run);
        run
    }
}

/// What the first of all deploys may change.
const FIRST: [&str; 3] = ["the container", "the image names", "the env file"];

fn json(body: impl Into<Vec<u8>>) -> Answer {
    Answer::new("200 OK", body).with("Content-Type", "application/json")
}

#[test]
fn the_table_of_hostile_healths() {
    let mut scene = Scene::new();
    let good = json(scene.good());
    let proper = good.clone();
    scene.deployed("all that is expected", move |_| proper.steps());
    addresses(&mut scene);
    lengths(&mut scene, &good);
    statuses(&mut scene, &good);
    documents(&mut scene);
    texts(&mut scene);
    values(&mut scene);
    scene.health.close();
    scene.failed("nobody listens any more", |_| Vec::new());
    insta::assert_snapshot!(scene.table.text());
}

fn addresses(scene: &mut Scene) {
    scene.table.heading("redirects");
    let other = format!("http://{}/health?token=secret", scene.elsewhere.address());
    for (name, to) in [
        ("to another origin", other.as_str()),
        ("to the machine's metadata", "http://169.254.169.254/latest/meta-data/"),
    ] {
        let answer = Answer::new("302 Found", "").with("Location", to);
        scene.failed(&format!("a redirect {name}"), move |_| answer.steps());
    }
}

fn lengths(scene: &mut Scene, good: &Answer) {
    scene.table.heading("too slow, too long, cut off");
    let drip = |byte: &[u8]| Step::Repeat(byte.to_vec(), Duration::from_millis(50));
    let slow = good.then(drip(b" "));
    scene.failed("a body that drips", move |_| slow.clone());
    scene.failed("no answer", |_| vec![Step::Hang]);
    let padded = (0..5_000).fold(good.clone(), |answer, _| answer.and("X-Padding", "padding"));
    scene.failed("100,000 bytes of headers", move |_| padded.steps());
    let begun = good.clone().without("Content-Length");
    scene.failed("a body without end", move |_| {
        begun.then(Step::Repeat(vec![b' '; 64 << 10], Duration::ZERO))
    });
    let cut = good.clone();
    scene.failed("a body cut off", move |_| cut.cut());
    scene.failed("the connection is reset", |_| vec![Step::Reset]);
    let both = json(format!("{:x}\r\n{}\r\n0\r\n\r\n", good.body.len(), scene.good()));
    let both = both.with("Transfer-Encoding", "chunked");
    scene.failed("a length and chunks", move |_| both.steps());
    let old = Answer { version: "HTTP/1.0", ..good.clone() };
    scene.deployed("HTTP/1.0", move |_| old.steps());
}

fn statuses(scene: &mut Scene, good: &Answer) {
    scene.table.heading("other statuses, the payload perfect");
    let status = "500 Internal Server Error";
    let answer = Answer { status: status.to_owned(), ..good.clone() };
    scene.failed(status, move |_| answer.steps());
    let none = Answer::new("204 No Content", "").without("Content-Length");
    scene.failed("204 No Content", move |_| none.steps());
    // One whole good payload is enough, whatever comes before or after it.
    let (good, bad) = (good.clone(), Answer::new("503 Service Unavailable", ""));
    scene.deployed("bad and good by turns", move |before| match before % 2 {
        0 => bad.steps(),
        _ => good.steps(),
    });
}

fn documents(scene: &mut Scene) {
    scene.table.heading("documents");
    let good = scene.good();
    let other = "0".repeat(40);
    scene.body(
        "the commit twice, the right one last",
        good.replace(r#""commit":"#, &format!(r#""commit":"{other}","commit":"#)),
    );
    scene.body(
        "the commit twice, the right one first",
        good.replace(r#","requestedCommit""#, &format!(r#","commit":"{other}","requestedCommit""#)),
    );
    scene.body(
        "the commit twice, one of them escaped",
        good.replace(r#""commit":"#, &format!(r#""c\u006fmmit":"{other}","commit":"#)),
    );
    scene.body("two documents", format!("{good}{good}"));
    scene.body("100,000 levels", good.replace(r#""ok""#, &format!(r#""x":{},"ok""#, "[".repeat(100_000))));
    scene.body(
        "half a million values",
        good.replace(r#""ok""#, &format!(r#""x":[{}0],"ok""#, "0,".repeat(500_000))),
    );
    scene.body("a page", "<!doctype html>\u{1b}[2J<title>Welcome</title>");
}

fn texts(scene: &mut Scene) {
    scene.table.heading("character sets");
    let good = scene.good();
    let utf16 = json(good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    scene.failed("UTF-16", move |_| utf16.steps());
    let latin = json(good.clone()).with("Content-Type", "application/json; charset=\"iso-8859-1\"");
    scene.failed("another character set, and only ASCII in it", move |_| latin.steps());
    scene.body("a byte order mark", format!("\u{feff}{good}"));
    let invalid = good.replace(r#""ok""#, r#""x":"?","ok""#).into_bytes();
    let invalid: Vec<u8> = invalid.into_iter().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    scene.body("a byte that is no UTF-8", invalid);
}

fn values(scene: &mut Scene) {
    scene.table.heading("values");
    let (good, commit) = (scene.good(), scene.commit.clone());
    for (name, value) in
        [("a text for a flag", "\"true\""), ("a number of thirty digits", "123456789012345678901234567890")]
    {
        scene.body(name, good.replace("true", value));
    }
    let pinned = format!(r#""commit":"{commit}""#);
    for (name, value) in [
        ("the commit in upper case", commit.to_uppercase()),
        ("a commit that clears the screen", r"\u001b[2J\u001b]0;owned\u0007\r\ndeployed".to_owned()),
        ("a commit of half a megabyte", "a".repeat(500_000)),
    ] {
        scene.body(name, good.replace(&pinned, &format!(r#""commit":"{value}""#)));
    }
    let requested = format!(r#""requestedCommit":"{commit}""#);
    scene.body(
        "another requested commit",
        good.replace(&requested, &format!(r#""requestedCommit":"{}""#, "0".repeat(40))),
    );
}

#[test]
fn a_hostile_health_is_taken_back_where_asked_for() {
    let scene = Scene::new();
    let good = json(scene.good());
    scene.health.set(move |_| Some(good.steps()));
    assert_eq!(scene.stage.deploy(&scene.commit, &["--run-now"]).code, 0);
    let before = scene.stage.snapshot();
    let next = scene.stage.published("next");
    // Still the old commit, well-formed and healthy.
    let run = scene.stage.deploy(&next, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains(&scene.commit), "{run:?}");
    assert_eq!(scene.stage.running().as_ref(), Some(&scene.commit));
    assert_eq!(
        before.differences(&scene.stage.snapshot()),
        ["the container"],
        "only the container is a new one"
    );
}
