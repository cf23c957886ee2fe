//! The new file beside an old one, until it takes its place. It holds every secret of the old one, so none is ever left
//! behind: not by an error, and not for longer than to the next write by a host that is killed.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::Facts;

/// A new file; gone again if it is not renamed.
pub struct Beside {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl Beside {
    /// An empty file at `path` that only its owner may read. What is there is removed first: it is what a killed host
    /// left, for only one at a time writes here.
    pub fn make(path: PathBuf) -> io::Result<Self> {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?.into();
        Ok(Self { file, path, renamed: false })
    }

    /// Writes `bytes` into it, safe on disk, and gives it the rights of `old`.
    pub fn fill(&self, bytes: &[u8], old: &Facts) -> io::Result<()> {
        let mut file = &self.file;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.user, old.group) {
            fchown(file, Some(old.user), Some(old.group))?;
        }
        file.set_permissions(Permissions::from_mode(old.mode & 0o7777))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Puts it in the place of `old`.
    pub fn rename(mut self, old: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, old)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.renamed {
            // Whatever is in the way of that is in the way of the next write too, which says so.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_new_file_is_its_owners_alone_until_it_is_whole() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("new");
        let new = Beside::make(path.clone()).expect("made");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        drop(new);
        assert!(!path.exists());
        std::fs::create_dir(&path).expect("a folder in its place");
        Beside::make(path).err().expect("no folder is removed");
    }
}
