//! A Compose runtime as a run reaches it: its machine, its engine and its env file, each looked up once.

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::channels::Channels;
use super::docker::Engine;
use super::machine::{Entry, Looked, Machine, Trouble};
use crate::answer::CallError;
use crate::config::{ComposeRuntime, EnvFileSource, Limits};

/// Largest JSON file that names an env file, in bytes.
const LARGEST: u64 = 4 << 20;

/// A runtime.
pub struct Site {
    /// What the configuration says of it.
    pub runtime: ComposeRuntime,
    machine: OnceCell<Machine>,
    engine: OnceCell<Engine>,
    env_file: OnceCell<PathBuf>,
}

impl Site {
    /// Nothing is looked up before it is asked for.
    pub fn new(runtime: ComposeRuntime) -> Self {
        Self { runtime, machine: OnceCell::new(), engine: OnceCell::new(), env_file: OnceCell::new() }
    }

    /// Where its files and programs are.
    ///
    /// # Errors
    /// `Unavailable` where that machine cannot be reached.
    pub async fn machine(&self, channels: &Channels) -> Result<&Machine, CallError> {
        self.machine.get_or_try_init(|| channels.machine(self.runtime.via.as_ref())).await
    }

    /// Its engine.
    ///
    /// # Errors
    /// `Unavailable` where the machine or the engine does not answer.
    pub async fn engine(&self, channels: &Channels, limits: &Limits) -> Result<&Engine, CallError> {
        let connect = || async {
            let address = &self.runtime.docker;
            match (&self.runtime.via, address.strip_prefix("unix://")) {
                (Some(via), Some(socket)) => {
                    let near = channels.socket(via, Path::new(socket)).await?;
                    Engine::through(&format!("ssh://{via}{socket}"), near.into(), limits).await
                }
                _ => Engine::connect(address, limits).await,
            }
        };
        self.engine.get_or_try_init(connect).await
    }

    /// The path of its env file, on its machine.
    ///
    /// # Errors
    /// `Invalid` where nothing names it.
    pub async fn env_file(&self, channels: &Channels) -> Result<&Path, CallError> {
        let look = || async {
            let source = &self.runtime.env_file;
            let EnvFileSource::Pointer { file, .. } = source else {
                return source.path_in(None).map_err(CallError::Invalid);
            };
            let machine = self.machine(channels).await?;
            let text = text(machine, file).await?;
            source.path_in(Some(&text)).map_err(CallError::Invalid)
        };
        self.env_file.get_or_try_init(look).await.map(PathBuf::as_path)
    }

    /// The same, as far as it is known without a look at another machine.
    pub fn known_env_file(&self) -> Option<PathBuf> {
        match &self.runtime.via {
            None => self.runtime.env_file.path().ok(),
            Some(_) => self.env_file.get().cloned().or_else(|| self.runtime.env_file.path_in(None).ok()),
        }
    }
}

async fn text(machine: &Machine, file: &Path) -> Result<String, CallError> {
    let unreadable = |why: &str| {
        CallError::Invalid(format!("{}, which names the env file, cannot be read: {why}", file.display()))
    };
    match machine.look(file, LARGEST).await {
        Ok(Looked { entry: Entry::File(found), .. }) => {
            String::from_utf8(found.bytes.to_vec()).map_err(|_| unreadable("it is no UTF-8 text"))
        }
        Ok(Looked { entry: Entry::Missing, .. }) => Err(unreadable("it does not exist")),
        Ok(_) => Err(unreadable("it is no regular file")),
        Err(Trouble::File { what, why }) => Err(unreadable(&format!("it {what}: {why}"))),
        Err(Trouble::Machine(error)) => Err(error),
    }
}
