//! The ways in which the specification's services are deployed.

mod compose;
mod kubernetes;

pub use compose::ComposeService;
pub use kubernetes::{KubernetesService, Synced};

pub use crate::contract::deploy::consumer::kubernetes::ObjectKind;

use crate::contract::deploy::consumer::types::{Expectation, Literal, Pair};
use crate::{Environment, Request, Source};

/// The source of everything that lives in the `UniDesk` repository.
pub const UNIDESK: &str = "UniDesk";
/// What CI writes into the source label of an image that was built from it.
pub const UNIDESK_URL: &str = "https://github.com/pikasTech/unidesk";
/// The CI command that publishes the artifacts of user services.
pub const USER_SERVICE_PRODUCER: &str = "ci publish-user-service";

/// A service of the `UniDesk` repository that CI publishes as a user service; of some it is not written which Dockerfile.
#[must_use]
pub fn unidesk_user_service(dockerfile: Option<&str>) -> Source {
    Source {
        repository: UNIDESK.to_owned(),
        dockerfile: dockerfile.map(str::to_owned),
        producer: USER_SERVICE_PRODUCER.to_owned(),
    }
}

/// A service that keeps a repository of its own, which CI publishes in the same way.
#[must_use]
pub fn external_user_service(repository: &str, dockerfile: &str) -> Source {
    Source { repository: repository.to_owned(), ..unidesk_user_service(Some(dockerfile)) }
}

fn environment(name: &str, shape: &str, runtime: &str) -> Environment {
    Environment {
        name: name.to_owned(),
        shape: shape.to_owned(),
        runtime: runtime.to_owned(),
        affects: Vec::new(),
        excludes: Vec::new(),
        after: None,
    }
}

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.to_owned(), value: value.to_owned() }
}

/// Labels that every artifact carries (specification: they name the service's source and revision).
fn required_labels(request: &Request, source_url: &str) -> Vec<Pair> {
    vec![
        pair("org.opencontainers.image.revision", &request.commit),
        pair("org.opencontainers.image.source", source_url),
    ]
}

/// The stamp: suffixes are the same for every service and shape.
fn stamp(request: &Request, source_url: &str) -> Vec<Pair> {
    vec![
        pair("COMMIT", &request.commit),
        pair("REQUESTED_COMMIT", &request.commit),
        pair("SERVICE_ID", &request.service),
        pair("SOURCE_REPO", source_url),
    ]
}

/// The two commits that every health payload must carry.
fn live_commit(request: &Request) -> Vec<Expectation> {
    ["/deploy/commit", "/deploy/requestedCommit"]
        .map(|pointer| Expectation {
            pointer: pointer.to_owned(),
            equals: Literal::Text(request.commit.clone()),
        })
        .into()
}

/// Each pointer must hold `true`; the text `"true"` is something else.
#[must_use]
pub fn flags(pointers: &[&str]) -> Vec<Expectation> {
    let flag = |&pointer: &&str| Expectation { pointer: pointer.to_owned(), equals: Literal::Flag(true) };
    pointers.iter().map(flag).collect()
}

/// Nothing may stand at any of the pointers.
#[must_use]
pub fn absent(pointers: &[&str]) -> Vec<Expectation> {
    let absent = |&pointer: &&str| Expectation { pointer: pointer.to_owned(), equals: Literal::Absent };
    pointers.iter().map(absent).collect()
}
