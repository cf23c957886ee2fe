-- The journal: what was asked, what policy said, what was done and what came of it. Values of secrets are nowhere in it.
CREATE TABLE run (
  id            TEXT PRIMARY KEY,
  started       TEXT NOT NULL,             -- RFC 3339, UTC
  finished      TEXT,                      -- NULL: still going, or killed
  command       TEXT NOT NULL,             -- deploy | registry status | registry install | ...
  service       TEXT,                      -- what was deployed, where, and at which commit; NULL: it was no deploy
  environment   TEXT,
  commit_sha    TEXT,
  mode          TEXT NOT NULL,             -- dry-run | plan | live | look
  requester     TEXT NOT NULL,
  on_failure    TEXT NOT NULL,             -- leave | rollback
  plugin        TEXT,                      -- digest; bytes in component; NULL: no component was loaded
  plugin_version TEXT,
  policy        TEXT NOT NULL,             -- digest
  host_version  TEXT NOT NULL,
  record_schema INTEGER NOT NULL,          -- version of the JSON in this row and its operations
  decision      TEXT,                      -- NULL with an exit code: it came to no report, see message
  exit_code     INTEGER,
  report        TEXT                       -- the whole report, JSON
) STRICT;

CREATE TABLE operation (
  id          INTEGER PRIMARY KEY,
  run         TEXT NOT NULL REFERENCES run (id),
  pass        TEXT NOT NULL,               -- predicting | observing | live
  seq         INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  operation   TEXT NOT NULL,               -- canonical JSON: what two passes are compared by
  verdict     TEXT NOT NULL,               -- JSON
  requests    TEXT NOT NULL,               -- every policy request, JSON
  intent_at   TEXT NOT NULL,
  step        TEXT,                        -- NULL: begun and never ended
  UNIQUE (run, pass, seq)
) STRICT;

CREATE TABLE message (
  run     TEXT NOT NULL REFERENCES run (id),
  said_at TEXT NOT NULL,
  text    TEXT NOT NULL
) STRICT;

CREATE TABLE component (
  digest TEXT PRIMARY KEY,
  bytes  BLOB NOT NULL
) STRICT;

-- Each part of a plan is applied once: written down before the first change.
CREATE TABLE applied (
  plan        TEXT NOT NULL,               -- SHA-256
  service     TEXT NOT NULL,
  environment TEXT NOT NULL,
  run         TEXT NOT NULL REFERENCES run (id),
  at          TEXT NOT NULL,               -- RFC 3339, UTC
  PRIMARY KEY (plan, service, environment)
) STRICT;

CREATE INDEX run_started ON run (started DESC);
CREATE INDEX run_deployed ON run (service, environment, commit_sha) WHERE decision = 'deployed';
