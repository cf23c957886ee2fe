//! The deploys of the demo, good and bad, each checked against the engine and the service itself.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use lab::{
    Behaviour, Bench, Error, Project, Result, SampleImage, Snapshot, image, paths,
    project::{self, CONTAINER, NEIGHBOUR, SERVICE, Settings},
    sample,
    snapshot::Running,
};

use super::{PROJECT, made::Made};
use crate::screen::{Screen, shown};

/// How long the demo waits for health before it calls it bad.
const HEALTH_SECONDS: u32 = 5;

/// How long the service may take to answer the demo itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of the padding layer: enough for the progress of an image to be seen.
const PADDING: usize = 24_000_000;

/// The commits of the demo.
struct Commits {
    first: String,
    second: String,
    absent: String,
    lying: String,
    failing: String,
}

/// A project that is ready to be deployed to.
pub struct Deploys {
    project: Project,
    commits: Commits,
}

/// What must be true after a deploy.
#[derive(Clone, Copy)]
enum Then {
    /// Container, image names and env file are as before.
    Unchanged,
    /// This commit runs and is healthy, and the neighbour is as before.
    Runs,
}

impl Deploys {
    /// Publishes the images as a CI would, and writes the Compose project.
    pub fn publish(screen: &Screen, made: &mut Made, bench: &Bench) -> Result<Self> {
        if made.project.is_none() {
            project::must_be_unused(bench.docker())?;
        }
        // As everywhere, another program is another commit: a deployed commit never changes what it contains.
        let program = sample::bytes()?;
        let commit = |name: &str| image::commit_of(&[name.as_bytes(), &program].concat());
        let commits = Commits {
            first: commit("the first"),
            second: commit("the second"),
            absent: commit("never published"),
            lying: commit("the image lies"),
            failing: commit("never gets healthy"),
        };
        let step = screen.title("Images, as a CI would publish them");
        let image = |commit| SampleImage::new(SERVICE, commit);
        let published = [
            ("the first commit", image(&commits.first).padding(PADDING)),
            ("the second commit", image(&commits.second).padding(PADDING)),
            ("its label names another commit", image(&commits.lying).label(image::REVISION, &commits.first)),
            ("never gets healthy", image(&commits.failing).behaviour(Behaviour::NeverReady)),
        ];
        for (what, image) in published {
            let pushed = image.push(bench.registry())?;
            screen.say(&format!("{} {what}", pushed.reference));
            made.add(|made| {
                made.images.extend([pushed.digest, pushed.manifest_digest, pushed.config_digest]);
            })?;
        }
        let neighbour = SampleImage::new(NEIGHBOUR, &commits.first).push(bench.registry())?;
        step.done("pushed");

        let step = screen.title("A Compose project");
        let (digest, config) = (neighbour.digest.clone(), neighbour.config_digest.clone());
        made.add(|made| {
            made.images.extend([digest, config]);
            made.project = Some(PROJECT.to_owned());
        })?;
        let project = bench.project(&made.folder, PROJECT, &settings()?)?;
        project.start_neighbour(&neighbour)?;
        step.done(&format!("{} with a neighbour that no deploy may touch", made.folder.display()));
        Ok(Self { project, commits })
    }

    /// All deploys, one after the other; the first that does not end as it should ends the demo.
    pub fn run(&self, screen: &Screen) -> Result<()> {
        let Commits { first, second, absent, lying, failing } = &self.commits;
        let live = ["--run-now"].as_slice();
        let back = ["--run-now", "--on-failure", "rollback"].as_slice();
        self.deploy(screen, "A dry run changes nothing", first, &["--dry-run"], 0, Then::Unchanged)?;
        self.deploy(screen, "The first commit, for real", first, live, 0, Then::Runs)?;
        self.deploy(screen, "The second commit", second, live, 0, Then::Runs)?;
        self.deploy(screen, "A commit that was never published", absent, live, 1, Then::Unchanged)?;
        self.deploy(screen, "A commit whose image lies about its revision", lying, live, 1, Then::Unchanged)?;

        let title = "A commit that never gets healthy, with the way back";
        self.deploy_and(screen, title, failing, back, 1, |before| self.must_be_back(before, second))?;
        self.deploy(screen, "Back to the first commit, by deploying it", first, live, 0, Then::Runs)
    }

