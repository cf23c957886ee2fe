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
