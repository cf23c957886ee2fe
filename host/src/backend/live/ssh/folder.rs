//! The private folder of one connection: its control socket, forwarded sockets, logs. It is locked for as long as its
//! owner lives, so the folder of a killed run is known by a lock that nobody holds.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tempfile::{Builder, TempDir};

/// What the names of all such folders begin with.
const PREFIX: &str = "host-ssh-";
/// Longest name of a control socket, in bytes: a socket's name has at most 107 (Linux, `sun_path`), and OpenSSH makes it
/// under a name that is 17 longer before it renames it.
const LONGEST: usize = 107 - 17;
/// The control socket inside.
const SOCKET: &str = "m";
/// The lock inside.
const LOCK: &str = "lock";
/// How old a folder without a lock must be before nobody is just making it.
const SETTLED: Duration = Duration::from_mins(1);
/// Attempts to make a folder that nobody takes for a left one.
const ATTEMPTS: usize = 5;

/// The folder; removed with all that is in it when dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    _lock: File,
}

impl Folder {
    /// A new one below the user's runtime folder, else below that for temporary files.
    ///
    /// # Errors
    /// In words: why none of them can be used.
    pub fn make() -> Result<Self, String> {
        let mut why = Vec::new();
        for base in bases() {
            match Self::below(&base) {
                Ok(folder) => return Ok(folder),
                Err(error) => why.push(error),
            }
        }
        Err(why.join("; "))
    }

    fn below(base: &Path) -> Result<Self, String> {
        let shown = base.display();
        let length = base.join(format!("{PREFIX}123456")).join(SOCKET).as_os_str().len();
        if length > LONGEST {
            return Err(format!(
                "a socket below {shown} would have a name of {length} bytes, and at most {LONGEST} can be used"
            ));
        }
        // ssh reads `%` and `${}` in such names as something else, and a colon as the end of one.
        let tame = |c: char| c.is_ascii_alphanumeric() || "/._-+@,".contains(c);
        if !base.to_str().is_some_and(|text| text.chars().all(tame)) {
            return Err(format!("{shown} has characters in its name that ssh would read as something else"));
        }
        let failed = |error: io::Error| format!("none can be made below {shown}: {error}");
        for _ in 0..ATTEMPTS {
            let private = Permissions::from_mode(0o700);
            let folder = Builder::new()
                .prefix(PREFIX)
                .rand_bytes(6)
                .permissions(private)
                .tempdir_in(base)
                .map_err(failed)?;
            let path = folder.path().join(LOCK);
            let lock = File::create_new(&path).map_err(failed)?;
            // Somebody who removes left folders may have come in between.
            if lock.try_lock().is_ok() && path.exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(format!("somebody removes what is made below {shown}"))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the control socket is.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path().join(SOCKET)
    }
}

/// The folder of a run that is no more; its lock is held, so that nobody else removes it at the same time.
#[derive(Debug)]
pub struct Left {
    path: PathBuf,
    _lock: Option<File>,
}

impl Left {
    /// All that this user has.
    #[must_use]
    pub fn all() -> Vec<Self> {
        bases().iter().flat_map(|base| Self::below(base)).collect()
    }

    fn below(base: &Path) -> Vec<Self> {
        // What cannot be read has nothing that could be removed.
        let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
            .filter_map(|entry| Self::of(entry.path()))
            .collect()
    }

    fn of(path: PathBuf) -> Option<Self> {
        let found = fs::symlink_metadata(&path).ok()?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if let Ok(lock) = rustix::fs::open(path.join(LOCK), flags, Mode::empty()) {
            let lock = File::from(lock);
            return lock.try_lock().is_ok().then_some(Self { path, _lock: Some(lock) });
        }
        let age = found.modified().ok()?.elapsed().ok()?;
        (age > SETTLED).then_some(Self { path, _lock: None })
    }

    /// Its control socket, if it is still there: something may listen on it.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        Some(self.path.join(SOCKET)).filter(|socket| socket.exists())
    }

    /// Removes it. An error means that somebody else did, or that the next one will try again.
    pub fn remove(self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(folder = %self.path.display(), %error, "a left folder of a connection stays");
        }
    }
}

/// Where such folders may be, the best first.
fn bases() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|folder| folder.is_absolute() && folder.is_dir());
    let mut bases: Vec<_> = runtime.into_iter().chain([std::env::temp_dir()]).collect();
    bases.dedup();
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_gone_with_its_owner() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = Folder::below(base.path()).expect("a folder");
        let mode = fs::metadata(folder.path()).expect("the folder").mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(folder.socket().as_os_str().len() <= LONGEST);
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_nobody_owns_is_left() {
        let base = tempfile::tempdir().expect("a folder");
        let owned = Folder::below(base.path()).expect("a folder");
        let killed = base.path().join("host-ssh-killed");
        fs::create_dir(&killed).expect("a folder");
        fs::write(killed.join(LOCK), "").expect("a lock");
        // Somebody is just making it.
        fs::create_dir(base.path().join("host-ssh-young")).expect("a folder");
        fs::create_dir(base.path().join("other")).expect("a folder");
        std::os::unix::fs::symlink(&killed, base.path().join("host-ssh-link")).expect("a link");

        let left = Left::below(base.path());

        assert_eq!(left.iter().map(|left| &left.path).collect::<Vec<_>>(), [&killed]);
        assert!(Left::below(base.path()).is_empty(), "somebody is removing it");
        for left in left {
            left.remove();
        }
        assert!(!killed.exists() && owned.path().exists());
    }

    #[test]
    fn a_place_that_ssh_cannot_use_says_why() {
        let base = tempfile::tempdir().expect("a folder");
        for (name, word) in [("x".repeat(90), "at most 90"), ("a%h".to_owned(), "characters in its name")] {
            let deep = base.path().join(name);
            fs::create_dir(&deep).expect("a folder");
            let error = Folder::below(&deep).expect_err("refused");
            assert!(error.contains(word), "{error}");
        }
        let error = Folder::below(Path::new("/nowhere")).expect_err("refused");
        assert!(error.contains("none can be made below /nowhere"), "{error}");
    }
}
