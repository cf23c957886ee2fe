//! The journal: `SQLite` in the state folder. It is history, not truth; the truth is on the target.
//!
//! Durability: the intent of a change is on disk before the change begins (`synchronous=FULL`); everything else may be
//! lost with the machine but not with the process. A dry run is one transaction.

mod read;
mod write;

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

pub use read::{OperationRow, RunDetail, RunRow};
pub use write::{Begin, OnFailure, RunLog};

use crate::fault::Fault;

/// Version of the tables; an older or newer journal is refused, never guessed at.
const SCHEMA: i64 = 1;
/// Version of the JSON inside the rows.
const RECORD_SCHEMA: i64 = 1;
/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// The journal of one state folder.
pub struct Journal {
    db: Connection,
    path: PathBuf,
}

impl Journal {
    /// Opens or creates `<state>/journal.sqlite`, readable by its owner only.
    ///
    /// # Errors
    /// A [`Fault`] naming the file.
    pub fn open(state: &Path) -> Result<Self, Fault> {
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
            let error = format!("it has schema {version}, this program writes schema {SCHEMA}");
            return Err(fault("used", &error));
        }
        Ok(Self { db, path })
    }

    fn fault(&self, error: &rusqlite::Error) -> Fault {
        Fault::internal(
            "journal",
            format!("the journal {} failed: {error}", self.path.display()),
            "check the rights and free space of the state folder",
        )
    }
}

fn prepare(db: &Connection) -> Result<(), rusqlite::Error> {
    db.busy_timeout(BUSY)?;
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
