//! Secrets. Their values are read at the last moment, every time anew, and stay in this folder: what leaves it is whether
//! a key is there and how long its value is. Only what is synchronised into an object of a cluster is read by another part
//! of the backend ([`Sources::entries`]).

mod command;
mod document;
mod entries;
mod file;
mod lines;
mod value;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::answer::{CallError, GateState, SecretPresence, SecretsFound};
use crate::config::{Config, EnvFileSource, SecretSource};
use crate::names::{ConfigName, EnvKey, RuntimeName};
use crate::progress::Interrupt;
use crate::words::{listed, plain, seconds};
pub(super) use entries::Entries;
pub(super) use value::{Secret, Values};

/// Largest source that is read, in bytes; a real one is a few lines.
const LARGEST: u64 = 1 << 20;
/// Keys that a reason names.
const NAMED: usize = 20;
/// Longest reason, in characters: it has paths and keys in it.
const REASON: usize = 4000;

/// How far a judgement may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Local files only: offline no program is run, because nobody knows what it asks.
    Files,
    /// Every kind of source.
    All,
}

/// Where the values of secrets are. Holds none of them; by default nowhere.
#[derive(Default)]
pub struct Sources {
    configured: BTreeMap<ConfigName, SecretSource>,
    /// The controlled env files: where the secrets of a service are that has no source of its own (specification: those
    /// of baidu-netdisk are in the controlled env file).
    controlled: BTreeMap<RuntimeName, EnvFileSource>,
    within: Duration,
}

/// Where the values of one source are.
#[derive(Clone)]
enum Place {
    Configured(SecretSource),
    Controlled(RuntimeName, EnvFileSource),
}

/// What was read of a source.
struct Read {
    values: Values,
    warning: Option<String>,
}

/// Why nothing was read.
enum Unread {
    /// In words, which hold nothing that is in the source.
    Because(String),
    /// Nobody waits for it any more.
    Interrupted,
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl Sources {
    /// Those that the configuration names.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            configured: config.secrets.clone(),
            controlled: config
                .runtimes
                .iter()
                // The path of another machine's file means something else here.
                .filter(|(_, runtime)| runtime.via.is_none())
                .map(|(name, runtime)| (name.clone(), runtime.env_file.clone()))
                .collect(),
            within: Duration::from_secs(config.limits.secret_seconds),
        }
    }

    /// Whether all `keys` of `source` are there and not empty, for a deploy to `runtime`. Reads the source anew.
    ///
    /// # Errors
    /// Only when it is interrupted: a source that cannot be read has none of its keys.
    pub async fn judge(
        &self,
        source: &ConfigName,
        runtime: &RuntimeName,
        keys: &[EnvKey],
        reach: Reach,
        interrupt: &Interrupt,
    ) -> Result<GateState, CallError> {
        let asked = Asked { source, keys };
        let Some(place) = self.place(source, runtime) else {
            let why = format!(
                "host.toml has neither [secrets.{source}] nor, on this machine, a Compose runtime {runtime} whose \
                 controlled env file it would be"
            );
            return Ok(asked.unread("not configured", &why));
        };
        let words = place.words(false);
        let (words, read) = match place {
            Place::Configured(SecretSource::Command { .. }) if reach == Reach::Files => {
                return Ok(asked.not_asked(&words));
            }
            Place::Configured(SecretSource::Command { argv, pointer }) => {
                let values = command::values(&argv, pointer.as_ref(), keys, self.within, interrupt).await;
                (words, values.map(|values| Read { values, warning: None }))
            }
            local => {
                let keys = keys.to_vec();
                self.local(local, move |local| local.read(&keys), interrupt).await
            }
        };
        match read {
            Ok(read) => Ok(asked.judged(&words, &read)),
            Err(Unread::Because(why)) => Ok(asked.unread(&words, &why)),
            Err(Unread::Interrupted) => Err(CallError::Other("interrupted".to_owned())),
        }
    }

    /// Kind and place of `source`, for a deploy to `runtime`; nothing where it is not configured.
    #[must_use]
    pub fn words(&self, source: &ConfigName, runtime: &RuntimeName) -> Option<String> {
        self.place(source, runtime).map(|place| place.words(true))
    }

    fn place(&self, source: &ConfigName, runtime: &RuntimeName) -> Option<Place> {
        let configured = self.configured.get(source).cloned().map(Place::Configured);
        configured.or_else(|| Some(Place::Controlled(runtime.clone(), self.controlled.get(runtime)?.clone())))
    }

    /// A local file, in words and as it was read. On a thread that may wait: a file can be far away or on a slow disk.
    async fn local(
        &self,
        place: Place,
        read: impl FnOnce(&Place) -> Result<Read, String> + Send + 'static,
        interrupt: &Interrupt,
    ) -> (String, Result<Read, Unread>) {
        let unresolved = place.words(false);
        let reading = tokio::task::spawn_blocking(move || (place.words(true), read(&place)));
        let lost = |why| (unresolved, Err(why));
        tokio::select! {
            biased;
            () = interrupt.raised() => lost(Unread::Interrupted),
            read = tokio::time::timeout(self.within, reading) => match read {
                Ok(Ok((words, read))) => (words, read.map_err(Unread::from)),
                Ok(Err(_)) => lost(Unread::Because("it could not be read".to_owned())),
                Err(_) => lost(Unread::Because(format!(
                    "it could not be read within {} (limits.secret-seconds)",
                    seconds(self.within)
                ))),
            },
        }
    }
}

