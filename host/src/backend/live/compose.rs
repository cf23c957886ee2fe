//! The `docker compose` command line of one project, as argument vectors: no shell, no variable of the caller's, no file
//! that is not named.

mod check;
mod diagnose;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod redact;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::env_file::Secrets;
use super::machine::{Lock, Machine, Unrun};
use super::process::{Finished, Unfinished};
use crate::answer::CallError;
use crate::config::{ComposeRuntime, Limits};
use crate::names::{ComposeService, EnvKey};
use crate::operation::Activate;
use crate::words::{plain, seconds};

/// Longest part of what Compose says that an error repeats, in characters.
const SHOWN: usize = 600;
/// Compose takes `COMPOSE_*` entries of the env file into its own environment, unless they are there. These would reach
/// beyond the one service (containers of services that left the file would be removed), or change what is read here.
/// Quiet, because only errors are read, and because a Compose whose host was killed would end at its next word.
const PINNED: [(&str, &str); 3] =
    [("COMPOSE_REMOVE_ORPHANS", "false"), ("COMPOSE_ANSI", "never"), ("COMPOSE_PROGRESS", "quiet")];

/// The Compose project of a runtime.
#[derive(Debug, Clone)]
pub struct Compose {
    machine: Machine,
    project: String,
    directory: PathBuf,
    files: Vec<PathBuf>,
    env_file: PathBuf,
    stamped: Vec<EnvKey>,
    environment: Vec<(OsString, OsString)>,
    within: Duration,
    /// What sets that deadline, for messages.
    bound: &'static str,
}

impl Compose {
    /// The project of `runtime`, which is on `machine`, with `env_file` as its controlled env file.
    #[must_use]
    pub fn new(machine: Machine, runtime: &ComposeRuntime, env_file: &Path, limits: &Limits) -> Self {
        let set = PINNED.iter().copied().chain([("DOCKER_HOST", runtime.docker.as_str())]);
        let environment = set.map(|(key, value)| (key.into(), value.into())).collect();
        Self {
            machine,
            project: runtime.project.clone(),
            directory: runtime.directory.clone(),
            files: runtime.files.clone(),
            env_file: env_file.to_owned(),
            stamped: Vec::new(),
            environment,
            within: Duration::from_secs(limits.compose_seconds),
            bound: "limits.compose-seconds",
        }
    }

    /// The same project, whose messages may show the values of these keys of the env file.
    #[must_use]
    pub fn showing(self, stamped: Vec<EnvKey>) -> Self {
        Self { stamped, ..self }
    }

    /// The project's name.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The whole command that recreates `service` and nothing else. `--pull never` stands for a `pull_policy` of `never`:
    /// a missing stable name would be pulled from a public registry.
    #[must_use]
    pub fn recreate_argv(&self, service: &ComposeService) -> Vec<OsString> {
        let verb =
            ["up", "-d", "--no-build", "--no-deps", "--force-recreate", "--pull", "never", service.as_str()];
        self.argv(&verb)
    }

    /// The whole command that stops and removes the containers of `service` and nothing else; volumes stay.
    #[must_use]
    pub fn remove_argv(&self, service: &ComposeService) -> Vec<OsString> {
        self.argv(&["rm", "--stop", "--force", service.as_str()])
    }

    /// Refuses an activation that the Compose files do not fit, and says which line is missing. Changes nothing.
    ///
    /// Whether the stamp reaches the container is tried out: Compose resolves the files with a made-up value for each key,
    /// handed over in its environment, and that value must come out at the container's end. Reading the files without
    /// interpolation would have to understand every way to write a variable; an env file with made-up values would be a
    /// second copy of the project's secrets.
    ///
    /// # Errors
    /// `Mismatch` with the line to add; `Unavailable` where Docker's command line or its Compose plugin is missing.
    pub async fn check(&self, call: &Activate) -> Result<(), CallError> {
        let keys: Vec<&EnvKey> = call.stamp.iter().map(|pair| &pair.key).collect();
        let made_up = check::made_up(&keys);
        let argv = self.config_argv(&call.service);
        let finished = self.run(&argv, &made_up, None).await?;
        if !finished.success {
            return Err(self.unresolved(&finished, &argv).await);
        }
        check::service(&finished.stdout, call, &made_up, &self.secrets(&argv).await)
            .map_err(|why| CallError::Mismatch(format!("{}: {why}", self.files_shown())))
    }

