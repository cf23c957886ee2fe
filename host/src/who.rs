//! Who runs this program, and where: what colleagues are told.

use crate::words::plain;

/// Longest part of a machine's name that others are told, in characters: what a lock notes has 200 bytes.
const MACHINE: usize = 64;

/// The user of this process, by the name that the system's user table gives.
#[must_use]
pub fn requester() -> String {
    let id = rustix::process::getuid().as_raw();
    let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|table| {
        table.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
            (uid.parse() == Ok(id)).then(|| name.to_owned())
        })
    });
    name.unwrap_or_else(|| format!("uid-{id}"))
}

/// The name of this machine, as the kernel tells it.
#[must_use]
pub fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "an unnamed machine".to_owned() } else { plain(name, MACHINE) }
}
