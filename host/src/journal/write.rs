//! Writing a run down while it happens.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::Journal;
use super::rows::{self, Ended, Message, OperationRecord, RunRecord};
use crate::canonical;
use crate::fault::Fault;
use crate::names::{Commit, Digest, Environment, ServiceName};
use crate::operation::{Kind, Operation};
use crate::policy::{Decision, Request};
use crate::step::{Pass, Step};
use crate::timing;

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
    /// `deploy`, `registry status`.
    pub command: &'a str,
    /// What is deployed; nothing for a command that deploys nothing.
    pub deployed: Option<Deployed<'a>>,
    /// `dry-run`, `plan` or `live`; `look` of a command that only looks.
    pub mode: &'a str,
    /// Kept until its end and then written in one transaction, alone or with others: for a run that changes nothing.
    pub batched: bool,
    /// Who asked.
    pub requester: &'a str,
    /// What was asked for the case of a failure.
    pub on_failure: OnFailure,
    /// Digest of the policy set.
    pub policy: &'a Digest,
}

/// What a deploy is about.
pub struct Deployed<'a> {
    /// Asked for.
    pub service: &'a ServiceName,
    /// Asked for.
    pub environment: &'a Environment,
    /// Asked for.
    pub commit: &'a Commit,
}

/// The open record of one run. Cheap to clone; all clones write to the same run.
#[derive(Clone)]
pub struct RunLog(Arc<Open>);

struct Open {
    journal: Journal,
    id: String,
    /// Everything that was written so far, where the run is written at its end.
    kept: Option<Mutex<Kept>>,
}

/// A run that is not in the journal yet.
struct Kept {
    run: RunRecord,
    /// Digest and bytes, where the journal does not have them.
    component: Option<(Digest, Vec<u8>)>,
    operations: Vec<OperationRecord>,
    messages: Vec<Message>,
}

impl Journal {
    /// Begins the record of a run; the row is there before anything else happens.
    pub fn begin(&self, begin: &Begin<'_>) -> Result<RunLog, Fault> {
        let now = Timestamp::now();
        let id = run_id(now);
        let run = RunRecord {
            started: now.to_string(),
            command: begin.command.to_owned(),
            deployed: begin.deployed.as_ref().map(|deployed| {
                let Deployed { service, environment, commit } = deployed;
                [service.to_string(), environment.to_string(), commit.to_string()]
            }),
            mode: begin.mode.to_owned(),
            requester: begin.requester.to_owned(),
            on_failure: begin.on_failure.as_str(),
            policy: begin.policy.to_string(),
            plugin: None,
            ended: None,
        };
        let kept = if begin.batched {
            Some(Mutex::new(Kept { run, component: None, operations: Vec::new(), messages: Vec::new() }))
        } else {
            run.insert(&self.db(), &id).map_err(|error| self.fault(&error))?;
            None
        };
        Ok(RunLog(Arc::new(Open { journal: self.clone(), id, kept })))
    }
}

impl Journal {
    /// Writes ended runs in one transaction: all of them, or none.
    pub(super) fn write_together(&self, runs: &[RunLog]) -> Result<(), Fault> {
        let write = || {
            let db = self.db();
            let transaction = Transaction::new_unchecked(&db, TransactionBehavior::Immediate)?;
            for run in runs {
                if let Some(kept) = run.kept() {
                    kept.insert(&transaction, &run.0.id)?;
                }
            }
            transaction.commit()
        };
        if runs.is_empty() { Ok(()) } else { write().map_err(|error| self.fault(&error)) }
    }
}

