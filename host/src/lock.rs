//! Locks beside a controlled env file. They live with the target, so they hold between all operators of this machine.
//!
//! Two of them, always taken in this order: a service's for a whole live run, so that nobody else deploys it between a
//! change and its verification or its way back; the project's while one change of it is made or taken back.

mod held;

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};

use crate::answer::CallError;
use crate::names::ServiceName;
use crate::words::plain;
pub use held::held;

/// Longest note about a holder that is read, in bytes.
const NOTE: u64 = 200;

/// A lock, held until this value is gone and every child that got it as its input has ended. A dry run takes none: it
/// leaves no trace.
///
/// The file stays behind: removing it would let a second holder lock a file that a third one cannot see.
#[derive(Debug)]
pub struct TargetLock {
    file: File,
}

impl TargetLock {
    /// The lock of the Compose project that uses `env_file`, which all its services share; `holder` is what others are told.
    ///
    /// # Errors
    /// `Unavailable` while somebody else holds it, with what they said; `Other` where it cannot be made.
    pub fn project(env_file: &Path, holder: &str) -> Result<Self, CallError> {
        Self::taken(
            &beside(env_file, ".lock"),
            "another deploy of this Compose project is in progress",
            holder,
        )
    }

    /// The lock of one service that is deployed with `env_file`.
    ///
    /// # Errors
    /// As for [`Self::project`].
    pub fn service(env_file: &Path, service: &ServiceName, holder: &str) -> Result<Self, CallError> {
        Self::taken(
            &beside(env_file, &format!(".{service}.lock")),
            &format!("another deploy of {service} is in progress"),
            holder,
        )
    }

    /// The lock as a child's input. The child holds the lock too: should this process be killed, nobody else begins
    /// before the child ends. It has nothing to read: the file's position is at its end.
    ///
    /// # Errors
    /// Where this process has no more file descriptors.
    pub fn as_input(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    fn taken(path: &Path, busy: &str, holder: &str) -> Result<Self, CallError> {
        match open(path).and_then(|file| locked(file, holder)) {
            Ok(Ok(file)) => Ok(Self { file }),
            Ok(Err(note)) => Err(CallError::Unavailable(format!(
                "{busy} ({}); it holds {}, try again when it has ended",
                plain(note.trim(), 120),
                path.display()
            ))),
            Err(error) => Err(broken(path, &error)),
        }
    }
}

/// Without NOFOLLOW whoever can place a symlink chooses the file; NONBLOCK because a pipe would wait for ever.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// The file with its lock and a note of `holder`, or what its present holder noted.
fn locked(mut file: File, holder: &str) -> io::Result<Result<File, String>> {
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            writeln!(file, "{holder}, process {}", std::process::id())?;
            Ok(Ok(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut note = Vec::new();
            file.take(NOTE).read_to_end(&mut note)?;
            Ok(Err(String::from_utf8_lossy(&note).into_owned()))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn beside(env_file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(env_file);
    name.push(suffix);
    name.into()
}

fn broken(path: &Path, error: &io::Error) -> CallError {
    CallError::Other(format!(
        "the lock {} cannot be taken: {error}; check who owns it and its folder, and as whom the host runs",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn service(name: &str) -> ServiceName {
        ServiceName::parse(name).expect(name)
    }

    fn env_file() -> (TempDir, PathBuf) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join(".env");
        (folder, path)
    }

    /// Soon: a child that another test is just starting has a copy of every open file for a moment.
    fn becomes_free(env_file: &Path) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            TargetLock::project(env_file, "another").is_ok()
        })
    }

    #[test]
    fn one_holds_the_lock_and_the_next_is_told_who() {
        let (folder, file) = env_file();
        let held = TargetLock::project(&file, "project-manager at 1234").expect("free");
        let error = TargetLock::project(&file, "another").expect_err("held");
        assert!(error.retryable());
        let (message, path) = (error.to_string(), folder.path().join(".env.lock"));
        for part in [
            "another deploy of this Compose project is in progress",
            &format!("project-manager at 1234, process {}", std::process::id()),
            &format!("it holds {}", path.display()),
        ] {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
        assert_eq!(std::fs::metadata(path).expect("the lock's file").mode() & 0o777, 0o600);
        drop(held);
        assert!(becomes_free(&file));
    }

    #[test]
    fn each_service_and_the_project_have_a_lock_of_their_own() {
        let (folder, file) = env_file();
        let _project = TargetLock::project(&file, "one").expect("free");
        let _service = TargetLock::service(&file, &service("project-manager"), "two").expect("free");
        let _other = TargetLock::service(&file, &service("frontend"), "three").expect("free");
        let error = TargetLock::service(&file, &service("project-manager"), "four").expect_err("held");
        let message = error.to_string();
        assert!(message.contains("another deploy of project-manager is in progress (two, "), "{message}");
        let path = folder.path().join(".env.project-manager.lock");
        assert!(message.contains(&format!("it holds {}", path.display())), "{message}");
    }

    #[test]
    fn a_symlink_in_its_place_is_refused() {
        let (folder, file) = env_file();
        let other = folder.path().join("other");
        symlink(&other, folder.path().join(".env.lock")).expect("a symlink");
        let error = TargetLock::project(&file, "one").expect_err("a symlink");
        assert!(!error.retryable() && error.to_string().contains("cannot be taken"), "{error}");
        assert!(!other.exists());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the child stands for Compose")]
    fn a_child_keeps_the_lock_of_a_killed_parent() {
        let (_folder, file) = env_file();
        let held = TargetLock::project(&file, "parent").expect("free");
        let input = held.as_input().expect("a copy");
        let mut child = std::process::Command::new("sleep").arg("60").stdin(input).spawn().expect("sleep");
        drop(held);
        TargetLock::project(&file, "another").expect_err("the child holds it");
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(becomes_free(&file));
    }
}
