//! Values on their way into an object of a cluster: the one thing that is done with them besides counting.

use super::{Place, Read, Sources, Unread, Values, command, document, file};
use crate::answer::CallError;
use crate::config::SecretSource;
use crate::names::{ConfigName, Pointer};
use crate::progress::Interrupt;

/// What was read of a source for an object.
pub struct Entries {
    /// By key of the object.
    pub values: Values,
    /// Something about the source that should be put right, though it stops nothing.
    pub warning: Option<String>,
}

impl Sources {
    /// The values at `entries` of `source`, by the key that each is to have. Reads the source anew.
    ///
    /// # Errors
    /// `NotFound` where there is no such source, `Invalid` where it has no pointers, `Other` where it cannot be read or
    /// one of the values is not there.
    pub async fn entries(
        &self,
        source: &ConfigName,
        entries: &[(Pointer, ConfigName)],
        interrupt: &Interrupt,
    ) -> Result<Entries, CallError> {
        let Some(configured) = self.configured.get(source).cloned() else {
            return Err(CallError::NotFound(format!(
                "host.toml has no [secrets.{source}]: add it, with json and pointer saying where the values are"
            )));
        };
        let place = Place::Configured(configured.clone());
        let words = place.words(false);
        let entries = entries.to_vec();
        let (words, read) = match configured {
            SecretSource::EnvFile(_) => {
                return Err(CallError::Invalid(format!(
                    "the secret source {source} ({words}) has lines, into which no JSON pointer leads; name a JSON file or \
                     a command in [secrets.{source}]"
                )));
            }
            SecretSource::Command { argv, pointer } => {
                let output = command::output(&argv, self.within, interrupt).await;
                let values = output.and_then(|output| {
                    let pointer = pointer.unwrap_or_else(Pointer::root);
                    Ok(document::entries(&output, &pointer, &entries)?)
                });
                (words, values.map(|values| Read { values, warning: None }))
            }
            SecretSource::Json { file: path, pointer } => {
                let read = move |_: &Place| {
                    let file = file::read(&path)?;
                    let values = document::entries(&file.content, &pointer, &entries)?;
                    Ok(Read { values, warning: file.warning })
                };
                self.local(place, read, interrupt).await
            }
        };
        let named = format!("the secret source {source} ({words})");
        match read {
            Ok(Read { values, warning }) => {
                let warning = warning.map(|warning| format!("{named}: {warning}"));
                Ok(Entries { values, warning })
            }
            Err(Unread::Because(why)) => {
                Err(CallError::Other(format!("{named} cannot be used: {why}; put it right there")))
            }
            Err(Unread::Interrupted) => Err(CallError::Other("interrupted".to_owned())),
        }
    }
}