    /// What the files say of each of `services`, as Compose's own hash: another one where anything of it is otherwise.
    ///
    /// # Errors
    /// `Mismatch` where Compose cannot resolve the files; as for [`Self::check`].
    pub async fn hashes(
        &self,
        services: &[&ComposeService],
    ) -> Result<BTreeMap<ComposeService, String>, CallError> {
        let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
        let argv = self.argv(&["config", "--hash", &names.join(",")]);
        let finished = self.run(&argv, &[], None).await?;
        if !finished.success {
            return Err(self.unresolved(&finished, &argv).await);
        }
        let text = String::from_utf8_lossy(&finished.stdout);
        let hash = |service: &&ComposeService| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(service.as_str())?.strip_prefix(' '))?;
            Some(((*service).clone(), plain(line.trim(), SHOWN)))
        };
        let hashes: BTreeMap<_, _> = services.iter().filter_map(hash).collect();
        if hashes.len() < services.len() {
            let what = format!("{}: Compose gives no hash of {}", self.files_shown(), names.join(", "));
            return Err(CallError::Mismatch(what));
        }
        Ok(hashes)
    }

    async fn unresolved(&self, finished: &Finished, argv: &[OsString]) -> CallError {
        let said = self.said(finished, argv).await;
        let said = said.unwrap_or_else(|| format!("it {} and said nothing", finished.ending));
        let cause = CallError::Mismatch(format!("Compose cannot resolve {}: {said}", self.files_shown()));
        self.or_missing(cause).await
    }

    /// Recreates `service` from what its image name and its env file say now. Not to be given up half-way: it runs in a
    /// process group of its own, which a Ctrl-C of the terminal does not reach, and holds `lock` itself.
    ///
    /// # Errors
    /// `Other` with what Compose said; `Unavailable` if it had to be stopped at its deadline.
    pub async fn recreate(&self, service: &ComposeService, lock: &Lock) -> Result<(), CallError> {
        self.change(&self.recreate_argv(service), lock).await
    }

    /// Stops and removes the containers of `service`.
    ///
    /// # Errors
    /// As for [`Self::recreate`].
    pub async fn remove(&self, service: &ComposeService, lock: &Lock) -> Result<(), CallError> {
        self.change(&self.remove_argv(service), lock).await
    }

    /// The whole command that resolves the files as far as `service` needs them; changes nothing.
    fn config_argv(&self, service: &ComposeService) -> Vec<OsString> {
        self.argv(&["config", "--format", "json", service.as_str()])
    }

    async fn change(&self, argv: &[OsString], lock: &Lock) -> Result<(), CallError> {
        let finished = self.run(argv, &[], Some(lock)).await?;
        if finished.success {
            return Ok(());
        }
        let said = self
            .said(&finished, argv)
            .await
            .map_or_else(|| " and said nothing".to_owned(), |said| format!(": {said}"));
        let cause = CallError::Other(format!("`docker compose` {}{said}", finished.ending));
        Err(self.or_missing(cause).await)
    }

    fn argv(&self, verb: &[&str]) -> Vec<OsString> {
        let mut argv: Vec<OsString> = ["docker", "compose", "-p", &self.project].map(OsString::from).into();
        argv.extend(["--project-directory".into(), self.directory.clone().into()]);
        argv.extend(self.files.iter().flat_map(|file| ["-f".into(), file.clone().into()]));
        argv.extend(["--env-file".into(), self.env_file.clone().into()]);
        argv.extend(verb.iter().map(OsString::from));
        argv
    }

    async fn run(
        &self,
        argv: &[OsString],
        more: &[(String, String)],
        lock: Option<&Lock>,
    ) -> Result<Finished, CallError> {
        let more = more.iter().map(|(key, value)| (key.into(), value.into()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(more).collect();
        self.machine.run(argv, &environment, lock, self.within).await.map_err(|unrun| match unrun {
            Unrun::Machine(error) => error,
            Unrun::Program(Unfinished::Missing) => CallError::Unavailable(
                "there is no `docker` command in PATH; install Docker's command line and its Compose plugin"
                    .to_owned(),
            ),
            Unrun::Program(Unfinished::Late) => CallError::Unavailable(format!(
                "`docker compose` had not ended after {} ({}) and was stopped",
                seconds(self.within),
                self.bound
            )),
            Unrun::Program(Unfinished::Stopped) => CallError::Other("interrupted".to_owned()),
            Unrun::Program(Unfinished::Broken(error)) => {
                CallError::Other(format!("`docker compose` cannot be run: {error}"))
            }
        })
    }

    /// Without its Compose plugin `docker` complains about the flags that follow: ask it before such words are repeated.
    async fn or_missing(&self, cause: CallError) -> CallError {
        match self.run(&version_argv(), &[], None).await {
            Ok(finished) if finished.success => cause,
            Ok(_) => CallError::Unavailable(
                "`docker compose` does not work here; install the Compose plugin, version 2, into ~/.docker/cli-plugins \
                 (or $DOCKER_CONFIG/cli-plugins) or as a package"
                    .to_owned(),
            ),
            Err(error) => error,
        }
    }

    /// The end of what Compose said, fit for an error; nothing where it said nothing.
    async fn said(&self, finished: &Finished, argv: &[OsString]) -> Option<String> {
        let said = redact::redacted(&String::from_utf8_lossy(&finished.stderr), &self.secrets(argv).await);
        if said.is_empty() {
            return None;
        }
        let kept = said.char_indices().rev().nth(SHOWN - 1).map_or(0, |(at, _)| at);
        Some(plain(&said[kept..], SHOWN))
    }

    /// What the env file holds. Compose repeats lines that it cannot read and values that it cannot use, and resolves the
    /// files with all of them: nothing that comes from it is told before they are taken out.
    async fn secrets(&self, argv: &[OsString]) -> Secrets {
        let known = argv.join(OsStr::new(" "));
        Secrets::read(&self.machine, &self.env_file, &self.stamped, &known.to_string_lossy()).await
    }

    fn files_shown(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        files.join(", ")
    }
}

fn version_argv() -> [OsString; 3] {
    ["docker", "compose", "version"].map(OsString::from)
}

#[cfg(test)]
mod argv_tests;
#[cfg(test)]
mod tests;
