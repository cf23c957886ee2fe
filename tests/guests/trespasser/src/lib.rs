//! A plugin that names what belongs to project-manager: one kind of resource in each environment, all else its own.

#![allow(clippy::assigning_clones, clippy::needless_pass_by_value, reason = "the rows are read as a table")]

use plugin_sdk::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use plugin_sdk::contract::deploy::consumer::health::{self, Contained, Proxied, Target};
use plugin_sdk::contract::deploy::consumer::kubernetes::{self, Deployment, Mapping, ObjectKind, SyncObject};
use plugin_sdk::contract::deploy::consumer::registry::{self, Artifact};
use plugin_sdk::contract::deploy::consumer::types::{Error, Expectation, Literal, Pair};
use plugin_sdk::contract::deploy::consumer::{guard, image};
use plugin_sdk::shape::unidesk_user_service;
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Trespasser;

const OWN: &str = "trespasser";
const OTHER: &str = "project-manager";
const OTHER_CONTAINER: &str = "project-manager-backend";
const MAIN_SERVER: &str = "main-server";
const K3S: &str = "d601-k3s";

type Way = fn(&Request, &Artifact) -> Result<(), Error>;

const WAYS: &[(&str, Way)] = &[
    ("activates-container", |_, artifact| activate(artifact, |it| it.container = OTHER_CONTAINER.to_owned())),
    ("activates-image", |_, artifact| activate(artifact, |it| it.stable_names.push(OTHER.to_owned()))),
    ("activates-service", |_, artifact| activate(artifact, |it| it.service = OTHER.to_owned())),
    ("asks-health-of-container", |_, _| {
        healthy(Target::Container(Contained {
            on: MAIN_SERVER.to_owned(),
            container: OTHER_CONTAINER.to_owned(),
            port: 8080,
            path: "/health".to_owned(),
            with_stamp: false,
        }))
    }),
    ("asks-health-of-endpoint", |_, _| healthy(Target::Endpoint(OTHER.to_owned()))),
    ("asks-health-of-service", |_, _| {
        healthy(Target::Service(Proxied {
            on: K3S.to_owned(),
            namespace: "unidesk".to_owned(),
            service: OTHER.to_owned(),
            port: "http".to_owned(),
            path: "/health".to_owned(),
        }))
    }),
    ("awaits-rollout", |_, _| kubernetes::await_rollout(K3S, &deployment(), 1).map(drop)),
    ("delivers-elsewhere", |_, artifact| image::deliver(artifact, "d601")),
    ("expects-container", |_, artifact| {
        let expected = ExpectedContainer {
            on: MAIN_SERVER.to_owned(),
            container: OTHER_CONTAINER.to_owned(),
            labels: Vec::new(),
            stamp: Vec::new(),
        };
        compose::expect(artifact, &expected).map(drop)
    }),
    ("inspects-container", |_, _| compose::inspect(MAIN_SERVER, OTHER_CONTAINER, &[], &[]).map(drop)),
    ("inspects-deployment", |_, _| kubernetes::inspect(K3S, &deployment(), &[], &[]).map(drop)),
    ("patches-deployment", |_, artifact| kubernetes::patch(artifact, K3S, &[deployment()], &[])),
    ("requires-secrets", |_, _| guard::require_secrets(OTHER, &["TOKEN".to_owned()])),
    ("resolves", |request, _| registry::resolve(OTHER, &request.commit, &[]).map(drop)),
    ("stamps", |_, artifact| {
        let stamp = Pair { key: "COMMIT".to_owned(), value: "x".to_owned() };
        activate(artifact, |it| it.stamp.push(stamp))
    }),
    ("syncs-from", |_, _| sync(OWN, OTHER)),
    ("syncs-to", |_, _| sync(OTHER, OWN)),
];

impl Plugin for Trespasser {
    const SERVICE: &'static str = OWN;

    fn source() -> Source {
        unidesk_user_service(Some("tests/guests/trespasser"))
    }

    fn environments() -> Vec<Environment> {
        WAYS.iter()
            .map(|(name, _)| Environment {
                name: (*name).to_owned(),
                shape: "main-server-compose".to_owned(),
                runtime: MAIN_SERVER.to_owned(),
                affects: Vec::new(),
                excludes: Vec::new(),
                after: None,
            })
            .collect()
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        let artifact = registry::resolve(&request.service, &request.commit, &[])?;
        let way = WAYS.iter().find(|(name, _)| *name == request.environment);
        let Some((_, way)) = way else { return Err(Failure::failed("no such way", "")) };
        Ok(way(request, &artifact)?)
    }
}

plugin_sdk::register!(Trespasser);

/// Its own service, but for what `change` says.
fn activate(artifact: &Artifact, change: impl FnOnce(&mut Activation)) -> Result<(), Error> {
    let mut activation = Activation {
        on: MAIN_SERVER.to_owned(),
        service: OWN.to_owned(),
        container: OWN.to_owned(),
        stable_names: vec![OWN.to_owned()],
        stamp: Vec::new(),
    };
    change(&mut activation);
    compose::activate(artifact, &activation)
}

fn healthy(target: Target) -> Result<(), Error> {
    let expectation = Expectation { pointer: "/ok".to_owned(), equals: Literal::Flag(true) };
    health::expect(&target, &[expectation], 1).map(drop)
}

fn deployment() -> Deployment {
    Deployment { namespace: "unidesk".to_owned(), name: OTHER.to_owned(), container: OTHER.to_owned() }
}

/// Values of a source into an object.
fn sync(object: &str, source: &str) -> Result<(), Error> {
    kubernetes::sync(&SyncObject {
        on: K3S.to_owned(),
        kind: ObjectKind::Secret,
        namespace: "unidesk".to_owned(),
        name: object.to_owned(),
        source: source.to_owned(),
        entries: vec![Mapping { from_pointer: "/token".to_owned(), to_key: "TOKEN".to_owned() }],
    })
}