impl RunLog {
    /// The id of the run.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.id.clone()
    }

    /// Writes down which component runs; its bytes are kept once.
    pub fn plugin(&self, digest: &Digest, version: &str, bytes: &[u8]) -> Result<(), Fault> {
        let new = self.write(|db, _| rows::has_component(db, digest.as_str()).map(|known| !known))?;
        if let Some(mut kept) = self.kept() {
            kept.component = new.then(|| (digest.clone(), bytes.to_owned()));
            kept.run.plugin = Some((digest.to_string(), version.to_owned()));
            return Ok(());
        }
        self.write(|db, id| {
            if new {
                rows::component(db, digest.as_str(), bytes)?;
            }
            rows::plugin(db, id, digest.as_str(), version)
        })
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
        let durable = pass == Pass::Live && kind == Kind::Change;
        let record = || -> rusqlite::Result<OperationRecord> {
            Ok(OperationRecord {
                pass: pass.as_str(),
                seq,
                kind: json(&kind)?,
                operation: json(operation)?,
                verdict: json(verdict)?,
                requests: json(&requests)?,
                intent_at: Timestamp::now().to_string(),
                step: None,
            })
        };
        let record = record().map_err(|error| self.0.journal.fault(&error))?;
        if let Some(mut kept) = self.kept() {
            kept.operations.push(record);
            return Ok(i64::try_from(kept.operations.len()).unwrap_or(i64::MAX));
        }
        self.write(|db, id| {
            let record = std::slice::from_ref(&record);
            if !durable {
                return rows::operations(db, id, record);
            }
            db.pragma_update(None, "synchronous", "FULL")?;
            let inserted = rows::operations(db, id, record);
            db.pragma_update(None, "synchronous", "NORMAL")?;
            inserted
        })
    }

    /// Writes down what came of an intent.
    pub fn outcome(&self, entry: i64, step: &Step) -> Result<(), Fault> {
        let text = json(step).map_err(|error| self.0.journal.fault(&error))?;
        if let Some(mut kept) = self.kept() {
            let place = usize::try_from(entry - 1).unwrap_or(usize::MAX);
            if let Some(operation) = kept.operations.get_mut(place) {
                operation.step = Some(text);
            }
            return Ok(());
        }
        self.write(|db, _| rows::outcome(db, entry, &text))
    }

    /// Writes down that this run applies a part of the plan `plan`; on disk when this returns. Where another run did it before,
    /// nothing is written, and that run is the answer: (its id, when).
    pub fn applies(
        &self,
        plan: &Digest,
        service: &ServiceName,
        environment: &Environment,
    ) -> Result<Option<(String, String)>, Fault> {
        let now = Timestamp::now().to_string();
        self.write(|db, id| {
            db.pragma_update(None, "synchronous", "FULL")?;
            let before = rows::applies(db, plan, service, environment, id, &now);
            db.pragma_update(None, "synchronous", "NORMAL")?;
            before
        })
    }

    /// Writes down a line of the plugin.
    pub fn said(&self, message: &str) -> Result<(), Fault> {
        let message = Message { said_at: Timestamp::now().to_string(), text: message.to_owned() };
        if let Some(mut kept) = self.kept() {
            kept.messages.push(message);
            return Ok(());
        }
        self.write(|db, id| message.insert(db, id))
    }

    /// Closes the record.
    pub fn finish(&self, decision: &str, exit_code: u8, report: &str) -> Result<(), Fault> {
        self.close(Some(decision), exit_code, Some(report))
    }

    fn close(&self, decision: Option<&str>, exit_code: u8, report: Option<&str>) -> Result<(), Fault> {
        let _phase = timing::phase("journal");
        let ended = Ended {
            finished: Timestamp::now().to_string(),
            decision: decision.map(str::to_owned),
            exit_code,
            report: report.map(str::to_owned),
        };
        match self.kept() {
            Some(mut kept) => kept.run.ended = Some(ended),
            None => return self.write(|db, id| rows::close(db, id, &ended)),
        }
        self.0.journal.keep(self.clone())
    }

    fn write<T>(&self, work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T>) -> Result<T, Fault> {
        let journal = &self.0.journal;
        work(&journal.db(), &self.0.id).map_err(|error| journal.fault(&error))
    }

    fn kept(&self) -> Option<MutexGuard<'_, Kept>> {
        // A poisoned lock means a panic elsewhere; the record must still be closed.
        self.0.kept.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn insert(&self, db: &Connection, id: &str) -> rusqlite::Result<()> {
        self.run.insert(db, id)?;
        if let Some((digest, bytes)) = &self.component {
            rows::component(db, digest.as_str(), bytes)?;
        }
        rows::operations(db, id, &self.operations)?;
        self.messages.iter().try_for_each(|message| message.insert(db, id))
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, rusqlite::Error> {
    canonical::json(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Sorts by time; the tail keeps the runs of one second apart: those of one process by counting, those of several by where
/// they begin to count.
fn run_id(now: Timestamp) -> String {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(std::hash::RandomState::new().build_hasher().finish()));
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let tail = NEXT.fetch_add(1, Ordering::Relaxed) & 0xff_ffff;
    format!("{time}-{tail:06x}")
}
