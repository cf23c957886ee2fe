//! Writing a run down while it happens.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::params;

use super::{Journal, RECORD_SCHEMA};
use crate::canonical;
use crate::fault::Fault;
use crate::names::{Commit, Digest, Environment, ServiceName};
use crate::operation::{Kind, Operation};
use crate::policy::{Decision, Request};
use crate::step::Pass;
use crate::step::Step;

/// What happens to done changes when a later step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// They stay, and the report says what runs.
    Leave,
    /// They are taken back, last first.
    Rollback,
}

impl OnFailure {
    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Rollback => "rollback",
        }
    }
}

/// What is known of a run when it begins.
pub struct Begin<'a> {
    /// Asked for.
    pub service: &'a ServiceName,
    /// Asked for.
    pub environment: &'a Environment,
    /// Asked for.
    pub commit: &'a Commit,
    /// `dry-run`, `plan` or `live`.
    pub mode: &'a str,
    /// One transaction for the whole run: it takes milliseconds, and nothing is changed that could be lost with it.
    pub batched: bool,
    /// Who asked.
    pub requester: &'a str,
    /// What was asked for the case of a failure.
    pub on_failure: OnFailure,
    /// Digest of the policy set.
    pub policy: &'a Digest,
}

/// The open record of one run. Cheap to clone; all clones write to the same run.
#[derive(Clone)]
pub struct RunLog(Arc<Mutex<Open>>);

struct Open {
    journal: Journal,
    id: String,
    /// A dry run is one transaction; a live run writes as it goes.
    batched: bool,
}

impl Journal {
    /// Begins the record of a run; the row is there before anything else happens.
    pub fn begin(self, begin: &Begin<'_>) -> Result<RunLog, Fault> {
        let now = Timestamp::now();
        let id = run_id(now);
        let batched = begin.batched;
        let insert = || -> rusqlite::Result<()> {
            if batched {
                self.db.execute_batch("BEGIN IMMEDIATE")?;
            }
            self.db.execute(
                "INSERT INTO run (id, started, service, environment, commit_sha, mode, requester, on_failure,
                                  policy, host_version, record_schema)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    id,
                    now.to_string(),
                    begin.service.as_str(),
                    begin.environment.as_str(),
                    begin.commit.as_str(),
                    begin.mode,
                    begin.requester,
                    begin.on_failure.as_str(),
                    begin.policy.as_str(),
                    env!("CARGO_PKG_VERSION"),
                    RECORD_SCHEMA,
                ],
            )?;
            Ok(())
        };
        insert().map_err(|error| self.fault(&error))?;
        Ok(RunLog(Arc::new(Mutex::new(Open { journal: self, id, batched }))))
    }
}

impl RunLog {
    /// The id of the run.
    #[must_use]
    pub fn id(&self) -> String {
        self.open().id.clone()
    }

    /// Writes down which component runs; its bytes are kept once.
    pub fn plugin(&self, digest: &Digest, version: &str, bytes: &[u8]) -> Result<(), Fault> {
        let open = self.open();
        let written = || -> rusqlite::Result<()> {
            let db = &open.journal.db;
            db.execute(
                "INSERT OR IGNORE INTO component (digest, bytes) VALUES (?1, ?2)",
                params![digest.as_str(), bytes],
            )?;
            db.execute(
                "UPDATE run SET plugin = ?2, plugin_version = ?3 WHERE id = ?1",
                params![open.id, digest.as_str(), version],
            )?;
            Ok(())
        };
        written().map_err(|error| open.journal.fault(&error))
    }

    /// Closes the record of a run that came to no report, with the reason.
    pub fn abandon(&self, fault: &Fault) -> Result<(), Fault> {
        self.said(&format!("{}: {}", fault.code, fault.message))?;
        self.close(None, fault.exit_code(), None)
    }

    /// Writes down what is about to happen and what policy said; returns the entry for [`RunLog::outcome`]. For a change
    /// of a live pass it is on disk when this returns.
    pub fn intent(
        &self,
        pass: Pass,
        seq: u32,
        kind: Kind,
        operation: &Operation,
        verdict: &Decision,
        requests: &[Request],
    ) -> Result<i64, Fault> {
        let open = self.open();
        let durable = pass == Pass::Live && kind == Kind::Change;
        let written = || -> Result<i64, rusqlite::Error> {
            let db = &open.journal.db;
            if durable {
                db.pragma_update(None, "synchronous", "FULL")?;
            }
            let inserted = db.execute(
                "INSERT INTO operation (run, pass, seq, kind, operation, verdict, requests, intent_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    open.id,
                    pass.as_str(),
                    seq,
                    json(&kind)?,
                    json(operation)?,
                    json(verdict)?,
                    json(&requests)?,
                    Timestamp::now().to_string(),
                ],
            );
            if durable {
                db.pragma_update(None, "synchronous", "NORMAL")?;
            }
            inserted?;
            Ok(db.last_insert_rowid())
        };
        written().map_err(|error| open.journal.fault(&error))
    }

    /// Writes down what came of an intent.
    pub fn outcome(&self, entry: i64, step: &Step) -> Result<(), Fault> {
        let open = self.open();
        let written = || -> Result<usize, rusqlite::Error> {
            open.journal
                .db
                .execute("UPDATE operation SET step = ?2 WHERE id = ?1", params![entry, json(step)?])
        };
        written().map(|_| ()).map_err(|error| open.journal.fault(&error))
    }

    /// Writes down a line of the plugin.
    pub fn said(&self, message: &str) -> Result<(), Fault> {
        let open = self.open();
        open.journal
            .db
            .execute(
                "INSERT INTO message (run, said_at, text) VALUES (?1, ?2, ?3)",
                params![open.id, Timestamp::now().to_string(), message],
            )
            .map(|_| ())
            .map_err(|error| open.journal.fault(&error))
    }

    /// Closes the record.
    pub fn finish(&self, decision: &str, exit_code: u8, report: &str) -> Result<(), Fault> {
        self.close(Some(decision), exit_code, Some(report))
    }

    fn close(&self, decision: Option<&str>, exit_code: u8, report: Option<&str>) -> Result<(), Fault> {
        let open = self.open();
        let written = || -> Result<(), rusqlite::Error> {
            let db = &open.journal.db;
            db.execute(
                "UPDATE run SET finished = ?2, decision = ?3, exit_code = ?4, report = ?5 WHERE id = ?1",
                params![open.id, Timestamp::now().to_string(), decision, exit_code, report],
            )?;
            if open.batched {
                db.execute_batch("COMMIT")?;
            }
            Ok(())
        };
        written().map_err(|error| open.journal.fault(&error))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A poisoned lock means a panic elsewhere; the record must still be closed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, rusqlite::Error> {
    canonical::json(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Sorts by time; the tail keeps two runs of one second apart.
fn run_id(now: Timestamp) -> String {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let tail = std::hash::RandomState::new().build_hasher().finish() & 0xff_ffff;
    format!("{time}-{tail:06x}")
}
