//! Files of this machine.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::beside::Beside;
use super::{Entry, Facts, Found, Looked, Replaced, Trouble};

pub(super) fn look(path: &Path, most: u64) -> Result<Looked, Trouble> {
    let folder_mode = match std::fs::metadata(folder(path)) {
        Ok(metadata) => Some(metadata.mode()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(trouble("is in a folder that cannot be looked at", &error)),
    };
    let entry = match open(path) {
        Ok(file) => entry(file, most)?,
        Err(Errno::NOENT) => Entry::Missing,
        Err(Errno::LOOP) => Entry::Symlink,
        Err(other) => return Err(trouble("cannot be opened", &other.into())),
    };
    Ok(Looked { folder_mode, entry })
}

pub(super) fn replace(path: &Path, beside: &Path, bytes: &[u8], before: &Found) -> Result<Replaced, Trouble> {
    let failed = |error: io::Error| trouble("cannot be replaced", &error);
    let new = Beside::make(beside.to_owned()).map_err(failed)?;
    new.fill(bytes, &before.facts).map_err(failed)?;
    match look(path, before.bytes.len() as u64 + 1)?.entry {
        Entry::File(now) if now.is(before) => {}
        _ => return Ok(Replaced::Changed),
    }
    new.rename(path).map_err(failed)?;
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(Replaced::Done)
}

fn entry(file: File, most: u64) -> Result<Entry, Trouble> {
    let metadata = file.metadata().map_err(|error| trouble("cannot be looked at", &error))?;
    if !metadata.is_file() {
        return Ok(Entry::NoFile);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(most).read_to_end(&mut bytes).map_err(|error| trouble("cannot be read", &error))?;
    Ok(Entry::File(Found { bytes, facts: facts(&metadata) }))
}

fn facts(metadata: &Metadata) -> Facts {
    let (dev, ino) = (metadata.dev(), metadata.ino());
    Facts {
        mode: metadata.mode(),
        user: metadata.uid(),
        group: metadata.gid(),
        version: format!("{dev}:{ino}:{}.{}", metadata.mtime(), metadata.mtime_nsec()),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Without NOFOLLOW whoever can place a symlink chooses the file; NONBLOCK because a pipe would wait for ever.
fn open(path: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn trouble(what: &'static str, error: &io::Error) -> Trouble {
    Trouble::File { what, why: error.to_string() }
}
