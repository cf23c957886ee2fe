//! The statements that write rows: of a run that is written down as it goes, and of one that is kept until its end.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::RECORD_SCHEMA;
use crate::names::{Digest, Environment, ServiceName};

/// A run: how it began, and how it ended where that is known already.
pub struct RunRecord {
    pub started: String,
    pub command: String,
    /// Service, environment and commit of a deploy.
    pub deployed: Option<[String; 3]>,
    pub mode: String,
    pub requester: String,
    pub on_failure: &'static str,
    pub policy: String,
    /// Digest and version.
    pub plugin: Option<(String, String)>,
    pub ended: Option<Ended>,
}

/// How a run ended.
pub struct Ended {
    pub finished: String,
    pub decision: Option<String>,
    pub exit_code: u8,
    pub report: Option<String>,
}

impl RunRecord {
    pub fn insert(&self, db: &Connection, id: &str) -> Result<()> {
        let (digest, version) = self.plugin.as_ref().map(|(digest, version)| (digest, version)).unzip();
        let deployed = |part: usize| self.deployed.as_ref().map(|parts| &parts[part]);
        let ended = self.ended.as_ref();
        db.prepare_cached(
            "INSERT INTO run (id, started, command, service, environment, commit_sha, mode, requester, on_failure, policy,
                              host_version, record_schema, plugin, plugin_version, finished, decision, exit_code,
                              report)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
        )?
        .execute(
            params![
                id,
                self.started,
                self.command,
                deployed(0),
                deployed(1),
                deployed(2),
                self.mode,
                self.requester,
                self.on_failure,
                self.policy,
                env!("CARGO_PKG_VERSION"),
                RECORD_SCHEMA,
                digest,
                version,
                ended.map(|ended| &ended.finished),
                ended.and_then(|ended| ended.decision.as_ref()),
                ended.map(|ended| ended.exit_code),
                ended.and_then(|ended| ended.report.as_ref()),
            ],
        )
        .map(drop)
    }
}

/// An operation; its step once it has ended.
pub struct OperationRecord {
    pub pass: &'static str,
    pub seq: u32,
    pub kind: String,
    pub operation: String,
    pub verdict: String,
    pub requests: String,
    pub intent_at: String,
    pub step: Option<String>,
}

/// Writes operations of one run; gives the number of the last row.
pub fn operations(db: &Connection, run: &str, operations: &[OperationRecord]) -> Result<i64> {
    let mut insert = db.prepare_cached(
        "INSERT INTO operation (run, pass, seq, kind, operation, verdict, requests, intent_at, step)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for one in operations {
        insert.execute(params![
            run,
            one.pass,
            one.seq,
            one.kind,
            one.operation,
            one.verdict,
            one.requests,
            one.intent_at,
            one.step,
        ])?;
    }
    Ok(db.last_insert_rowid())
}

/// What came of the operation in row `entry`.
pub fn outcome(db: &Connection, entry: i64, step: &str) -> Result<()> {
    db.prepare_cached("UPDATE operation SET step = ?2 WHERE id = ?1")?.execute(params![entry, step]).map(drop)
}

/// Whether the journal has the bytes of the component `digest`.
pub fn has_component(db: &Connection, digest: &str) -> Result<bool> {
    db.prepare("SELECT 1 FROM component WHERE digest = ?1")?.exists(params![digest])
}

/// Keeps the bytes of a component once.
pub fn component(db: &Connection, digest: &str, bytes: &[u8]) -> Result<()> {
    db.execute("INSERT OR IGNORE INTO component (digest, bytes) VALUES (?1, ?2)", params![digest, bytes])
        .map(drop)
}

/// Which component runs.
pub fn plugin(db: &Connection, run: &str, digest: &str, version: &str) -> Result<()> {
    db.execute("UPDATE run SET plugin = ?2, plugin_version = ?3 WHERE id = ?1", params![run, digest, version])
        .map(drop)
}

/// Takes a part of a plan for `run`, or tells who took it before.
pub fn applies(
    db: &Connection,
    plan: &Digest,
    service: &ServiceName,
    environment: &Environment,
    run: &str,
    at: &str,
) -> Result<Option<(String, String)>> {
    let part = params![plan.as_str(), service.as_str(), environment.as_str(), run, at];
    let taken = db.execute(
        "INSERT OR IGNORE INTO applied (plan, service, environment, run, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        part,
    )?;
    if taken == 1 {
        return Ok(None);
    }
    applied(db, plan, service, environment)
}

/// Which run took a part of a plan, and when; nothing where none did.
pub fn applied(
    db: &Connection,
    plan: &Digest,
    service: &ServiceName,
    environment: &Environment,
) -> Result<Option<(String, String)>> {
    db.query_row(
        "SELECT run, at FROM applied WHERE plan = ?1 AND service = ?2 AND environment = ?3",
        params![plan.as_str(), service.as_str(), environment.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .optional()
}

/// A line that was said.
pub struct Message {
    pub said_at: String,
    pub text: String,
}

impl Message {
    pub fn insert(&self, db: &Connection, run: &str) -> Result<()> {
        db.prepare_cached("INSERT INTO message (run, said_at, text) VALUES (?1, ?2, ?3)")?
            .execute(params![run, self.said_at, self.text])
            .map(drop)
    }
}

/// How the run ended.
pub fn close(db: &Connection, run: &str, ended: &Ended) -> Result<()> {
    db.prepare_cached(
        "UPDATE run SET finished = ?2, decision = ?3, exit_code = ?4, report = ?5 WHERE id = ?1",
    )?
    .execute(params![run, ended.finished, ended.decision, ended.exit_code, ended.report])
    .map(drop)
}
