//! A socket of a machine, as it is reached from this one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::timeout;

use super::Machine;
use crate::answer::CallError;
use crate::backend::live::ssh::{Connection, Forward, LAST_WORDS, LocalEnd, Target};

/// It is reached for as long as this value is there.
#[derive(Debug)]
pub struct Near {
    path: PathBuf,
    /// What leads to that of another machine.
    through: Option<(Arc<Connection>, Forward)>,
}

impl Near {
    /// Of `socket` on `machine`.
    ///
    /// # Errors
    /// Where the socket of another machine cannot be forwarded.
    pub async fn to(machine: &Machine, socket: &Path) -> Result<Self, CallError> {
        let Machine::There(connection) = machine else {
            return Ok(Self { path: socket.to_owned(), through: None });
        };
        let forward = connection.forward(&Target::Socket(socket.to_owned())).await?;
        match forward.local() {
            LocalEnd::Socket(path) => {
                Ok(Self { path: path.clone(), through: Some((Arc::clone(connection), forward)) })
            }
            LocalEnd::Tcp(address) => {
                Err(CallError::Other(format!("a forward of another kind was opened: {address}")))
            }
        }
    }

    /// Where it is on this machine.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much was said about the way so far.
    pub fn heard(&self) -> usize {
        self.through.as_ref().map_or(0, |(connection, _)| connection.heard())
    }

    /// Whether the way is why something failed that had `heard` so much when it began.
    pub async fn broken(&self, heard: usize) -> Option<CallError> {
        let (connection, forward) = self.through.as_ref()?;
        match timeout(LAST_WORDS, connection.lost()).await {
            Ok(lost) => Some(lost.into()),
            Err(_) => forward.refusal(heard).map(Into::into),
        }
    }
}
