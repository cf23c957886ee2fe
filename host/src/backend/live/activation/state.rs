//! What an activation finds, and what it leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backend::live::docker::ContainerFacts;
use crate::backend::live::env_file::Stamp;

/// Image names with their tag, and what the engine calls the image behind each; nothing for a name that no image has.
pub type Names = BTreeMap<String, Option<String>>;

/// Everything that an activation changes. No value in it is a secret: the stamp is what deploys write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationState {
    /// The service's container; nothing where there is none.
    pub container: Option<Running>,
    /// The stable names, as `latest` and with the commit.
    pub names: Names,
    /// The service's entries of the controlled env file.
    pub stamp: Stamp,
}

/// The container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Nothing in a state to come: a recreated container gets a new one.
    pub id: Option<String>,
    /// What the engine calls its image.
    pub image: String,
    /// Whether it runs, or the engine keeps starting it: a crash loop does not change this from one look to the next.
    pub up: bool,
}

impl From<&ContainerFacts> for Running {
    fn from(facts: &ContainerFacts) -> Self {
        Self { id: Some(facts.id.clone()), image: facts.image.clone(), up: facts.up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{EnvKey, PlainValue};

    #[test]
    fn it_comes_back_from_a_journal_as_it_went_in() {
        let key = EnvKey::parse("UNIDESK_X_DEPLOY_COMMIT").expect("a key");
        let state = ActivationState {
            container: Some(Running { id: None, image: "sha256:1".to_owned(), up: true }),
            names: [("x:latest".to_owned(), None), ("x:1".to_owned(), Some("sha256:1".to_owned()))].into(),
            stamp: [(key, Some(PlainValue::parse("1").expect("plain")))].into(),
        };
        let text = serde_json::to_string(&state).expect("JSON");
        assert_eq!(serde_json::from_str::<ActivationState>(&text).expect("state"), state);
    }
}
