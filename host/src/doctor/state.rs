//! The folders that this program keeps for itself: the journal, and compiled components.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use crate::config::Config;
use crate::diagnosis::Finding;
use crate::journal::{self, Peek};
use crate::policy::other_writer;
use crate::words::{counted, listed};

/// Less free space than this is too little for a journal, in bytes.
const LEAST_FREE: u64 = 100 << 20;
/// A journal beyond this is slow to copy and to look through, in bytes.
const LARGE: u64 = 4 << 30;
/// Most processes or runs that a finding names.
const NAMED: usize = 5;
/// What to do about a state folder.
const SET_STATE: &str = "make it this user's own (`chown`, `chmod 700`), or set `state` in host.toml";

/// The state folder and the journal in it.
pub fn look(config: &Config) -> Vec<Finding> {
    let state = &config.state;
    let metadata = match std::fs::metadata(state) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return vec![Finding::problem(format!("{} is no folder", state.display()), SET_STATE)];
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![not_made_yet(state, "state")];
        }
        Err(error) => {
            return vec![Finding::problem(
                format!("{} cannot be looked at: {error}", state.display()),
                SET_STATE,
            )];
        }
    };
    let mut findings = vec![Finding::ok(state.display().to_string())];
    findings.extend(unusable(state, &metadata, SET_STATE));
    match Peek::open(state).and_then(|journal| journal.map(|one| one.health()).transpose()) {
        Ok(None) => {}
        Ok(Some(health)) => {
            findings[0] = Finding::ok(format!(
                "{}, {}, {} KiB",
                journal::path(state).display(),
                counted(health.runs as usize, "run", "runs"),
                health.bytes.div_ceil(1024)
            ));
            if health.bytes > LARGE {
                findings.push(Finding::warning(
                    format!("the journal has {} MiB", health.bytes >> 20),
                    "archive it: move it away while nothing runs, and the next run begins a new one",
                ));
            }
            findings.extend(unfinished(&health.unfinished, &journal::path(state)));
        }
        Err(fault) => findings.push(Finding::problem(fault.message, fault.help)),
    }
    findings
}

/// Runs without an end. A run has the journal open until it ends: where no process has, they were killed.
fn unfinished(runs: &[String], journal: &Path) -> Option<Finding> {
    if runs.is_empty() {
        return None;
    }
    let shown = listed(runs, NAMED);
    let open = processes_with(journal);
    Some(if open.is_empty() {
        Finding::warning(
            format!("killed before they ended: {shown}"),
            "see how far each came: `host runs show <id>`; then deploy again, which finds and finishes what was left",
        )
    } else {
        Finding::warning(
            format!("without an end: {shown}; the journal is open in process {}", listed(&open, NAMED)),
            "wait for that process; a run that is still here without one was killed",
        )
    })
}

/// Other processes that have `file` open, as far as this user may see.
fn processes_with(file: &Path) -> Vec<String> {
    let Ok(wanted) = std::fs::metadata(file) else { return Vec::new() };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id().to_string();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|id| *id != own && id.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|id| {
            let files = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
            files
                .filter_map(|open| std::fs::metadata(open.path()).ok())
                .any(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
        })
        .collect()
}

/// Compiled components.
pub fn look_at_cache(config: &Config) -> Vec<Finding> {
    let cache = &config.cache;
    let action = "make it this user's own (`chown`, `chmod 700`), or set `cache` in host.toml";
    let metadata = match std::fs::metadata(cache) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return vec![Finding::problem(format!("{} is no folder", cache.display()), action)],
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![not_made_yet(cache, "cache")];
        }
        Err(error) => {
            return vec![Finding::problem(
                format!("{} cannot be looked at: {error}", cache.display()),
                action,
            )];
        }
    };
    let user = rustix::process::geteuid().as_raw();
    let (mut bytes, mut entries, mut refused) = (0, 0, 0);
    for entry in std::fs::read_dir(cache.join("compiled")).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += metadata.len();
        entries += 1;
        refused += usize::from(metadata.uid() != user || metadata.mode() & 0o077 != 0);
    }
    let mut findings = vec![Finding::ok(format!(
        "{}, {}, {} KiB",
        cache.display(),
        counted(entries, "entry", "entries"),
        u64::div_ceil(bytes, 1024)
    ))];
    findings.extend(unusable(cache, &metadata, action));
    if refused > 0 {
        findings.push(Finding::warning(
            format!(
                "not this user's alone, so never run, and compiled again each time: {}",
                counted(refused, "entry", "entries")
            ),
            format!("`rm -r {}`", cache.join("compiled").display()),
        ));
    }
    findings
}

/// Whether a folder that is not there can be made.
fn not_made_yet(folder: &Path, key: &str) -> Finding {
    let parent = folder.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    match access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(format!("{} is not there yet; the first run makes it", folder.display())),
        Err(error) => Finding::problem(
            format!("{} is not there and cannot be made: {}: {error}", folder.display(), parent.display()),
            format!("make it for this user, or set `{key}` in host.toml"),
        ),
    }
}

/// What keeps this user from a folder, or others away too little.
fn unusable(folder: &Path, metadata: &Metadata, action: &str) -> Vec<Finding> {
    let shown = folder.display();
    let closed = access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        .err()
        .map(|error| Finding::problem(format!("this user may not write to {shown}: {error}"), action));
    let open = other_writer(metadata.mode(), metadata.uid(), metadata.gid()).map(|(who, flags)| {
        Finding::warning(format!("{shown} may be written by {who}"), format!("`chmod {flags} {shown}`"))
    });
    let full = statvfs(folder)
        .ok()
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
        .filter(|free| *free < LEAST_FREE);
    let full = full.map(|free| {
        Finding::warning(
            format!("the disk of {shown} has {} MiB left", free >> 20),
            "make room: a deploy whose journal cannot be written stops where it is",
        )
    });
    [closed, open, full].into_iter().flatten().collect()
}
