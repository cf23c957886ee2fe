//! The journal: `SQLite` in the state folder. It is history, not truth; the truth is on the target.
//!
//! Durability: the intent of a change is on disk before the change begins (`synchronous=FULL`); everything else may be
//! lost with the machine but not with the process. A dry run is kept in memory and written in one transaction at its end:
//! it takes milliseconds, and nothing is changed that could be lost with it. Of many dry runs several are written together.

mod log;
mod peek;
mod read;
mod rows;
mod write;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

pub use log::Log;
pub use peek::{Health, Peek, path};
pub use read::{OperationRow, RunDetail, RunRow};
pub use write::{Begin, Deployed, OnFailure, RunLog};

use crate::fault::Fault;
use crate::words::plain;

/// Version of the tables; an older or newer journal is refused, never guessed at.
const SCHEMA: i64 = 2;
/// Version of the JSON inside the rows.
const RECORD_SCHEMA: i64 = 1;
/// Longest version of another program that is repeated, in characters.
const LONGEST: usize = 40;
/// Pages of the write-ahead log after which its content moves into the journal: so many are read when it is opened again.
const LOG_PAGES: u32 = 250;
/// What one of them takes there, in bytes (`SQLite`: "WAL File Format").
const PAGE: u64 = 4096 + 24;
/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// The journal of one state folder. Cheap to clone; all clones write through one connection.
#[derive(Clone)]
pub struct Journal(Arc<Opened>);

struct Opened {
    db: Mutex<Connection>,
    path: PathBuf,
    waiting: Mutex<Waiting>,
}

/// Ended runs that are not written yet.
#[derive(Default)]
struct Waiting {
    runs: Vec<RunLog>,
    /// So many are waited for: none where runs come alone.
    most: usize,
}

impl Drop for Opened {
    /// The log begins anew only for a writer that comes after its content was moved, and most programs write once: without
    /// this it would grow for ever, and each of them would move all of it again.
    fn drop(&mut self) {
        let log = self.path.with_extension("sqlite-wal");
        let bytes = std::fs::metadata(log).map_or(0, |meta| meta.len());
        if bytes <= u64::from(LOG_PAGES) * PAGE {
            return;
        }
        let db = self.db.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Whoever else writes just now does it in the end.
        let emptied = db
            .busy_timeout(Duration::ZERO)
            .and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = emptied {
            tracing::debug!(%error, "the log of the journal was not emptied");
        }
    }
}

impl Journal {
    /// Opens or creates `<state>/journal.sqlite`, readable by its owner only.
    ///
    /// # Errors
    /// A [`Fault`] naming the file.
    pub fn open(state: &Path) -> Result<Self, Fault> {
        let _phase = crate::timing::phase("journal");
        let path = state.join("journal.sqlite");
        let fault = |what: &str, error: &dyn std::fmt::Display| {
            Fault::internal(
                "journal",
                format!("the journal {} cannot be {what}: {error}", path.display()),
                "check the rights and free space of the state folder, or set `state` in host.toml",
            )
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state)
            .map_err(|error| fault("created", &error))?;
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| fault("opened", &error))?;
        let db = Connection::open(&path).map_err(|error| fault("opened", &error))?;
        prepare(&db).map_err(|error| fault("prepared", &error))?;
        let version: i64 = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| fault("read", &error))?;
        if version != SCHEMA {
            return Err(other_version(&db, &path, version));
        }
        Ok(Self(Arc::new(Opened { db: Mutex::new(db), path, waiting: Mutex::default() })))
    }

    /// From now on batched runs wait for each other, up to `most` of them, and are then written in one transaction; whoever
    /// says so calls [`Journal::flush`] in the end.
    pub fn gather(&self, most: usize) {
        self.waiting().most = most;
    }

    /// Writes what waits, and lets nothing wait any more.
    ///
    /// # Errors
    /// A [`Fault`] that is about all of them.
    pub fn flush(&self) -> Result<(), Fault> {
        let runs = std::mem::take(&mut *self.waiting()).runs;
        self.write_together(&runs)
    }

    /// Writes an ended run, now or with those that end after it.
    fn keep(&self, run: RunLog) -> Result<(), Fault> {
        let runs = {
            let mut waiting = self.waiting();
            waiting.runs.push(run);
            if waiting.runs.len() < waiting.most {
                return Ok(());
            }
            std::mem::take(&mut waiting.runs)
        };
        self.write_together(&runs)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        // A poisoned lock means a panic elsewhere; what is written down must still be.
        self.0.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Breaks it as a full disk would: what comes next cannot be written.
    #[cfg(test)]
    pub(crate) fn drop_operations(&self) {
        self.db().execute_batch("DROP TABLE operation").expect("a table");
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        Fault::internal(
            "journal",
            format!("the journal {} failed: {error}", self.0.path.display()),
            "check the rights and free space of the state folder",
        )
    }
}

