//! The controlled env file: where Compose takes the values of a project from, secrets among them. The host reads and
//! writes the stamps of one service in it and nothing else; no other line ever leaves this module. The rest is read only
//! to take it out of what others say.

mod decode;
mod diagnose;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod quoting;
mod secrets;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use diagnose::{diagnose, diagnose_there};
pub use secrets::{HIDDEN, Secrets};

use super::machine::{Entry, Found, Machine, Replaced, Trouble};
use crate::answer::CallError;
use crate::names::{EnvKey, PlainValue, ServiceName};
use crate::operation::stamp_prefix;
use crate::provenance::Provenance;
use crate::words::{plain, shell};

/// Largest file that is read, in bytes. Compose reads it whole on every call, so a real one is far smaller.
const LARGEST: u64 = 1 << 20;
/// Who may not write to the file: what its group or anybody may change is controlled by nobody.
const FOREIGN_WRITE: u32 = 0o022;
/// Longest value that a message repeats, in characters.
const SHOWN: usize = 80;

/// Appended to the file's name: the new file before it takes the old one's place.
const BESIDE: &str = ".unfinished";

/// Values by key; nothing for a key without an assignment.
pub type Stamp = BTreeMap<EnvKey, Option<PlainValue>>;

/// The controlled env file as one service may use it.
#[derive(Debug, Clone)]
pub struct EnvFile {
    machine: Machine,
    path: PathBuf,
    prefix: String,
}

/// The values of `keys` in an env file with this content, as Compose hands them on; only those that are assigned.
///
/// # Errors
/// The line of a quote that is never closed: Compose cannot read such a file.
pub fn values<'k>(text: &[u8], keys: &'k [EnvKey]) -> Result<BTreeMap<&'k str, Zeroizing<String>>, usize> {
    let mut values = decode::Values::default();
    for entry in text::all_entries(text)? {
        drop(Zeroizing::new(values.next(&entry)));
    }
    Ok(keys.iter().filter_map(|key| Some((key.as_str(), values.take(key.as_str())?))).collect())
}

/// Which deploys of `services` the env file at `path` of `machine` tells of.
///
/// # Errors
/// As for [`EnvFile::read_stamp`].
pub async fn runs(
    machine: &Machine,
    path: &Path,
    services: &[ServiceName],
) -> Result<Vec<(ServiceName, Provenance)>, CallError> {
    // Only read: nothing is this one's own.
    let file = EnvFile { machine: machine.clone(), path: path.to_owned(), prefix: String::new() };
    let Found { bytes, .. } = file.read().await?;
    let mut runs = Vec::new();
    for service in services {
        let Some(key) = Provenance::key(service) else { continue };
        let found = text::value(&bytes, key.as_str()).map_err(|line| file.unclosed(line))?;
        let told = found.and_then(|found| Provenance::read(std::str::from_utf8(&found.value).ok()?));
        runs.extend(told.map(|told| (service.clone(), told)));
    }
    Ok(runs)
}

