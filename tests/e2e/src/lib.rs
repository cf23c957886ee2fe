//! A stage for the tests: a Compose project on a real engine beside a real registry, and the program as an operator runs
//! it. A test that cannot set its stage fails: whether the machine can run it at all was decided before.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a stage that cannot be set is a failed test"
)]

pub mod aftermath;
pub mod behind;
pub mod cluster;
pub mod component;
mod contract;
pub mod hostile;
pub mod line;
pub mod misbehaving;
pub mod page;
pub mod people;
pub mod table;
pub mod values;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

pub use lab::image::{Format, PushedImage, SampleImage, commit};
pub use lab::project::{BAIDU_NETDISK, CONTAINER, SERVICE, SERVICES, Settings};
pub use lab::snapshot::{Running, Snapshot};
pub use sample_service::Behaviour;

use lab::{Bench, Project};
use serde_json::Value;
use tempfile::TempDir;

/// One test's project, removed with everything it deployed when the test ends.
pub struct Stage {
    bench: Bench,
    project: Project,
    folder: TempDir,
}

/// What the program answered.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The answer.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// Seconds a health verification may take on this stage: a bad one should not hold the tests up.
const HEALTH_SECONDS: u32 = 5;

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// The release's plugins and policies.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Other plugins or policies, or more configuration.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        Self::on(Bench::from_environment().expect("the lab"), settings)
    }

    /// The same with another engine or registry than those of the lab.
    #[must_use]
    pub fn on(bench: Bench, mut settings: Settings) -> Self {
        let folder = TempDir::with_prefix("host-e2e-").expect("a folder");
        let limits = format!("\n[limits]\nhealth-seconds = {HEALTH_SECONDS}\n");
        if !settings.tables.contains("[limits]") {
            settings.tables.push_str(&limits);
        }
        let project = bench.project(folder.path(), "host-e2e", &settings).expect("a project");
        let stage = Self { bench, project, folder };
        stage.clear();
        stage
    }

    /// Puts an image into the registry, as CI would.
    pub fn publish(&self, image: &SampleImage) {
        image.push(self.bench.registry()).expect("an image in the registry");
    }

    /// The same, and tells what is in the registry now.
    #[must_use]
    pub fn pushed(&self, image: &SampleImage) -> PushedImage {
        image.push(self.bench.registry()).expect("an image in the registry")
    }

    /// A truthful, healthy image of the commit that `name` stands for.
    #[must_use]
    pub fn published(&self, name: &str) -> String {
        let commit = commit(name);
        self.publish(&SampleImage::new(SERVICE, &commit));
        commit
    }

    /// The project on disk.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The folder that everything of this stage is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the registry is.
    #[must_use]
    pub fn registry_url(&self) -> String {
        self.bench.registry().url()
    }

    /// What a deploy could change, as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.project).expect("a snapshot")
    }

    /// The commit that runs, if label, environment and health agree on one.
    #[must_use]
    pub fn running(&self) -> Option<String> {
        let running = Running::of(&self.project).ok()?;
        running.is(&running.label).then_some(running.label)
    }

    /// The program with this stage's configuration.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.host().expect("the program");
        command.args(arguments).env("NO_COLOR", "1");
        command
    }

    /// Runs the program.
    #[must_use]
    pub fn host(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// `host deploy project-manager --env prod --commit COMMIT FLAGS --output json`.
    #[must_use]
    pub fn deploy(&self, commit: &str, flags: &[&str]) -> Run {
        self.deploy_as(SERVICE, "prod", commit, flags)
    }

    /// The same for another service or environment.
    #[must_use]
    pub fn deploy_as(&self, service: &str, environment: &str, commit: &str, flags: &[&str]) -> Run {
        let mut arguments =
            vec!["deploy", service, "--env", environment, "--commit", commit, "--output", "json"];
        arguments.extend(flags);
        self.host(&arguments)
    }

    /// What differs between runs and machines, made the same, so that an answer can be a snapshot.
    #[must_use]
    pub fn stable(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "[stage]")
            .replace(self.bench.registry().address(), "[registry]")
            .replace(&self.bench.docker().endpoint().unwrap_or_default(), "[docker]")
    }

    fn clear(&self) {
        self.project.remove().expect("a project that can be removed");
        let docker = self.bench.docker();
        // A test may have started one by hand, which Compose knows nothing of.
        let there = docker.run(&["ps", "--all", "--format", "{{.Names}}"]).expect("what runs");
        for container in SERVICES.map(|service| service.container) {
            if there.lines().any(|name| name == container) {
                docker
                    .run(&["rm", "--force", "--volumes", container])
                    .expect("a container that can be removed");
            }
        }
        let deployed = |repository: &str| {
            let last = repository.rsplit('/').next().unwrap_or_default();
            SERVICES.iter().any(|one| [one.name, one.image].contains(&last))
                || (last == "mischief" && last != repository)
        };
        for pattern in ["*", "*/*", "*/*/*"] {
            for name in docker.image_names(pattern).expect("image names").keys() {
                if name.rsplit_once(':').is_some_and(|(repository, _)| deployed(repository)) {
                    docker.run(&["image", "rm", "--force", name]).expect("an image that can be removed");
                }
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.clear();
        }
    }
}

