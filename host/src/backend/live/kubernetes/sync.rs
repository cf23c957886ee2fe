//! `kubernetes.sync`: values of a configured source, copied into a Secret or `ConfigMap`. They go from the one to the
//! other and nowhere else: a state has names and lengths, and no digest, by which a short value could be guessed.

mod object;
mod side;
mod synced;
#[cfg(test)]
mod tests;

pub use synced::Synced;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::answer::CallError;
use crate::backend::change::{Change, Unmade};
use crate::backend::secrets::{Entries, Sources, Values};
use crate::operation::SyncObject;
use crate::progress::{Interrupt, Watcher};
use object::{Found, Object};
use synced::Kept;

/// What is known of an object outside of the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectState {
    /// Nothing where there is no such object.
    uid: Option<String>,
    /// Moves with everything that is written to it; nothing where it is not known yet.
    resource_version: Option<String>,
    /// Length of the value in bytes under each key that is synchronised; nothing where there is none.
    lengths: BTreeMap<String, Option<usize>>,
    /// Whether each of these values is that of the source.
    current: bool,
}

/// One object that is brought up to date.
pub struct Synchronisation<'a> {
    object: Object<'a>,
    sources: &'a Sources,
    synced: &'a Synced,
    call: &'a SyncObject,
    interrupt: &'a Interrupt,
    wanted: OnceCell<Wanted>,
}

/// What the source has.
struct Wanted {
    read: Entries,
    /// The values as they stand in the object.
    form: Values,
}

impl<'a> Synchronisation<'a> {
    /// Touches nothing.
    pub fn new(
        object: Object<'a>,
        sources: &'a Sources,
        synced: &'a Synced,
        call: &'a SyncObject,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self { object, sources, synced, call, interrupt, wanted: OnceCell::new() }
    }

    /// What the source has, read once for all that is done with it here.
    async fn wanted(&self) -> Result<&Wanted, CallError> {
        let read = || async {
            let read = self.sources.entries(&self.call.source, &self.call.entries, self.interrupt).await?;
            let form = self.object.form(&read.values)?;
            Ok(Wanted { read, form })
        };
        self.wanted.get_or_try_init(read).await
    }

    fn state(&self, found: Option<&Found>, wanted: &Wanted) -> ObjectState {
        let value = |key: &str| found.and_then(|found| found.data.get(key));
        let keys = self.call.entries.iter().map(|(_, key)| key.as_str());
        ObjectState {
            uid: found.and_then(|found| found.metadata.uid.clone()),
            resource_version: found.and_then(|found| found.metadata.resource_version.clone()),
            lengths: keys
                .map(|key| (key.to_owned(), value(key).map(|value| self.object.length(value))))
                .collect(),
            current: wanted.form.iter().all(|(key, wanted)| value(key).is_some_and(|value| value.is(wanted))),
        }
    }

    /// Puts the wanted values there, on the object as it was `found`.
    async fn write(&self, found: Option<&Found>, rehearsed: bool) -> Result<Found, CallError> {
        let wanted = self.wanted().await?;
        let data = wanted.form.iter().map(|(key, value)| (key.as_str(), Some(value.text()))).collect();
        let written = match found {
            Some(found) => self.object.patch(found, data, rehearsed).await,
            None => self.object.create(data, rehearsed).await,
        };
        // What refuses an object may repeat what is in it.
        written.map_err(|error| {
            self.object.discreet(error, wanted.read.values.values().chain(wanted.form.values()))
        })
    }

    /// After a call whose answer never came: what is there now.
    async fn written_after_all(&self, error: CallError, wanted: &Wanted) -> Result<Found, Unmade> {
        if !matches!(error, CallError::Unavailable(_)) {
            return Err(error.into());
        }
        match self.object.look().await {
            Ok(Some(found)) if self.state(Some(&found), wanted).current => Ok(found),
            Ok(_) => Err(error.into()),
            Err(_) => Err(Unmade { error, left: true }),
        }
    }

