//! What most measurements work on: a `host.toml` with the release's plugins and policies, and the library opened on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use host::config::{Chosen, Config};
use host::gate::Audience;
use host::journal::OnFailure;
use host::names::{Commit, Environment, ServiceName};
use host::operation::Operation;
use host::progress::{Unwatched, Watcher};
use host::report::Mode;
use host::run::{Host, Request};
use host::step::{Pass, Step};
use host::who::requester;
use lab::project::SERVICE;
use tempfile::TempDir;

use crate::{Result, sample};

/// A folder with a configuration, removed in the end.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// State and cache are empty.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("host-bench-")?;
        let text = format!(
            "plugins = {}\npolicies = {}\nstate = \"state\"\ncache = \"cache\"\n\
             [runtimes.main-server]\nkind = \"compose\"\n",
            quoted(&lab::paths::plugins()?),
            quoted(&lab::paths::policies())
        );
        std::fs::write(folder.path().join("host.toml"), text)?;
        Ok(Self { folder })
    }

    /// Where everything of it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The library, opened as the program does it.
    pub fn host(&self) -> Result<Host> {
        let chosen = Chosen { file: Some(self.config()), base: self.path().to_path_buf() };
        Ok(Host::open(Config::load(&chosen)?, String::new(), requester())?)
    }

    /// The program with this configuration; its answer goes nowhere.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        program(&self.config(), arguments)
    }

    fn config(&self) -> PathBuf {
        self.path().join("host.toml")
    }
}

/// The program with the configuration `config`; its answer goes nowhere.
pub fn program(config: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(lab::paths::host()?);
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

/// How long a program takes from its start to its end. One that fails is an error.
pub fn whole_process(command: &mut Command) -> Result<Duration> {
    sample::timed(|| {
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
    })
}

/// A commit that nothing was built from.
pub fn some_commit() -> String {
    lab::image::commit("bench")
}

/// A deploy of the sample's service.
pub fn request(mode: Mode) -> Result<Request> {
    Ok(Request {
        service: ServiceName::parse(SERVICE)?,
        environment: Environment::parse("prod")?,
        commit: Commit::parse(&some_commit())?,
        mode,
        wait: false,
        on_failure: OnFailure::Leave,
        override_desired: None,
        artifact: None,
        compare: false,
        keep: false,
    })
}

/// A basic string of TOML is written like a string of JSON.
pub fn quoted(path: &Path) -> serde_json::Value {
    serde_json::Value::String(path.display().to_string())
}

/// An audience that does not listen.
pub fn nobody() -> Arc<dyn Audience> {
    Arc::new(Nobody)
}

struct Nobody;

impl Audience for Nobody {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(Unwatched)
    }
    fn ended(&self, _: Pass, _: &Step) {}
    fn says(&self, _: Pass, _: &str) {}
}
