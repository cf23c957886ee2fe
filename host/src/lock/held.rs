//! Who holds which lock, as the kernel tells. Trying to take one would keep a deploy away that begins at that moment.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::NOTE;

/// The locks beside `env_file` that somebody holds, each with what the holder noted.
#[must_use]
pub fn held(env_file: &Path) -> Vec<(PathBuf, String)> {
    let (Some(folder), Some(name)) = (env_file.parent(), env_file.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let of_this = file
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.') && rest.strip_suffix(".lock").is_some());
            of_this.then(|| entry.path())
        })
        .filter_map(|path| {
            let (metadata, note) = looked_at(&path)?;
            is_held(&table, &metadata, &note).then_some((path, note))
        })
        .collect();
    found.sort();
    found
}

fn looked_at(path: &Path) -> Option<(Metadata, String)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty()).ok()?.into();
    let metadata = file.metadata().ok()?;
    let mut note = Vec::new();
    file.take(NOTE).read_to_end(&mut note).ok()?;
    Some((metadata, String::from_utf8_lossy(&note).into_owned()))
}

/// Whether a line of the kernel's table is about this file. Of a layered file system the table has another device number
/// than the file: then the holder must be the one who wrote the note.
fn is_held(table: &str, metadata: &Metadata, note: &str) -> bool {
    let device =
        format!("{:02x}:{:02x}:", rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let inode = format!(":{}", metadata.ino());
    let holder = note.trim_end().rsplit_once("process ").map(|(_, id)| id);
    table.lines().any(|line| {
        // 1: FLOCK  ADVISORY  WRITE 1234 08:01:131094 0 EOF
        let mut fields = line.split_whitespace().filter(|field| *field != "->");
        let (Some(kind), Some(process), Some(file)) = (fields.nth(1), fields.nth(2), fields.next()) else {
            return false;
        };
        kind == "FLOCK" && file.ends_with(&inode) && (file.starts_with(&device) || holder == Some(process))
    })
}