impl EnvFile {
    /// The file at `path` of `machine`, for the stamps of `service`.
    #[must_use]
    pub fn new(machine: Machine, path: PathBuf, service: &ServiceName) -> Self {
        Self { machine, path, prefix: stamp_prefix(service) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The present values of `keys`.
    ///
    /// # Errors
    /// `Invalid` for a key of somebody else. `NotFound` or `Mismatch`, with what to do, for a file that is missing, that
    /// others may write, that cannot be understood, or that holds something under one of the keys that no deploy wrote.
    pub async fn read_stamp<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k EnvKey>,
    ) -> Result<Stamp, CallError> {
        let Found { bytes, .. } = self.read().await?;
        keys.into_iter()
            .map(|key| {
                self.own(key)?;
                let found = text::value(&bytes, key.as_str()).map_err(|line| self.unclosed(line))?;
                let value = found.map(|found| self.plain_value(key, &found)).transpose()?;
                Ok((key.clone(), value))
            })
            .collect()
    }

    /// Brings each key to its value, or removes its lines where it has none. Every other byte stays; the file is replaced
    /// in one step and keeps mode, owner and group. Only for who holds the project's lock: a new file that somebody left
    /// beside the old one is taken for that of a killed host.
    ///
    /// A key that is assigned several times gets the value everywhere: Compose takes the last assignment, other readers
    /// the first, and a line that somebody wrote does not vanish.
    ///
    /// # Errors
    /// As for [`Self::read_stamp`]; `Mismatch` also if somebody else writes the file at the same time.
    pub async fn write_stamp(&self, stamp: &Stamp) -> Result<(), CallError> {
        let before = self.read().await?;
        let mut bytes = before.bytes.clone();
        for (key, value) in stamp {
            self.own(key)?;
            let written = match value {
                Some(value) => text::with(&bytes, key.as_str(), value.as_str()),
                None => text::without(&bytes, key.as_str()),
            };
            bytes = Zeroizing::new(written.map_err(|line| self.unclosed(line))?);
        }
        if bytes == before.bytes {
            return Ok(());
        }
        self.replace(&bytes, &before).await
    }

    async fn replace(&self, bytes: &[u8], before: &Found) -> Result<(), CallError> {
        let replaced = self.machine.replace(&self.path, &self.beside(), bytes, before).await;
        match replaced.map_err(|trouble| self.trouble(trouble))? {
            Replaced::Done => Ok(()),
            Replaced::Changed => Err(self.unfit(
                "was changed by somebody else at this very moment, and was left as they made it",
                "run the same command again",
            )),
        }
    }

    /// Only the service's own stamps may be written: an entry like `COMPOSE_FILE` would change what Compose does.
    fn own(&self, key: &EnvKey) -> Result<(), CallError> {
        match key.as_str().strip_prefix(&self.prefix) {
            Some(rest) if !rest.is_empty() => Ok(()),
            _ => Err(CallError::Invalid(format!(
                "{key} does not begin with {}: no other entry of the env file is read or written",
                self.prefix
            ))),
        }
    }

    async fn read(&self) -> Result<Found, CallError> {
        let looked =
            self.machine.look(&self.path, LARGEST + 1).await.map_err(|trouble| self.trouble(trouble))?;
        self.check_folder(looked.folder_mode)?;
        let shown = self.path.display();
        let found = match looked.entry {
            Entry::File(found) => found,
            Entry::Missing => {
                return Err(CallError::NotFound(format!(
                    "the controlled env file {shown} does not exist; create it, with the secrets of the project: \
                     `install -D -m 600 /dev/null {}`",
                    shell(&shown.to_string())
                )));
            }
            Entry::Symlink => {
                return Err(self.unfit("is a symlink", "name the file that it leads to in host.toml"));
            }
            Entry::NoFile => return Err(self.unfit("is no regular file", "name a file in host.toml")),
        };
        if found.facts.mode & FOREIGN_WRITE != 0 {
            return Err(self.unfit(
                &format!("may be written by others (mode {:o})", found.facts.mode & 0o7777),
                &format!("look through it, then `chmod 600 {}`", shell(&shown.to_string())),
            ));
        }
        if found.bytes.len() as u64 > LARGEST {
            return Err(self.unfit(
                "is larger than 1 MiB",
                "an env file is a few lines; name the right one in host.toml",
            ));
        }
        Ok(found)
    }

    /// A folder in which anybody may rename makes the file anybody's. A group's folder is let pass: with private groups
    /// it is what `mkdir` makes. Of a folder that is not there the file itself says it better.
    fn check_folder(&self, mode: Option<u32>) -> Result<(), CallError> {
        let (anybody, sticky) = (0o002, 0o1000);
        if mode.is_some_and(|mode| mode & anybody != 0 && mode & sticky == 0) {
            return Err(self.unfit(
                "is in a folder where anybody may replace it",
                &format!("`chmod o-w {}`", shell(&self.folder().display().to_string())),
            ));
        }
        Ok(())
    }

    /// Always the same name: what a killed host left there is found again.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(BESIDE);
        name.into()
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn plain_value(&self, key: &EnvKey, found: &text::Found) -> Result<PlainValue, CallError> {
        std::str::from_utf8(&found.value).ok().and_then(|value| PlainValue::parse(value).ok()).ok_or_else(
            || {
                self.unfit(
                    &format!("holds a value for {key} in line {} that no deploy wrote", found.line),
                    "remove that line; the next deploy writes it anew",
                )
            },
        )
    }

    fn unclosed(&self, line: usize) -> CallError {
        self.unfit(
            &format!("has a quote in line {line} that is never closed"),
            "close it; Compose cannot read it either",
        )
    }

    fn unfit(&self, why: &str, what_to_do: &str) -> CallError {
        CallError::Mismatch(format!("the controlled env file {} {why}; {what_to_do}", self.path.display()))
    }

    fn trouble(&self, trouble: Trouble) -> CallError {
        match trouble {
            Trouble::Machine(error) => error,
            Trouble::File { what, why } => CallError::Other(format!(
                "the controlled env file {} {what}: {}; check who owns the file and its folder, and as whom the host \
                 runs",
                self.path.display(),
                plain(&why, SHOWN)
            )),
        }
    }
}

#[cfg(test)]
mod tests;
