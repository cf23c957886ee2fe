//! One deploy per Compose project at a time: a lock beside the env file, which all services of the project share. It lives
//! with the target, so it holds between all operators of this machine.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};

use crate::answer::CallError;
use crate::backend::live::words::plain;

/// Longest note about a holder that is read, in bytes.
const NOTE: u64 = 200;

/// Held while a change of the project is made or taken back. Only changes take it: a dry run leaves no trace.
///
/// The file stays behind: removing it would let a second holder lock a file that a third one cannot see.
#[derive(Debug)]
pub struct ProjectLock {
    file: File,
    path: PathBuf,
}

impl ProjectLock {
    /// Takes the lock of the project that uses `env_file`; `holder` is what others are told of it.
    ///
    /// # Errors
    /// `Unavailable` while somebody else holds it, with what they said; `Other` where it cannot be made.
    pub fn take(env_file: &Path, holder: &str) -> Result<Self, CallError> {
        let mut name = OsString::from(env_file);
        name.push(".lock");
        let path = PathBuf::from(name);
        Self::open(&path)
            .and_then(|file| Self::lock(file, path.clone(), holder))
            .map_err(|error| broken(&path, &error))?
    }

    /// The lock as a child's input. The child holds the lock too: should this process be killed, nobody else begins
    /// before the child ends. It has nothing to read: the file's position is at its end.
    ///
    /// # Errors
    /// `Other` where this process has no more file descriptors.
    pub fn as_input(&self) -> Result<Stdio, CallError> {
        self.file.try_clone().map(Stdio::from).map_err(|error| broken(&self.path, &error))
    }

    fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    fn lock(mut file: File, path: PathBuf, holder: &str) -> io::Result<Result<Self, CallError>> {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                writeln!(file, "{holder}, process {}", std::process::id())?;
                Ok(Ok(Self { file, path }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut note = Vec::new();
                file.take(NOTE).read_to_end(&mut note)?;
                let note = String::from_utf8_lossy(&note);
                Ok(Err(CallError::Unavailable(format!(
                    "another deploy of this Compose project is in progress ({}); it holds {}, try again when it has ended",
                    plain(note.trim(), 120),
                    path.display()
                ))))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn broken(path: &Path, error: &io::Error) -> CallError {
    CallError::Other(format!(
        "the lock {} cannot be taken: {error}; check who owns it and its folder, and as whom the host runs",
        path.display()
    ))
}
