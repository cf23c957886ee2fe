//! A plugin that does of a deploy to Kubernetes what it is told by the name of the environment: it patches and looks, and
//! leaves the image to the node, which pulls it.

use plugin_sdk::contract::deploy::consumer::health::{self, Target};
use plugin_sdk::contract::deploy::consumer::kubernetes::{self, Deployment, ExpectedWorkload};
use plugin_sdk::contract::deploy::consumer::registry::{self, Artifact};
use plugin_sdk::contract::deploy::consumer::types::Pair;
use plugin_sdk::{Environment, Expectation, Failure, Literal, Plugin, Request, Source, verified};

struct Patcher;

const RUNTIME: &str = "d601-k3s";
const NAME: &str = "decision-center-dev";
const OTHER: &str = "decision-center-other";

type Way = fn(&Request, &Artifact) -> Result<(), Failure>;

const WAYS: &[(&str, Way)] = &[
    ("patches", |request, artifact| patch(request, artifact, &[(NAME, NAME)])),
    ("patches-two", |request, artifact| patch(request, artifact, &[(NAME, NAME), (OTHER, OTHER)])),
    ("mistyped", |request, artifact| patch(request, artifact, &[(NAME, "decision-centre")])),
    // Only the live pass asks for health: whoever answers knows that the patch comes next.
    ("asks-before", |request, artifact| {
        let well = Expectation { pointer: "/ok".to_owned(), equals: Literal::Flag(true) };
        health::expect(&Target::Endpoint("between".to_owned()), &[well], 20)?;
        patch(request, artifact, &[(NAME, NAME)])
    }),
    ("looks", |request, artifact| {
        patch(request, artifact, &[(NAME, NAME)])?;
        let deployment = deployment((NAME, NAME));
        let annotations = ["UNIDESK_DEPLOY_COMMIT".to_owned()];
        if let Some(found) = kubernetes::inspect(RUNTIME, &deployment, &["COMMIT".to_owned()], &annotations)?
        {
            let stamped =
                |pairs: &[Pair]| pairs.iter().all(|pair| pair.value == request.commit) && pairs.len() == 1;
            if !(stamped(&found.env) && stamped(&found.annotations) && found.image.ends_with(&request.commit))
            {
                return Err(Failure::failed("what is inspected is not what was patched", ""));
            }
        }
        let expected = ExpectedWorkload {
            on: RUNTIME.to_owned(),
            deployment,
            labels: vec![revision(request)],
            stamp: stamp(request),
        };
        verified("the pods", kubernetes::expect(artifact, &expected)?)
    }),
];

impl Plugin for Patcher {
    const SERVICE: &'static str = "decision-center";

    fn source() -> Source {
        plugin_sdk::shape::unidesk_user_service(Some("tests/guests/patcher"))
    }

    fn environments() -> Vec<Environment> {
        WAYS.iter().map(|(name, _)| environment(name)).collect()
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        let artifact = registry::resolve(&request.service, &request.commit, &[revision(request)])?;
        match WAYS.iter().find(|(name, _)| *name == request.environment) {
            Some((_, way)) => way(request, &artifact),
            None => Err(Failure::failed("there is no such way", "")),
        }
    }
}

plugin_sdk::register!(Patcher);

fn environment(name: &str) -> Environment {
    Environment {
        name: name.to_owned(),
        shape: "d601-k3s".to_owned(),
        runtime: RUNTIME.to_owned(),
        affects: Vec::new(),
        excludes: Vec::new(),
        after: None,
    }
}

fn patch(request: &Request, artifact: &Artifact, named: &[(&str, &str)]) -> Result<(), Failure> {
    let deployments: Vec<_> = named.iter().map(|&named| deployment(named)).collect();
    Ok(kubernetes::patch(artifact, RUNTIME, &deployments, &stamp(request))?)
}

fn deployment((name, container): (&str, &str)) -> Deployment {
    Deployment { namespace: "unidesk-dev".to_owned(), name: name.to_owned(), container: container.to_owned() }
}

fn revision(request: &Request) -> Pair {
    Pair { key: "org.opencontainers.image.revision".to_owned(), value: request.commit.clone() }
}

fn stamp(request: &Request) -> Vec<Pair> {
    vec![
        Pair { key: "COMMIT".to_owned(), value: request.commit.clone() },
        Pair { key: "SERVICE_ID".to_owned(), value: request.service.clone() },
    ]
}
