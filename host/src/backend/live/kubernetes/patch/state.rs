//! What a patch finds of a Deployment, and what it leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::Pair;
use crate::names::{Commit, Digest, EnvKey};
use crate::words::plain;

/// Longest text of a Deployment that a message repeats, in characters.
const SHOWN: usize = 200;

/// All Deployments of one patch, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchState {
    /// Each of them.
    pub deployments: Vec<Stands>,
}

/// Everything of one Deployment that a patch changes, and by what it is seen that somebody else changed it. Its
/// resourceVersion is not among it: every write of a status moves that. No value is a secret: the stamp is what deploys
/// write, and of any other entry of the environment nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    /// A Deployment of the same name that was made anew is another one.
    pub uid: String,
    /// Of the whole pod template in the one form of JSON; nothing in a state to come.
    pub template: Option<Digest>,
    /// Of the container, as it is written there.
    pub image: String,
    /// What the image's name says, or else the stamp.
    pub commit: Option<Commit>,
    /// The stamp in the container's environment: entries that are there in their order, then those that are not.
    pub env: Vec<(EnvKey, Option<Entry>)>,
    /// The stamp as annotations of the pod template.
    pub annotations: BTreeMap<EnvKey, Option<String>>,
    /// Annotations of the pod template that start pods again when an object has something new for them.
    #[serde(default)]
    pub restarts: BTreeMap<String, String>,
    /// What the last deploy wrote about itself.
    pub run: Option<String>,
}

/// Where an entry of an environment has its value from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// It stands there.
    Value(String),
    /// From a Secret, a `ConfigMap` or the pod's own fields: names, never what they hold.
    From(Value),
}

impl Stands {
    /// The same Deployment when it runs `image` of `commit` with `stamp`, and its pods have read what `restarts` tells of.
    pub fn with(
        &self,
        image: String,
        commit: &Commit,
        stamp: &[Pair<EnvKey>],
        restarts: &BTreeMap<String, String>,
    ) -> Self {
        let value =
            |key: &EnvKey| stamp.iter().find(|pair| pair.key == *key).map(|pair| pair.value.to_string());
        let wanted = Self {
            image,
            commit: Some(commit.clone()),
            env: self.env.iter().map(|(key, _)| (key.clone(), value(key).map(Entry::Value))).collect(),
            annotations: self.annotations.keys().map(|key| (key.clone(), value(key))).collect(),
            restarts: self.restarts.clone().into_iter().chain(restarts.clone()).collect(),
            ..self.clone()
        };
        // The API server alone knows what a changed template looks like.
        let template = self.template.clone().filter(|_| wanted.is_like(self));
        Self { template, ..wanted }
    }

    /// Whether what a patch writes into the template is the same in both.
    pub fn is_like(&self, other: &Self) -> bool {
        let sorted = |stands: &Self| -> BTreeMap<_, _> { stands.env.iter().cloned().collect() };
        self.image == other.image
            && self.annotations == other.annotations
            && self.restarts == other.restarts
            && sorted(self) == sorted(other)
    }

    /// What is no longer as in `then`, in words.
    pub fn difference(&self, then: &Self) -> Option<String> {
        let differ = |what: &str, was: &str, now: &str| {
            (was != now).then(|| format!("{what} was {}, now it is {}", plain(was, SHOWN), plain(now, SHOWN)))
        };
        let run = |stands: &Self| stands.run.clone().unwrap_or_else(|| "nothing".to_owned());
        if self.uid != then.uid {
            return Some("it was deleted and made anew".to_owned());
        }
        differ("its image", &then.image, &self.image)
            .or_else(|| (!self.is_like(then)).then(|| "its stamp was changed".to_owned()))
            .or_else(|| (self.template != then.template).then(|| "its pod template was changed".to_owned()))
            .or_else(|| differ("what the last deploy left", &run(then), &run(self)))
    }
}
