//! A stage in service whose engine can be made to go wrong, and the table of what then happens.

use std::path::PathBuf;

use lab::faulty_docker::{Fault, FaultyDocker};

use crate::aftermath::{Aftermath, Leaves};
use crate::{Run, Settings, Stage};

/// Flags of a live run.
pub const LIVE: &[&str] = &["--run-now"];
/// Flags of a live run that is taken back if it fails.
pub const BACK: &[&str] = &["--run-now", "--on-failure", "rollback"];

/// A stage on which a first commit runs already.
pub struct Hostile {
    /// Where things are deployed to.
    pub stage: Stage,
    /// What the program takes for the engine.
    pub engine: FaultyDocker,
    table: Aftermath,
}

impl Hostile {
    /// With these deadlines, in seconds.
    #[must_use]
    pub fn in_service(limits: &str) -> Self {
        let mut tables = format!("[limits]\n{limits}\n");
        // Rows leave images behind, and a table tells of its own row only.
        if !limits.contains("images-kept") {
            tables += "images-kept = 1000\n";
        }
        let stage = Stage::with(Settings { tables, ..Settings::default() });
        let docker = stage.project().docker();
        let engine = FaultyDocker::start(docker, &stage.folder().join("docker.sock")).expect("a stand-in");
        let real = docker.endpoint().expect("an address");
        let bench = lab::Bench::from_environment().expect("the lab");
        let mut table = Aftermath::default();
        let folder = stage.folder().display().to_string();
        // As Docker's own command writes a socket's path.
        table.table.hide(folder.replace('/', "%2F"), "[stage]");
        table.table.hide(folder, "[stage]");
        // Compose's own words for it depend on how far it had written.
        table.table.hide("write unix @->[stage]/docker.sock: use of closed network connection", "EOF");
        table.table.hide(bench.registry().address(), "[registry]");
        let hostile = Self { stage, engine, table };
        hostile.configure(&real, &hostile.engine.address());
        let first = hostile.stage.published("first");
        let run = hostile.stage.deploy(&first, LIVE);
        assert_eq!(run.code, 0, "{run:?}");
        hostile
    }

    /// Replaces a text in `host.toml`.
    pub fn configure(&self, this: &str, by: &str) {
        let toml = self.stage.project().host_toml();
        let content = std::fs::read_to_string(&toml).expect("host.toml");
        let changed = content.replace(this, by);
        assert_ne!(content, changed, "host.toml has {this}");
        std::fs::write(&toml, changed).expect("host.toml");
    }

    /// One row: a deploy of a commit of its own while `rule` says what becomes of each request to the engine.
    pub fn engine_row(
        &mut self,
        name: &str,
        leaves: Leaves,
        flags: &[&str],
        rule: impl FnMut(&str) -> Fault + Send + 'static,
    ) -> Run {
        let commit = self.stage.published(name);
        self.engine.fault(rule);
        let run = self.table.row(&self.stage, name, &commit, leaves, || self.stage.deploy(&commit, flags));
        self.engine.mend().expect("a stand-in");
        run
    }

    /// One row: a deploy of a commit of its own as things stand.
    pub fn row(&mut self, name: &str, leaves: Leaves, flags: &[&str]) -> Run {
        self.engine_row(name, leaves, flags, |_| Fault::None)
    }

    /// One row: a live deploy with more in the caller's environment.
    pub fn row_called_with(&mut self, name: &str, leaves: Leaves, environment: &[(&str, &str)]) -> Run {
        let commit = self.stage.published(name);
        let mut command = self.stage.command(&[
            "deploy",
            crate::SERVICE,
            "--env",
            "prod",
            "--commit",
            &commit,
            "--run-now",
            "--output",
            "json",
        ]);
        command.envs(environment.iter().copied());
        self.table.row(&self.stage, name, &commit, leaves, || Run::of(&mut command))
    }

    /// The Compose file.
    #[must_use]
    pub fn compose_file(&self) -> PathBuf {
        self.stage.folder().join("docker-compose.yml")
    }

    /// All rows as one text.
    ///
    /// # Panics
    /// If a row took too long or did not leave what it must.
    #[must_use]
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.table).finish()
    }
}

/// What an engine says that does not get through to the registry.
#[must_use]
pub fn unreached() -> Fault {
    const BODY: &str = r#"{"message":"Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused"}"#;
    let head = format!("HTTP/1.1 500 Internal Server Error\r\ncontent-length: {}\r\n\r\n", BODY.len());
    Fault::Answer((head + BODY).into_bytes())
}

/// `fault` for the first `times` requests whose first line has all of `words`.
pub fn on(words: &'static [&'static str], times: usize, fault: Fault) -> impl FnMut(&str) -> Fault + Send {
    nth(words, 1, times, fault)
}

/// `fault` for `times` requests whose first line has all of `words`, from the one that is the `first`, counted from 1.
pub fn nth(
    words: &'static [&'static str],
    first: usize,
    times: usize,
    fault: Fault,
) -> impl FnMut(&str) -> Fault + Send {
    let mut seen = 0_usize;
    move |head| {
        if !is(head, words) {
            return Fault::None;
        }
        seen += 1;
        if seen >= first && seen - first < times { fault.clone() } else { Fault::None }
    }
}

/// `fault` for `times` requests whose first line has all of `words`, once one with all of `cue` was seen.
pub fn after(
    cue: &'static [&'static str],
    mut then: impl FnMut(&str) -> Fault + Send + 'static,
) -> impl FnMut(&str) -> Fault + Send {
    let mut seen = false;
    move |head| {
        let fault = if seen { then(head) } else { Fault::None };
        seen |= is(head, cue);
        fault
    }
}

/// `act` once, before the first request whose first line has all of `words` goes on; then `fault` for that request.
pub fn meanwhile(
    words: &'static [&'static str],
    act: impl FnOnce() + Send + 'static,
    fault: Fault,
) -> impl FnMut(&str) -> Fault + Send {
    let mut act = Some(act);
    move |head| {
        if !is(head, words) {
            return Fault::None;
        }
        act.take().map_or(Fault::None, |act| {
            act();
            fault.clone()
        })
    }
}

/// Whether the first line of a request's head has all of `words`.
#[must_use]
pub fn is(head: &str, words: &[&str]) -> bool {
    let line = head.lines().next().unwrap_or_default();
    words.iter().all(|word| line.contains(word))
}
