//! Where the files and programs of a runtime are: on this machine, or on one that is reached over SSH. What is done with
//! them is the same on both; only this folder knows the difference.

mod beside;
mod here;
mod near;
mod script;
mod there;

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use near::Near;
pub use there::Held;

use super::kubernetes::Lease;
use super::process::{self, Finished, Unfinished};
use super::ssh::Connection;
use crate::answer::CallError;
use crate::lock::TargetLock;
use crate::names::ServiceName;

/// Variables that programs get from the environment of their machine: where programs are, and where the Compose plugin and the
/// contexts are. Everything else is left out: a variable of the caller's would beat the env file.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "DOCKER_CONFIG"];

/// A machine.
#[derive(Debug, Clone)]
pub enum Machine {
    /// The one that the host runs on.
    Here,
    /// One with an SSH server.
    There(Arc<Connection>),
}

/// A file as it was found.
#[derive(Debug)]
pub struct Found {
    /// Its content, as far as it was asked for.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whose it is, and which one.
    pub facts: Facts,
}

/// Whose a file is, and which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Type and rights.
    pub mode: u32,
    /// The owner.
    pub user: u32,
    /// The owning group.
    pub group: u32,
    /// Changes whenever another file takes its place, or somebody writes to it.
    pub version: String,
}

impl Found {
    /// Whether this is the same file with the same content.
    pub fn is(&self, other: &Self) -> bool {
        self.facts == other.facts && self.bytes == other.bytes
    }
}

/// What there is under a name.
#[derive(Debug)]
pub enum Entry {
    /// Nothing.
    Missing,
    /// Something that leads elsewhere.
    Symlink,
    /// A folder, a pipe or the like.
    NoFile,
    /// A file.
    File(Found),
}

/// A name that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// The rights of the folder that it is in; nothing where there is no such folder.
    pub folder_mode: Option<u32>,
    /// What is there.
    pub entry: Entry,
}

/// Why a file could not be looked at or replaced.
#[derive(Debug)]
pub enum Trouble {
    /// What failed, as the end of a sentence about the file, and why.
    File {
        /// `cannot be read`.
        what: &'static str,
        /// In the system's words.
        why: String,
    },
    /// The machine itself is out of reach.
    Machine(CallError),
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The new content is there, safe on disk.
    Done,
    /// Somebody else changed the file meanwhile: it is as they made it.
    Changed,
}

/// Why a program did not end by itself.
#[derive(Debug)]
pub enum Unrun {
    /// The program.
    Program(Unfinished),
    /// Its machine.
    Machine(CallError),
}

impl From<Unfinished> for Unrun {
    fn from(unfinished: Unfinished) -> Self {
        Self::Program(unfinished)
    }
}

impl Machine {
    /// Looks at `path` without following it, and reads no more than `most` bytes.
    ///
    /// # Errors
    /// What failed.
    pub async fn look(&self, path: &Path, most: u64) -> Result<Looked, Trouble> {
        match self {
            Self::Here => here::look(path, most),
            Self::There(connection) => there::look(connection, path, most).await,
        }
    }

    /// Gives the file at `path` new content in one step, with the rights that it had; `beside` is where the new file is made.
    /// Nothing happens where the file is no longer `before`. Nothing is ever left at `beside`, but by a machine that fails.
    ///
    /// # Errors
    /// What failed.
    pub async fn replace(
        &self,
        path: &Path,
        beside: &Path,
        bytes: &[u8],
        before: &Found,
    ) -> Result<Replaced, Trouble> {
        match self {
            Self::Here => here::replace(path, beside, bytes, before),
            Self::There(connection) => there::replace(connection, path, beside, bytes, before).await,
        }
    }

    /// Runs a program to its end, with the variables `set` and those that programs need of their machine's environment. A
    /// program that holds `lock` is waited for by whoever comes next, even where this host is killed.
    ///
    /// # Errors
    /// Why it did not end by itself.
    pub async fn run(
        &self,
        argv: &[OsString],
        set: &[(OsString, OsString)],
        lock: Option<&Lock>,
        within: Duration,
    ) -> Result<Finished, Unrun> {
        self.run_unless(argv, set, lock, within, std::future::pending()).await
    }

    /// The same, for a program that may be ended as soon as `stopped` is ready.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub async fn run_unless(
        &self,
        argv: &[OsString],
        set: &[(OsString, OsString)],
        lock: Option<&Lock>,
        within: Duration,
        stopped: impl Future<Output = ()>,
    ) -> Result<Finished, Unrun> {
        match (self, lock) {
            (Self::Here, lock) => {
                let input = match lock {
                    Some(Lock::Here(lock)) => lock.as_input().map_err(Unfinished::Broken)?,
                    _ => Stdio::null(),
                };
                let passed = PASSED_ON.iter().filter_map(|key| Some((key.into(), std::env::var_os(key)?)));
                let environment: Vec<_> = passed.chain(set.iter().cloned()).collect();
                Ok(process::run_unless(argv, &environment, input, within, stopped).await?)
            }
            (Self::There(connection), lock) => there::run(connection, argv, set, lock, within, stopped).await,
        }
    }

    /// The lock of the Compose project that uses `env_file`, which all its services share; `holder` is what others are told.
    ///
    /// # Errors
    /// `Unavailable` while somebody else holds it, with what they said; `Other` where it cannot be made.
    pub async fn lock_project(&self, env_file: &Path, holder: &str) -> Result<Lock, CallError> {
        match self {
            Self::Here => TargetLock::project(env_file, holder).map(Lock::Here),
            Self::There(connection) => {
                let held = Held::project(connection, env_file, holder).await?;
                Ok(Lock::There(Box::new(held)))
            }
        }
    }

    /// The lock of one service that is deployed with `env_file`.
    ///
    /// # Errors
    /// As for [`Self::lock_project`].
    pub async fn lock_service(
        &self,
        env_file: &Path,
        service: &ServiceName,
        holder: &str,
    ) -> Result<Lock, CallError> {
        match self {
            Self::Here => TargetLock::service(env_file, service, holder).map(Lock::Here),
            Self::There(connection) => {
                let held = Held::service(connection, env_file, service, holder).await?;
                Ok(Lock::There(Box::new(held)))
            }
        }
    }
}

/// A lock that lives with the target. Held until this value is gone, and by every program that was run with it until that
/// ends.
#[derive(Debug)]
pub enum Lock {
    /// A file lock of this machine.
    Here(TargetLock),
    /// Held by a program on the other machine, which ends with the connection.
    There(Box<Held>),
    /// A Lease in a cluster, which no program holds but this one.
    Cluster(Lease),
}

impl Lock {
    /// Gives it back; comes back when others can have it.
    pub async fn release(self) {
        if let Self::Cluster(lease) = self {
            lease.release().await;
        }
    }
}
