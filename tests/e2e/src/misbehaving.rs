//! Plugins that misbehave: each runs beside policies that let it come as far as it can, is measured, and must leave the
//! journal whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use lab::project::{SERVICE, Settings};
use lab::snapshot::Snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Run, Stage, policies};

/// No hostile plugin may need more memory than this, in kilobytes; what limits it is far below.
const MEMORY: u64 = 300 << 10;
/// No hostile plugin may take longer than this; what limits it is far below.
const TIME: Duration = Duration::from_secs(30);

/// A stage with one hostile plugin.
pub struct Hostile {
    stage: Stage,
    service: String,
    folder: TempDir,
}

/// What came of one hostile plugin.
pub struct Row {
    /// What it does.
    pub way: String,
    /// What the program answered.
    pub run: Run,
    /// What is not as it was; empty if all is.
    pub changed: Vec<String>,
}

impl Hostile {
    /// A stage for plugins of `service`, with none yet.
    #[must_use]
    pub fn new(service: &str, limits: &str) -> Self {
        let folder = TempDir::with_prefix("host-hostile-").expect("a folder");
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins).expect("a folder");
        let settings = Settings {
            plugins: Some(plugins),
            policies: Some(policies(folder.path(), |_, content| content)),
            tables: format!("\n[limits]\nhealth-seconds = 5\n{limits}\n"),
            ..Settings::default()
        };
        Self { stage: Stage::with(settings), service: service.to_owned(), folder }
    }

    /// A stage for a guest of `tests/guests`, as the plugin of `service`.
    #[must_use]
    pub fn guest(guest: &str, service: &str, limits: &str) -> Self {
        let hostile = Self::new(service, limits);
        hostile.put(&fs::read(self::guest(guest)).expect("the guest"));
        hostile
    }

    /// Makes these bytes the plugin.
    pub fn put(&self, component: &[u8]) {
        fs::write(self.file(), component).expect("a plugin");
    }

    /// The plugin's file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(format!("plugins/{}.wasm", self.service))
    }

    /// The stage.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Every environment that the plugin knows: its ways to misbehave.
    #[must_use]
    pub fn ways(&self) -> Vec<String> {
        let run = self.stage.host(&["services", "--output", "json"]);
        assert!(run.json()["services"].is_array(), "{run:?}");
        let services = run.json()["services"].as_array().cloned().unwrap_or_default();
        let own = services.into_iter().find(|row| row["service"] == self.service.as_str());
        let names = own.as_ref().and_then(|own| own["environments"].as_array()).into_iter().flatten();
        names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    }

    /// The plugin may touch what `owned` says of each of its environments; there is no other service.
    pub fn owns(&self, environments: &[String], owned: impl Fn(&str) -> Value) {
        self.entitle(environments, owned, false);
    }

    /// The same, beside the services of the release and what they own.
    pub fn owns_beside_others(&self, environments: &[String], owned: impl Fn(&str) -> Value) {
        self.entitle(environments, owned, true);
    }

    fn entitle(&self, environments: &[String], owned: impl Fn(&str) -> Value, others: bool) {
        let file = self.folder.path().join("policies/entities.json");
        let mut entities: Value =
            serde_json::from_slice(&fs::read(&file).expect("entities")).expect("entities");
        let all = ["dev", "prod"].into_iter().chain(environments.iter().map(String::as_str));
        entities["environments"] = all.collect::<BTreeSet<_>>().into_iter().collect();
        let owns: serde_json::Map<_, _> =
            environments.iter().map(|name| (name.clone(), owned(name))).collect();
        if !others {
            entities["services"] = json!({});
        }
        entities["services"][&self.service] = json!({ "team": "unidesk", "owns": owns });
        fs::write(&file, entities.to_string()).expect("entities");
    }

    /// Runs it once, measures it, and looks at the journal and at what is there afterwards.
    #[must_use]
    pub fn attempt(&self, way: &str, environment: &str, commit: &str, flags: &[&str]) -> Row {
        let before = self.state();
        let mut arguments =
            vec!["deploy", &self.service, "--env", environment, "--commit", commit, "--output", "json"];
        arguments.extend(flags);
        let run = measured(way, &mut self.stage.command(&arguments));
        shown(way, &run);
        self.named(way, &run);
        self.journal(way, &run);
        let after = self.state();
        let mut changed: Vec<String> =
            before.0.differences(&after.0).into_iter().map(str::to_owned).collect();
        if before.1 != after.1 {
            changed.push("the delivered images".to_owned());
        }
        Row { way: way.to_owned(), run, changed }
    }

    /// What is wrong with a plugin names it, and which one it is.
    fn named(&self, way: &str, run: &Run) {
        let (code, message) = (run.text("/error/code"), run.text("/error/message"));
        if code.starts_with("plugin-") || code == "diverged" {
            assert!(message.contains(&self.service), "{way}: {message}");
            assert!(code == "plugin-file" || message.contains("sha256:"), "{way}: {message}");
        }
    }

    fn state(&self) -> (Snapshot, BTreeMap<String, String>) {
        let docker = self.stage.project().docker();
        let delivered = docker.image_names(&format!("*/{}", self.service)).expect("image names");
        (self.stage.snapshot(), delivered)
    }

    /// The journal is whole, and it shows this run.
    fn journal(&self, way: &str, run: &Run) {
        let file = self.stage.folder().join("state/journal.sqlite");
        let db = rusqlite::Connection::open(file).expect("the journal");
        let sound: String = db
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .expect("an answer of the journal");
        assert_eq!(sound, "ok", "{way}");
        let newest = self.stage.host(&["runs", "list", "--limit", "1", "--output", "json"]).json();
        let newest = &newest["runs"][0];
        let (id, code) = (newest["id"].as_str().expect("an id"), newest["exitCode"].as_i64());
        assert_eq!(code, Some(i64::from(run.code)), "{way}: {newest}");
        let reported = run.text("/run/id");
        assert!(reported.is_empty() || reported == id, "{way}: {reported} is not the newest run {id}");
        for form in ["text", "json"] {
            let told = self.stage.host(&["runs", "show", id, "--output", form]);
            assert_eq!(told.code, 0, "{way}: {told:?}");
            shown(way, &told);
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        // The stage removes what its own service left.
        if !std::thread::panicking() && self.service != SERVICE {
            let docker = self.stage.project().docker();
            let _ = self.stage.project().remove();
            for name in docker.image_names(&format!("*/{}", self.service)).unwrap_or_default().keys() {
                let _ = docker.run(&["image", "rm", "--force", name]);
            }
        }
    }
}