impl Place {
    /// Kind and path. Where another file names an env file, `resolved` looks there.
    fn words(&self, resolved: bool) -> String {
        let path = |file: &EnvFileSource| match file.path() {
            Ok(path) if resolved => path.display().to_string(),
            _ => file.to_string(),
        };
        match self {
            Self::Controlled(runtime, file) => {
                format!("the controlled env file of {runtime}, {}", path(file))
            }
            Self::Configured(SecretSource::EnvFile(file)) => format!("the env file {}", path(file)),
            Self::Configured(SecretSource::Json { file, pointer }) => match pointer.as_str() {
                "" => format!("the JSON file {}", file.display()),
                pointer => format!("the JSON file {} at {pointer}", file.display()),
            },
            Self::Configured(SecretSource::Command { argv, .. }) => {
                format!("the command {}", argv.first().map_or("", String::as_str))
            }
        }
    }

    /// Reads a local file.
    fn read(&self, keys: &[EnvKey]) -> Result<Read, String> {
        let (path, json) = match self {
            Self::Controlled(_, file) | Self::Configured(SecretSource::EnvFile(file)) => (file.path()?, None),
            Self::Configured(SecretSource::Json { file, pointer }) => (file.clone(), Some(pointer)),
            Self::Configured(SecretSource::Command { .. }) => return Err("it is no file".to_owned()),
        };
        let file = file::read(&path)?;
        let values = match json {
            Some(pointer) => document::values(&file.content, pointer, keys)?,
            None => lines::values(&file.content, keys)?,
        };
        Ok(Read { values, warning: file.warning })
    }
}

/// What is judged, for the words about it.
struct Asked<'a> {
    source: &'a ConfigName,
    keys: &'a [EnvKey],
}

impl Asked<'_> {
    fn judged(&self, words: &str, read: &Read) -> GateState {
        let found: Vec<SecretPresence> = self
            .keys
            .iter()
            .map(|key| {
                let length = read.values.get(key.as_str()).map_or(0, Secret::length);
                SecretPresence { key: key.to_string(), present: length > 0, length }
            })
            .collect();
        let missing: Vec<String> =
            found.iter().filter(|one| !one.present).map(|one| one.key.clone()).collect();
        let reason = if missing.is_empty() {
            format!("the {} has all that is needed", self.named(words))
        } else {
            format!(
                "the {} has no value for {}; add what is missing there",
                self.named(words),
                listed(&missing, NAMED)
            )
        };
        self.state(missing.is_empty(), reason, words, Some(found), read.warning.clone())
    }

    /// A source that cannot be read has none of its keys.
    fn unread(&self, words: &str, why: &str) -> GateState {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let reason = format!(
            "the {} cannot be used: {why}; {} must be there",
            self.named(words),
            listed(&keys, NAMED)
        );
        let missing = |key| SecretPresence { key, present: false, length: 0 };
        self.state(false, reason, words, Some(keys.into_iter().map(missing).collect()), None)
    }

    fn not_asked(&self, words: &str) -> GateState {
        let reason = format!("the {} is not asked offline; a plan or a live run asks it", self.named(words));
        self.state(false, reason, words, None, None)
    }

    fn named(&self, words: &str) -> String {
        format!("secret source {} ({words})", self.source)
    }

    fn state(
        &self,
        met: bool,
        reason: String,
        words: &str,
        keys: Option<Vec<SecretPresence>>,
        warning: Option<String>,
    ) -> GateState {
        let reason = match &warning {
            Some(warning) => format!("{reason}; {warning}"),
            None => reason,
        };
        GateState {
            secrets: Some(SecretsFound {
                source: plain(&format!("{}: {words}", self.source), REASON),
                keys,
                warning: warning.map(|warning| plain(&warning, REASON)),
            }),
            ..GateState::new(met, plain(&reason, REASON))
        }
    }
}

#[cfg(test)]
mod tests;
