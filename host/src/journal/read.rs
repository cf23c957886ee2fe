//! Reading runs back.

use rusqlite::{OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Journal, rows};
use crate::fault::Fault;
use crate::names::{Commit, Digest, Environment, ServiceName};

/// One run, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// Sorts by time.
    pub id: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Nothing: still going, or killed.
    pub finished: Option<String>,
    /// `deploy`, `registry status`.
    pub command: String,
    /// Of a deploy.
    pub service: Option<String>,
    /// Of a deploy.
    pub environment: Option<String>,
    /// Of a deploy.
    pub commit: Option<String>,
    /// `dry-run`, `plan` or `live`; `look` of a command that only looks.
    #[schemars(extend("enum" = ["dry-run", "plan", "live", "look"]))]
    pub mode: String,
    /// Who asked.
    pub requester: String,
    /// Nothing: still going, or killed.
    pub decision: Option<String>,
    /// Nothing: still going, or killed.
    pub exit_code: Option<u8>,
}

/// One operation of a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationRow {
    /// `predicting`, `observing` or `live`.
    #[schemars(extend("enum" = ["predicting", "observing", "live"]))]
    pub pass: String,
    /// From 1 in each pass; 0 of what was asked beside it.
    pub seq: u32,
    /// When it was written down, RFC 3339, UTC.
    pub intent_at: String,
    /// As it was compared, in the form of the version that ran it.
    pub operation: Value,
    /// What policy said, in the form of the version that ran it.
    pub verdict: Value,
    /// Everything that policy was asked for it, in the form of the version that ran it.
    pub requests: Value,
    /// What came of it, in the form of the version that ran it; nothing: begun and never ended.
    pub step: Option<Value>,
}

/// Everything that is shown of a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// The line.
    pub run: RunRow,
    /// Digest of the component that ran; its bytes are in the journal.
    pub plugin: Option<String>,
    /// Digest of the policy set.
    pub policy: String,
    /// Version of the program that ran it.
    pub host_version: String,
    /// Pass by pass, in the order of each; 0 is what was asked beside it.
    pub operations: Vec<OperationRow>,
    /// Lines of the plugin.
    pub messages: Vec<String>,
    /// The report as the version that ran it wrote it; nothing: still going, killed, or ended without one.
    pub report: Option<Value>,
}

const LINE: &str =
    "id, started, finished, command, service, environment, commit_sha, mode, requester, decision, exit_code";

impl Journal {
    /// The newest runs first, of one service or of all.
    pub fn list(&self, service: Option<&str>, limit: u32) -> Result<Vec<RunRow>, Fault> {
        let read = || -> rusqlite::Result<Vec<RunRow>> {
            self.db()
                .prepare(&format!(
                    "SELECT {LINE} FROM run WHERE ?1 IS NULL OR service = ?1 ORDER BY started DESC, id DESC LIMIT ?2"
                ))?
                .query_map(params![service, limit], line)?
                .collect()
        };
        read().map_err(|error| self.fault(&error))
    }

    /// The newest live run that deployed a commit to an environment: (id, when it ended).
    pub fn deployed(
        &self,
        service: &ServiceName,
        environment: &Environment,
        commit: &Commit,
    ) -> Result<Option<(String, String)>, Fault> {
        let found = self
            .db()
            .query_row(
                "SELECT id, finished FROM run WHERE service = ?1 AND environment = ?2 AND commit_sha = ?3
                 AND mode = 'live' AND decision = 'deployed' ORDER BY started DESC LIMIT 1",
                params![service.as_str(), environment.as_str(), commit.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional();
        found.map_err(|error| self.fault(&error))
    }

    /// Which run applied a part of a plan, and when; nothing where none did.
    pub fn applied(
        &self,
        plan: &Digest,
        service: &ServiceName,
        environment: &Environment,
    ) -> Result<Option<(String, String)>, Fault> {
        rows::applied(&self.db(), plan, service, environment).map_err(|error| self.fault(&error))
    }

    /// Whether it has the run with exactly this id.
    pub fn has(&self, id: &str) -> Result<bool, Fault> {
        let found =
            self.db()
                .query_row("SELECT EXISTS (SELECT 1 FROM run WHERE id = ?1)", params![id], |row| row.get(0));
        found.map_err(|error| self.fault(&error))
    }

    /// The run whose id is, or begins with, `id`; nothing where none or several do.
    pub fn show(&self, id: &str) -> Result<Option<RunDetail>, Fault> {
        let read = || -> rusqlite::Result<Option<RunDetail>> {
            let db = self.db();
            let found: Vec<String> = db
                .prepare("SELECT id FROM run WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2")?
                .query_map(params![id], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let [id] = found.as_slice() else { return Ok(None) };
            let select =
                format!("SELECT {LINE}, plugin, policy, host_version, report FROM run WHERE id = ?1");
            let detail = db
                .query_row(&select, params![id], |row| {
                    Ok(RunDetail {
                        run: line(row)?,
                        plugin: row.get("plugin")?,
                        policy: row.get("policy")?,
                        host_version: row.get("host_version")?,
                        operations: Vec::new(),
                        messages: Vec::new(),
                        report: row.get::<_, Option<String>>("report")?.as_deref().map(parsed),
                    })
                })
                .optional()?;
            let Some(mut detail) = detail else { return Ok(None) };
            detail.operations = db
                .prepare(
                    "SELECT pass, seq, intent_at, operation, verdict, requests, step FROM operation WHERE run = ?1
                     ORDER BY CASE pass WHEN 'live' THEN 1 ELSE 0 END, seq",
                )?
                .query_map(params![id], operation)?
                .collect::<Result<_, _>>()?;
            detail.messages = db
                .prepare("SELECT text FROM message WHERE run = ?1 ORDER BY rowid")?
                .query_map(params![id], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok(Some(detail))
        };
        read().map_err(|error| self.fault(&error))
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get("id")?,
        started: row.get("started")?,
        finished: row.get("finished")?,
        command: row.get("command")?,
        service: row.get("service")?,
        environment: row.get("environment")?,
        commit: row.get("commit_sha")?,
        mode: row.get("mode")?,
        requester: row.get("requester")?,
        decision: row.get("decision")?,
        exit_code: row.get("exit_code")?,
    })
}

fn operation(row: &Row<'_>) -> rusqlite::Result<OperationRow> {
    Ok(OperationRow {
        pass: row.get("pass")?,
        seq: row.get("seq")?,
        intent_at: row.get("intent_at")?,
        operation: parsed(&row.get::<_, String>("operation")?),
        verdict: parsed(&row.get::<_, String>("verdict")?),
        requests: parsed(&row.get::<_, String>("requests")?),
        step: row.get::<_, Option<String>>("step")?.as_deref().map(parsed),
    })
}

/// Our own canonical JSON; a row that somebody damaged is shown as the text it is.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