/// The fault of a journal that another version of this program keeps.
fn other_version(db: &Connection, path: &Path, schema: i64) -> Fault {
    let last = "SELECT host_version FROM run ORDER BY started DESC LIMIT 1";
    // Other tables may lack the column.
    let writer = db
        .query_row(last, [], |row| row.get::<_, String>(0))
        .map(|version| format!(", last written by host {}", plain(&version, LONGEST)))
        .unwrap_or_default();
    Fault::internal(
        "journal-version",
        format!(
            "the journal {} has schema {schema}{writer}; this is host {}, which keeps schema {SCHEMA}",
            path.display(),
            env!("CARGO_PKG_VERSION")
        ),
        "use the version of host that wrote it, or set `state` in host.toml to a folder of this version's own",
    )
}

fn prepare(db: &Connection) -> Result<(), rusqlite::Error> {
    db.busy_timeout(BUSY)?;
    // Every program that ends would otherwise wait for the disk three times, to leave the write-ahead log empty.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        // IMMEDIATE: of two first runs one creates the tables, the other then finds them.
        db.execute_batch("BEGIN IMMEDIATE")?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            db.execute_batch(include_str!("schema.sql"))?;
            db.pragma_update(None, "user_version", SCHEMA)?;
        }
        db.execute_batch("COMMIT")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_of_another_version_names_both_and_is_left_alone() {
        let state = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(state.path()).expect("a journal");
        journal.db().pragma_update(None, "user_version", SCHEMA + 1).expect("a version");
        drop(journal);
        let fault = Journal::open(state.path()).map(|_| ()).expect_err("refused");
        assert_eq!(fault.code, "journal-version");
        for word in [&format!("has schema {}", SCHEMA + 1), &format!("keeps schema {SCHEMA}")] {
            assert!(fault.message.contains(word), "{fault}");
        }
        assert!(fault.message.contains(env!("CARGO_PKG_VERSION")), "{fault}");
        assert!(!fault.help.contains("free space"), "{fault}");
    }

    /// A dry run, from its beginning to its end.
    fn dry_run(journal: &Journal, report: &str) {
        let begin = Begin {
            command: "deploy",
            deployed: Some(Deployed {
                service: &"shop".parse().expect("a name"),
                environment: &"prod".parse().expect("a name"),
                commit: &"0".repeat(40).parse().expect("a commit"),
            }),
            mode: "dry-run",
            batched: true,
            requester: "nobody",
            on_failure: OnFailure::Leave,
            policy: &crate::names::Digest::of(b""),
        };
        journal.begin(&begin).and_then(|run| run.finish("planned", 0, report)).expect("a run");
    }

    #[test]
    fn the_log_does_not_grow_with_the_number_of_programs_that_wrote_once() {
        let state = tempfile::tempdir().expect("a folder");
        let report = "x".repeat(200_000);
        let log = state.path().join("journal.sqlite-wal");
        let mut most = 0;
        for _ in 0..40 {
            let journal = Journal::open(state.path()).expect("a journal");
            dry_run(&journal, &report);
            drop(journal);
            most = most.max(std::fs::metadata(&log).map_or(0, |meta| meta.len()));
        }
        assert!(most > 0 && most <= u64::from(LOG_PAGES) * PAGE, "{most} bytes");
        let journal = Journal::open(state.path()).expect("a journal");
        assert_eq!(journal.list(None, 100).expect("runs").len(), 40);
    }

    #[test]
    fn batched_runs_that_are_gathered_are_written_when_there_are_enough_and_in_the_end() {
        let state = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(state.path()).expect("a journal");
        let run = || dry_run(&journal, "{}");
        let written = || -> i64 {
            journal.db().query_row("SELECT count(*) FROM run", [], |row| row.get(0)).expect("a number")
        };
        run();
        assert_eq!(written(), 1, "alone, at its end");
        journal.gather(2);
        run();
        assert_eq!(written(), 1);
        run();
        assert_eq!(written(), 3, "two together");
        run();
        journal.flush().expect("written");
        assert_eq!(written(), 4);
        run();
        assert_eq!(written(), 5, "nothing waits any more");
    }
}
