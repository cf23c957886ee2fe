//! What the synchronisations of a run leave for its later steps: which version an object has, for the pods that must start
//! again with it, and what it held before, for the way back. In memory only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::object::Found;
use crate::backend::live::kubernetes::RESTART_PREFIX;
use crate::backend::secrets::{Secret, Values};
use crate::names::{KubernetesName, RuntimeName};
use crate::operation::SyncObject;

/// Stands in a plan for a version that only the write will give.
const TO_COME: &str = "to-come";

/// Of all objects that a run brings up to date.
#[derive(Default)]
pub struct Synced(Mutex<Vec<Entry>>);

struct Entry {
    call: SyncObject,
    /// Nothing while it is not known: it will be written.
    version: Option<String>,
    kept: Option<Kept>,
}

/// What one synchronisation found and wrote, in the form of the object.
pub struct Kept {
    /// The object that was written to; nothing where it was made.
    pub uid: Option<String>,
    /// The values under the keys that were written; nothing where there was no object.
    pub previous: Option<Values>,
    /// The values that were written.
    pub written: Values,
}

impl Kept {
    /// Of an object before it was written to.
    pub fn of(uid: Option<String>, found: Option<Found>, wanted: &Values) -> Self {
        let previous = found.map(|mut found| {
            found.data.retain(|key, _| wanted.contains_key(key));
            found.data
        });
        let copy = |(key, value): (&String, &Secret)| (key.clone(), Secret::from(value.text().to_owned()));
        Self { uid, previous, written: wanted.iter().map(copy).collect() }
    }

    /// Whether both hold the same, or neither anything.
    pub fn same(one: Option<&Secret>, other: Option<&Secret>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// Whether it is as it was before.
    pub fn is_back(&self, now: &Found) -> bool {
        let Some(previous) = &self.previous else { return false };
        self.written.keys().all(|key| Self::same(now.data.get(key), previous.get(key)))
    }

    /// Whether the object is this run's own and nobody put anything else into it.
    pub fn made(&self, now: &Found) -> bool {
        self.previous.is_none() && now.data.keys().all(|key| self.written.contains_key(key))
    }

    /// What each key held before.
    pub fn way_back(&self) -> BTreeMap<&str, Option<&str>> {
        let before = |key: &String| self.previous.as_ref().and_then(|previous| previous.get(key));
        self.written.keys().map(|key| (key.as_str(), before(key).map(Secret::text))).collect()
    }
}

impl Synced {
    /// The version that an object has.
    pub fn versioned(&self, call: &SyncObject, version: Option<String>) {
        self.entry(call, |entry| entry.version = version);
    }

    /// Keeps what an object held before, until it is asked for.
    pub fn keep(&self, call: &SyncObject, kept: Kept) {
        self.entry(call, |entry| entry.kept = Some(kept));
    }

    /// What an object held before, once.
    pub fn take(&self, call: &SyncObject) -> Option<Kept> {
        self.entry(call, |entry| entry.kept.take())
    }

    /// The annotations of a pod template in this namespace: one for each object that was brought up to date there, with the
    /// version that it has. They stay the same for as long as nobody writes to the object, so pods start again exactly
    /// when there is something new to read, and also if the run that wrote it got no further.
    pub fn annotations(&self, runtime: &RuntimeName, namespace: &KubernetesName) -> BTreeMap<String, String> {
        let entries = self.entries();
        let there = entries
            .iter()
            .filter(|entry| entry.call.runtime == *runtime && entry.call.namespace == *namespace);
        let version = |entry: &Entry| entry.version.clone().unwrap_or_else(|| TO_COME.to_owned());
        there.map(|entry| (key(&entry.call), version(entry))).collect()
    }

    fn entry<T>(&self, call: &SyncObject, with: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| entry.call == *call).unwrap_or_else(|| {
            entries.push(Entry { call: call.clone(), version: None, kept: None });
            entries.len() - 1
        });
        with(&mut entries[at])
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `host.unidesk/secret-<name>`. What stands after the `/` has 63 characters at most (Kubernetes: annotations).
fn key(call: &SyncObject) -> String {
    let mut name = format!("{}-{}", call.kind.as_str(), call.name);
    name.truncate(63);
    format!("{RESTART_PREFIX}{}", name.trim_end_matches(['-', '.']))
}