impl Run {
    /// Runs a command to its end.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        command.output().expect("a program that runs").into()
    }

    /// The answer as JSON, which must keep its schema.
    #[must_use]
    pub fn json(&self) -> Value {
        let answer = serde_json::from_str(&self.stdout);
        assert!(answer.is_ok(), "no JSON: {self:?}");
        let answer = answer.unwrap_or_default();
        contract::hold(&answer);
        answer
    }

    /// A text of the JSON answer; empty if there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> String {
        self.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A saved plan was refused, for this reason: of the plan itself, or of its first service.
    pub fn assert_refused(&self, code: &str, words: &str) {
        assert_eq!(self.code, 5, "{code}: {self:?}");
        let answer = self.json();
        let error =
            if answer["error"].is_null() { &answer["services"][0]["error"] } else { &answer["error"] };
        assert_eq!(error["code"], code, "{self:?}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{words}: {message}");
    }

    /// Exit code and decision, which always go together.
    #[must_use]
    pub fn outcome(&self) -> (i32, String) {
        (self.code, self.text("/decision"))
    }

    /// Exit code, standard output and standard error in one text.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = format!("exit {}\n", self.code);
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !content.is_empty() {
                let _ = write!(text, "--- {name}\n{content}");
            }
        }
        text
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// An env file where what is written of the run itself, which differs each time, is the same.
#[must_use]
pub fn without_run(env_file: &str) -> String {
    let mut parts = env_file.split("_DEPLOY_RUN=");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(['\r', '\n', '\\']).unwrap_or(part.len());
        text + "_DEPLOY_RUN=[run]" + &part[end..]
    })
}

/// The release's policies in a folder of the test's own, where `change` may rewrite any file.
pub fn policies(folder: &Path, change: impl Fn(&str, String) -> String) -> PathBuf {
    let copy = folder.join("policies");
    std::fs::create_dir_all(&copy).expect("a folder");
    for entry in std::fs::read_dir(lab::paths::policies()).expect("the release's policies").flatten() {
        if entry.path().is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let content = std::fs::read_to_string(entry.path()).expect("a policy file");
            std::fs::write(copy.join(&name), change(&name, content)).expect("a policy file");
        }
    }
    copy
}

/// Runs a command, and tells the most memory that it was seen to have used, in kilobytes.
#[must_use]
pub fn measured(command: &mut Command) -> (Run, u64) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program that starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let peak = thread::spawn(move || {
        let mut peak = 0;
        while let Some(now) = high_water(&status) {
            peak = peak.max(now);
            thread::sleep(Duration::from_millis(1));
        }
        peak
    });
    let output = child.wait_with_output().expect("a program that ends");
    (output.into(), peak.join().expect("a number"))
}

/// A process that has ended has none any more.
fn high_water(status: &PathBuf) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}
