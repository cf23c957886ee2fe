//! Looking at a journal without leaving a trace: nothing is created, locked for others, recovered or brought up to date.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::rows::applied;
use super::{SCHEMA, other_version};
use crate::fault::Fault;
use crate::names::{Digest, Environment, ServiceName};

/// Largest journal that is read through from end to end, in bytes; beyond, only its head is looked at.
const READ_THROUGH: u64 = 256 << 20;
/// Most unfinished runs that are named.
const NAMED: u32 = 5;

/// A journal that is only looked at.
pub struct Peek {
    db: Connection,
    path: PathBuf,
}

/// How a journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Of the file, in bytes.
    pub bytes: u64,
    /// How many runs are in it.
    pub runs: u32,
    /// Live and planned runs without an end, the newest first, as `<id> (<service> to <environment>, <mode>)`.
    pub unfinished: Vec<String>,
}

/// The journal of a state folder.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join("journal.sqlite")
}

impl Peek {
    /// Opens the journal of `state`; nothing where there is none.
    ///
    /// # Errors
    /// A [`Fault`] for a file that is no journal of this version.
    pub fn open(state: &Path) -> Result<Option<Self>, Fault> {
        let path = path(state);
        if !path.exists() {
            return Ok(None);
        }
        let journal = connect(&path).map_err(|error| broken(&path, &error))?;
        let version: i64 = journal
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| broken(&path, &error))?;
        if version != SCHEMA {
            return Err(other_version(&journal, &path, version));
        }
        Ok(Some(Self { db: journal, path }))
    }

    /// Which run applied a part of a plan, and when; nothing where none did.
    ///
    /// # Errors
    /// A [`Fault`] for a journal that cannot be read.
    pub fn applied(
        &self,
        plan: &Digest,
        service: &ServiceName,
        environment: &Environment,
    ) -> Result<Option<(String, String)>, Fault> {
        applied(&self.db, plan, service, environment).map_err(|error| broken(&self.path, &error))
    }

    /// Reads it through.
    ///
    /// # Errors
    /// A [`Fault`] that says where it is damaged.
    pub fn health(&self) -> Result<Health, Fault> {
        let Self { db, path } = self;
        let bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let read = || -> rusqlite::Result<(Option<String>, u32, Vec<String>)> {
            let damage = if bytes <= READ_THROUGH {
                let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
                (found != "ok").then_some(found)
            } else {
                None
            };
            let runs: u32 = db.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?;
            let unfinished = db
                .prepare(
                    "SELECT id || ' (' || coalesce(service || ' to ' || environment, command) || ', ' || mode || ')' FROM run
                     WHERE finished IS NULL AND mode <> 'dry-run' ORDER BY started DESC LIMIT ?1",
                )?
                .query_map([NAMED], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok((damage, runs, unfinished))
        };
        match read().map_err(|error| broken(path, &error))? {
            (None, runs, unfinished) => Ok(Health { bytes, runs, unfinished }),
            (Some(damage), ..) => Err(broken(path, &damage)),
        }
    }
}

/// A journal that nobody has open has no log beside it, and is read as the file that it is. Where there is a log, what
/// it holds is read too, through the index that its writer keeps; a reader that may not write makes none itself.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        Path::new(&name).exists()
    };
    let how = if beside("-wal") && beside("-shm") { "mode=ro&readonly_shm=1" } else { "mode=ro&immutable=1" };
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{}?{how}", encoded(path)), flags)
}

/// A path inside a URI.
fn encoded(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault::internal(
        "journal-broken",
        format!("the journal {} cannot be read: {error}", path.display()),
        format!(
            "if it is damaged, move it away (`mv {0} {0}.damaged`): the next run begins a new one, and what was run before \
             is no longer listed",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::journal::{Begin, Deployed, OnFailure};
    use crate::names::Commit;

    fn files(folder: &Path) -> BTreeMap<String, Digest> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        entries
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, Digest::of(&std::fs::read(entry.path()).expect("a file")))
            })
            .collect()
    }

    fn begun(state: &Path) -> crate::journal::RunLog {
        let begin = Begin {
            command: "deploy",
            deployed: Some(Deployed {
                service: &ServiceName::parse("project-manager").expect("a service"),
                environment: &Environment::parse("prod").expect("an environment"),
                commit: &Commit::parse(&"0".repeat(40)).expect("a commit"),
            }),
            mode: "live",
            batched: false,
            requester: "tester",
            on_failure: OnFailure::Leave,
            policy: &Digest::of(b""),
        };
        crate::journal::Journal::open(state).expect("a journal").begin(&begin).expect("a run")
    }

    fn peeked(state: &Path) -> Health {
        Peek::open(state).expect("a journal").expect("one").health().expect("a sound one")
    }

    #[test]
    fn where_there_is_none_none_is_made() {
        let state = tempfile::tempdir().expect("a folder");
        assert!(Peek::open(state.path()).expect("no journal").is_none());
        assert!(files(state.path()).is_empty());
    }

    #[test]
    fn a_closed_journal_is_left_as_it_is() {
        let state = tempfile::tempdir().expect("a folder");
        begun(state.path()).finish("deployed", 0, "{}").expect("an end");
        let before = files(state.path());
        let health = peeked(state.path());
        assert_eq!((health.runs, health.unfinished.len()), (1, 0));
        assert_eq!(files(state.path()), before);
    }

    /// What a machine that lost its power has on its disk: the journal as it was, and a log beside it.
    #[test]
    fn a_journal_that_was_never_closed_is_read_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("with ? and % in it");
        let log = begun(&state);
        let copy = folder.path().join("copy ?#%41");
        std::fs::create_dir(&copy).expect("a folder");
        for name in files(&state).keys() {
            std::fs::copy(state.join(name), copy.join(name)).expect("a copy");
        }
        let before = files(&copy);
        assert!(before.contains_key("journal.sqlite-wal"), "{:?}", before.keys());
        for place in [&state, &copy] {
            let health = peeked(place);
            let [unfinished] = health.unfinished.as_slice() else { panic!("{health:?}") };
            assert!(unfinished.contains(&log.id()) && unfinished.contains("project-manager to prod, live"));
        }
        assert_eq!(files(&copy), before);
    }

    #[test]
    fn a_damaged_journal_is_told_and_kept() {
        let state = tempfile::tempdir().expect("a folder");
        begun(state.path()).finish("deployed", 0, "{}").expect("an end");
        let file = path(state.path());
        // A run leaves what it wrote in the log beside it.
        let db = Connection::open(&file).expect("a journal");
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a log that is moved");
        drop(db);
        let mut bytes = std::fs::read(&file).expect("a journal");
        for byte in &mut bytes[4096..] {
            *byte = 0x5a;
        }
        std::fs::write(&file, &bytes).expect("a damaged journal");
        let found = Peek::open(state.path()).and_then(|peek| peek.expect("one").health());
        let fault = found.expect_err("damaged");
        assert_eq!(fault.code, "journal-broken");
        std::fs::write(&file, "no journal at all").expect("something else");
        let fault = Peek::open(state.path()).map(|_| ()).expect_err("no journal");
        assert!(fault.message.contains("cannot be read"), "{fault}");
        assert_eq!(files(state.path()).keys().collect::<Vec<_>>(), ["journal.sqlite"]);
    }
}