impl Row {
    /// One line of the table: what it does, exit code, decision, code, what is left of it, and the first line of the error.
    #[must_use]
    pub fn line(&self) -> String {
        let word = |pointer: &str| Some(self.run.text(pointer)).filter(|text| !text.is_empty());
        let decision = word("/decision").unwrap_or_else(|| "-".to_owned());
        let code = word("/error/code").unwrap_or_else(|| "-".to_owned());
        let message = self.run.text("/error/message");
        let left = if self.changed.is_empty() { "nothing".to_owned() } else { self.changed.join(", ") };
        let mut line = String::new();
        let _ = write!(line, "{:<46} | {:>3} | {decision:<13} | {code:<23} | ", self.way, self.run.code);
        let _ = write!(line, "{left:<7} | {}", message.lines().next().unwrap_or("-").trim_end());
        line
    }

    /// What the run said beside its answer, line by line.
    pub fn said(&self) -> impl Iterator<Item = &str> {
        self.run.stderr.lines().map(str::trim)
    }
}

/// The component of a guest.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    guests().join(format!("{name}.wasm"))
}

/// Where the lab puts the guests.
#[must_use]
pub fn guests() -> PathBuf {
    lab::paths::target().expect("target").join("guests")
}

/// Where the sources of the guests are.
#[must_use]
pub fn sources() -> PathBuf {
    lab::paths::root().join("tests/guests")
}

/// Everything that the program printed may go to a terminal: nothing moves its cursor, colours, hides or turns text.
pub fn shown(way: &str, run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        let hidden = text.chars().find(|c| {
            *c != '\n' && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{61c}' | '\u{ad}' | '\u{e0000}'..='\u{e007f}'))
        });
        assert_eq!(hidden, None, "{way} reached the terminal");
    }
}

/// Runs a command within [`TIME`] and [`MEMORY`].
fn measured(way: &str, command: &mut Command) -> Run {
    let [mut stdout, mut stderr] = [(); 2].map(|()| tempfile::tempfile().expect("a file"));
    let begun = Instant::now();
    let mut child = command
        .stdout(stdout.try_clone().expect("a file"))
        .stderr(stderr.try_clone().expect("a file"))
        .spawn()
        .expect("the program");
    let (status, most) = watched(&mut child, begun);
    assert!(begun.elapsed() < TIME, "{way} goes on after {} s", TIME.as_secs());
    assert!(most < MEMORY, "{way} took {most} kB");
    let text = |file: &mut fs::File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what was printed");
        String::from_utf8(bytes).expect("what is printed is text")
    };
    let run = Run { code: status.code().unwrap_or(-1), stdout: text(&mut stdout), stderr: text(&mut stderr) };
    let reported = (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    println!("{way}: {reported} s, {} MB", most >> 10);
    run
}

/// Waits for its end and for nothing longer than [`TIME`]; the most memory that it had, in kilobytes. The kernel's own
/// high-water mark is looked at often: it only grows.
fn watched(child: &mut Child, begun: Instant) -> (ExitStatus, u64) {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    loop {
        most = most.max(high_water(&status).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("a child") {
            return (status, most);
        }
        if begun.elapsed() > TIME {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn high_water(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
