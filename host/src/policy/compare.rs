//! Which rules two policies do not have in common.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Place, Policy};

/// A rule that is otherwise in another policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedRule {
    /// Its `@id`.
    pub id: String,
    /// In what way.
    pub change: Change,
    /// Where it stands, in the policy that has it, or in the new one.
    pub place: Place,
    /// What it says of itself there.
    pub reason: String,
    /// As it was; nothing where it is new.
    pub was: Option<String>,
    /// As it is; nothing where it was removed.
    pub is: Option<String>,
}

/// In what way a rule is otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It is there no more.
    Removed,
    /// It says something else.
    Changed,
}

impl Policy {
    /// The rules that `new` has otherwise than this, by id. Comments, layout and the file make no difference.
    #[must_use]
    pub fn changed_rules(&self, new: &Self) -> Vec<ChangedRule> {
        let ids: BTreeSet<&str> = self.rules.iter().chain(new.rules.iter()).map(|(id, _)| id).collect();
        let changed = |id: &str| {
            let said = |policy: &Self| {
                let (_, rule) = policy.rules.iter().find(|(other, _)| *other == id)?;
                Some((rule.to_json().ok(), rule.to_cedar()))
            };
            let (was, is) = (said(self), said(new));
            let change = match (&was, &is) {
                (None, Some(_)) => Change::Added,
                (Some(_), None) => Change::Removed,
                (Some((was, _)), Some((is, _))) if was != is => Change::Changed,
                _ => return None,
            };
            let facts = new.rule(id).or_else(|| self.rule(id))?;
            Some(ChangedRule {
                id: facts.id,
                change,
                place: facts.place,
                reason: facts.reason,
                was: was.and_then(|(_, text)| text),
                is: is.and_then(|(_, text)| text),
            })
        };
        ids.into_iter().filter_map(changed).collect()
    }
}
