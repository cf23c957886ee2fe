//! Files: those that somebody else put there are opened without waiting, those for others are there whole or not at all.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{Error, Result, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading; `flags` besides. Never waits, as opening a named pipe would.
pub fn open_regular(path: &Path, flags: OFlags) -> Result<(File, Metadata)> {
    let flags = i32::try_from((OFlags::NONBLOCK | flags).bits()).map_err(Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta)) } else { Err(Error::other("it is no regular file")) }
}

/// Gives the file at `path` this content, readable by everybody: the whole of it, or what was there before.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    new.write_all(content)?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
pub mod testing {
    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    /// Makes a named pipe, which nobody writes to.
    pub fn pipe(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        testing::pipe(&pipe);
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/null")] {
            let error = open_regular(path, OFlags::empty()).map(|_| ()).expect_err("refused");
            assert!(error.to_string().contains("no regular file"), "{}: {error}", path.display());
        }
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("a file");
        std::os::unix::fs::symlink(&file, folder.path().join("link")).expect("a link");
        assert!(open_regular(&file, OFlags::NOFOLLOW).is_ok());
        assert!(open_regular(&folder.path().join("link"), OFlags::empty()).is_ok());
        assert!(open_regular(&folder.path().join("link"), OFlags::NOFOLLOW).is_err());
    }
}