    /// Going back over what somebody else wrote since would undo their work.
    fn check_ours(&self, now: &Found, kept: &Kept) -> Result<(), CallError> {
        let changed = kept.written.iter().find(|(key, ours)| !Kept::same(now.data.get(*key), Some(ours)));
        match changed {
            None if now.metadata.uid == kept.uid || kept.uid.is_none() => Ok(()),
            None => Err(self.object.not_taken_back("was replaced by somebody else since")),
            Some((key, _)) => Err(self
                .object
                .not_taken_back(&format!("has another value under {key} since, of somebody else"))),
        }
    }
}

impl Change for Synchronisation<'_> {
    type State = ObjectState;

    async fn probe(&self) -> Result<ObjectState, CallError> {
        let (found, wanted) = tokio::join!(self.object.look(), self.wanted());
        let (found, wanted) = (found?, wanted?);
        let state = self.state(found.as_ref(), wanted);
        if !state.current {
            if found.as_ref().is_some_and(|found| found.immutable == Some(true)) {
                return Err(self.object.immutable());
            }
            // Rights, quota, admission: known before anything changes.
            self.write(found.as_ref(), true).await?;
        }
        // What is written later has another version, which nobody knows yet.
        let version = state.resource_version.clone().filter(|_| state.current);
        self.synced.versioned(self.call, version);
        Ok(state)
    }

    fn desired(&self, before: &ObjectState) -> ObjectState {
        if before.current {
            return before.clone();
        }
        let lengths = self.wanted.get().map(|wanted| {
            let length = |(key, value): (&String, &_)| (key.clone(), Some(self.object.length(value)));
            wanted.form.iter().map(length).collect()
        });
        ObjectState {
            uid: before.uid.clone(),
            resource_version: None,
            lengths: lengths.unwrap_or_default(),
            current: true,
        }
    }

    async fn apply(
        &self,
        before: &ObjectState,
        watcher: &dyn Watcher,
        _interrupt: &Interrupt,
    ) -> Result<ObjectState, Unmade> {
        if before.current {
            return Ok(before.clone());
        }
        let wanted = self.wanted().await?;
        let found = self.object.look().await?;
        if self.state(found.as_ref(), wanted) != *before {
            return Err(self.object.changed_meanwhile("").into());
        }
        if let Some(warning) = &wanted.read.warning {
            tracing::warn!("{warning}");
        }
        watcher.note("writing the object");
        let uid = found.as_ref().and_then(|found| found.metadata.uid.clone());
        let written = match self.write(found.as_ref(), false).await {
            Ok(written) => Ok(written),
            Err(error) => self.written_after_all(error, wanted).await,
        };
        // Kept whatever came of it: an answer that was lost is no proof that nothing was written.
        self.synced.keep(self.call, Kept::of(uid, found, &wanted.form));
        let after = self.state(Some(&written?), wanted);
        if !after.current {
            let error = CallError::Mismatch(format!(
                "{} does not hold what was written to it: something in the cluster changes it on its way (an admission \
                 webhook?)",
                self.object
            ));
            return Err(Unmade { error, left: true });
        }
        self.synced.versioned(self.call, after.resource_version.clone());
        Ok(after)
    }

    async fn undo(
        &self,
        before: &ObjectState,
        _after: Option<&ObjectState>,
        _watcher: &dyn Watcher,
    ) -> Result<(), CallError> {
        if before.current {
            return Ok(());
        }
        let Some(kept) = self.synced.take(self.call) else {
            return Err(self.object.not_taken_back(
                "had values that only the run which replaced them knew, in its memory; write the previous ones by hand",
            ));
        };
        let Some(now) = self.object.look().await? else {
            return if kept.previous.is_none() {
                Ok(())
            } else {
                Err(self.object.not_taken_back("was removed by somebody else since"))
            };
        };
        if kept.is_back(&now) {
            return Ok(());
        }
        self.check_ours(&now, &kept)?;
        if kept.made(&now) {
            return self.object.delete(&now).await;
        }
        self.object.patch(&now, kept.way_back(), false).await?;
        Ok(())
    }
}
