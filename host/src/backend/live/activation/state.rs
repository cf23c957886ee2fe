//! What an activation finds, and what it leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::REVISION_LABEL;
use crate::backend::live::docker::{ContainerFacts, ImageFacts};
use crate::backend::live::env_file::Stamp;
use crate::names::{Commit, PlainValue};

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

/// Something that is no longer as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// `the image name x:latest`.
    pub what: String,
    /// `it was …, now it is …`.
    pub how: String,
}

impl ActivationState {
    /// The first thing that is no longer as in `then`. Whether a container runs does not count: one that crashes again and
    /// again is still the same.
    pub fn difference(&self, then: &Self) -> Option<Difference> {
        let differ = |what: String, was: &str, now: &str| {
            (was != now).then(|| Difference { what, how: format!("it was {was}, now it is {now}") })
        };
        let container = |state: &Self| Running::shown(state.container.as_ref());
        differ("the container".to_owned(), &container(then), &container(self))
            .or_else(|| {
                let image = |image: Option<&String>| image.map_or("no image", String::as_str).to_owned();
                then.names.iter().find_map(|(name, was)| {
                    let now = image(self.names.get(name).and_then(Option::as_ref));
                    differ(format!("the image name {name}"), &image(was.as_ref()), &now)
                })
            })
            .or_else(|| {
                let text =
                    |value: Option<&PlainValue>| value.map_or("not there", PlainValue::as_str).to_owned();
                then.stamp.iter().find_map(|(key, was)| {
                    let now = text(self.stamp.get(key).and_then(Option::as_ref));
                    differ(format!("the stamp {key}"), &text(was.as_ref()), &now)
                })
            })
    }
}

/// The container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Nothing in a state to come: a recreated container gets a new one.
    pub id: Option<String>,
    /// What the engine calls its image.
    pub image: String,
    /// What its image says it was built from; nothing where the image says no commit.
    pub commit: Option<Commit>,
    /// Whether it runs, or the engine keeps starting it: a crash loop does not change this from one look to the next.
    pub up: bool,
}

impl Running {
    /// A container and its image. A label that is no commit says nothing of one.
    pub fn of(container: &ContainerFacts, image: Option<&ImageFacts>) -> Self {
        let revision = image.and_then(|image| image.labels.get(REVISION_LABEL));
        Self {
            id: Some(container.id.clone()),
            image: container.image.clone(),
            commit: revision.and_then(|revision| Commit::parse(revision).ok()),
            up: container.up,
        }
    }

    /// Whether it is the very same container.
    pub fn is(&self, container: &ContainerFacts) -> bool {
        self.id.as_deref() == Some(&container.id) && self.image == container.image
    }

    /// By what a container is known from one look to the next.
    fn shown(container: Option<&Self>) -> String {
        container.map_or_else(
            || "none".to_owned(),
            |one| format!("{} of image {}", one.id.as_deref().unwrap_or("a new one"), one.image),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::EnvKey;

    const COMMIT: &str = "1111111111111111111111111111111111111111";

    fn state() -> ActivationState {
        let key = EnvKey::parse("UNIDESK_X_DEPLOY_COMMIT").expect("a key");
        let commit = Some(Commit::parse(COMMIT).expect("a commit"));
        ActivationState {
            container: Some(Running {
                id: Some("c1".to_owned()),
                image: "sha256:1".to_owned(),
                commit,
                up: true,
            }),
            names: [("x:latest".to_owned(), None), ("x:1".to_owned(), Some("sha256:1".to_owned()))].into(),
            stamp: [(key, Some(PlainValue::parse("1").expect("plain")))].into(),
        }
    }

    fn facts(revision: Option<&str>) -> (ContainerFacts, ImageFacts) {
        let shown = serde_json::json!({
            "Id": "c1", "Name": "/x", "Image": "sha256:1", "State": {"Running": true},
            // Whoever writes the Compose file chooses a container's own labels.
            "Config": {"Labels": {(REVISION_LABEL): "2222222222222222222222222222222222222222"}}
        });
        let shown: bollard::models::ContainerInspectResponse = serde_json::from_value(shown).expect("shown");
        let labels = revision.map(|revision| (REVISION_LABEL.to_owned(), revision.to_owned()));
        let (id, labels) = ("sha256:1".to_owned(), labels.into_iter().collect());
        let image = ImageFacts { id, labels, layers: Vec::new() };
        (ContainerFacts::try_from(shown).expect("facts"), image)
    }

    #[test]
    fn it_comes_back_from_a_journal_as_it_went_in() {
        let text = serde_json::to_string(&state()).expect("JSON");
        assert_eq!(serde_json::from_str::<ActivationState>(&text).expect("state"), state());
    }

    #[test]
    fn what_runs_is_what_its_image_says() {
        let commit = |revision: Option<&str>| {
            let (container, image) = facts(revision);
            Running::of(&container, Some(&image)).commit.map(String::from)
        };
        assert_eq!(commit(Some(COMMIT)), Some(COMMIT.to_owned()));
        for without in [None, Some(""), Some("main"), Some("\u{1b}[2J")] {
            assert_eq!(commit(without), None);
        }
        let (container, _) = facts(None);
        let running = Running::of(&container, None);
        assert_eq!((running.commit.as_ref(), running.up, running.is(&container)), (None, true, true));
    }

    #[test]
    fn a_crash_loop_is_no_difference() {
        let mut now = state();
        now.container.as_mut().expect("one").up = false;
        assert_eq!(now.difference(&state()), None);
        assert_ne!(now, state());
    }

    #[test]
    fn each_difference_is_named() {
        let difference = |change: fn(&mut ActivationState)| {
            let mut now = state();
            change(&mut now);
            let Difference { what, how } = now.difference(&state()).expect("a difference");
            format!("{what}: {how}")
        };
        assert_eq!(
            difference(|now| now.container = None),
            "the container: it was c1 of image sha256:1, now it is none"
        );
        assert_eq!(
            difference(|now| now.container.as_mut().expect("one").id = Some("c2".to_owned())),
            "the container: it was c1 of image sha256:1, now it is c2 of image sha256:1"
        );
        assert_eq!(
            difference(|now| now.container.as_mut().expect("one").image = "sha256:2".to_owned()),
            "the container: it was c1 of image sha256:1, now it is c1 of image sha256:2"
        );
        assert_eq!(
            difference(|now| *now.names.get_mut("x:latest").expect("there") = Some("sha256:2".to_owned())),
            "the image name x:latest: it was no image, now it is sha256:2"
        );
        assert_eq!(
            difference(|now| now.names.clear()),
            "the image name x:1: it was sha256:1, now it is no image"
        );
        assert_eq!(
            difference(|now| now.stamp.values_mut().for_each(|value| *value = None)),
            "the stamp UNIDESK_X_DEPLOY_COMMIT: it was 1, now it is not there"
        );
    }
}