    fn deploy(
        &self,
        screen: &Screen,
        title: &str,
        commit: &str,
        flags: &[&str],
        exit: i32,
        then: Then,
    ) -> Result<()> {
        self.deploy_and(screen, title, commit, flags, exit, |before| match then {
            Then::Unchanged => self.must_be(before),
            Then::Runs => self.must_run(commit),
        })
    }

    /// Runs `host deploy`, and then looks for itself.
    fn deploy_and(
        &self,
        screen: &Screen,
        title: &str,
        commit: &str,
        flags: &[&str],
        exit: i32,
        check: impl FnOnce(&Snapshot) -> Result<String>,
    ) -> Result<()> {
        let step = screen.title(title);
        let before = Snapshot::of(&self.project)?;
        let mut host = self.deploy_command(commit, flags)?;
        screen.command(&host);
        let status = host.status().map_err(Error::io(format!("run `{}`", shown(&host))))?;
        if status.code() != Some(exit) {
            return Err(Error::unexpected(
                format!("`{}`", shown(&host)),
                format!("{status}, expected {exit}"),
            ));
        }
        let found = check(&before)?;
        if Snapshot::of(&self.project)?.neighbour != before.neighbour {
            return Err(Error::unexpected("the deploy", "it has touched the neighbour"));
        }
        step.done(&format!("exit {exit} as expected, {found}"));
        Ok(())
    }

    fn deploy_command(&self, commit: &str, flags: &[&str]) -> Result<Command> {
        let mut host = self.project.host()?;
        host.args(["deploy", SERVICE, "--env", "prod", "--commit", commit]).args(flags);
        Ok(host)
    }

    fn must_be(&self, before: &Snapshot) -> Result<String> {
        match before.differences(&Snapshot::of(&self.project)?).as_slice() {
            [] => Ok("container, image names and env file are as before".to_owned()),
            changed => Err(Error::unexpected("nothing was to change, but", changed.join(", "))),
        }
    }

    /// Another container of the same commit, and all else is as before.
    fn must_be_back(&self, before: &Snapshot, commit: &str) -> Result<String> {
        let found = self.must_run(commit)?;
        match before.differences(&Snapshot::of(&self.project)?).as_slice() {
            [] | ["the container"] => Ok(format!("image names and env file are as before, {found}")),
            changed => Err(Error::unexpected("everything was to be as before, but", changed.join(", "))),
        }
    }

    /// A container that has just been brought back may need a moment.
    fn must_run(&self, commit: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            match Running::of(&self.project) {
                Ok(running) if running.is(commit) => {
                    return Ok(format!("label, env and /health say {commit:.12}"));
                }
                Ok(running) => {
                    let what = format!("commit {commit} was to run");
                    return Err(Error::unexpected(what, format!("{running:#?}")));
                }
                Err(error) if start.elapsed() > PATIENCE => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// What is there now, and what can be tried with it.
    pub fn say_goodbye(&self, screen: &Screen) -> Result<()> {
        let address = self.project.docker().address(CONTAINER)?;
        screen.title("All of it was real, and it is still running");
        screen.say("look at it:");
        let format = r#"{{index .Config.Labels "org.opencontainers.image.revision"}} {{.Config.Env}}"#;
        screen.command(Command::new("docker").args(["inspect", "--format", format, CONTAINER]));
        screen.command(Command::new("curl").arg(format!("http://{address}:8080/health")));
        screen.say("play on:");
        screen.command(&self.deploy_command(&self.commits.second, &["--run-now"])?);
        screen.command(self.project.host()?.args(["runs", "list"]));
        screen.say("remove everything that the demo made, and nothing else:");
        screen.command(Command::new("cargo").args(["xtask", "demo", "--clean"]));
        Ok(())
    }
}

/// Relative paths where they can be, so that the file is good to read.
fn settings() -> Result<Settings> {
    let in_checkout = paths::target()? == paths::root().join("target");
    Ok(Settings {
        plugins: Some("../plugins".into()),
        policies: in_checkout.then(|| "../../policies".into()),
        tables: format!("\n[limits]\nhealth-seconds = {HEALTH_SECONDS}\n"),
        ..Settings::default()
    })
}
