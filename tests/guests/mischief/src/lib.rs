//! A plugin that misbehaves: the environment that it is deployed to names how. Each way has a test in `tests/e2e`, which
//! holds this list against its own.

#![allow(clippy::unnecessary_wraps, reason = "all ways have one type")]

use plugin_sdk::contract::deploy::consumer::compose::{self, Activation};
use plugin_sdk::contract::deploy::consumer::health::{self, Target};
use plugin_sdk::contract::deploy::consumer::kubernetes::{self, Deployment};
use plugin_sdk::contract::deploy::consumer::registry::Artifact;
use plugin_sdk::contract::deploy::consumer::types::{Expectation, Literal, Pair};
use plugin_sdk::contract::deploy::consumer::{guard, image, log, registry};
use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Mischief;

/// What it does where it behaves: the same service that project-manager's plugin deploys.
const SERVICE: ComposeService = ComposeService {
    healthy_within_seconds: 20,
    ..ComposeService::on_main_server("project-manager", "project-manager-backend")
};

type Way = fn(&Request) -> Result<(), Failure>;

const WAYS: &[(&str, Way)] = &[
    ("another-commit", another_commit),
    ("approval", approval),
    ("diverge", diverge),
    ("endless-calls", endless_calls),
    ("endless-loop", endless_loop),
    ("endless-recursion", endless_recursion),
    ("endless-refusals", endless_refusals),
    ("foreign-stamp", foreign_stamp),
    ("forged-stamp", forged_stamp),
    ("hold", hold),
    ("huge-call", huge_call),
    ("kubernetes", patches_kubernetes),
    ("log-flood", log_flood),
    ("memory", memory),
    ("nothing", |_| Ok(())),
    ("other-container", other_container),
    ("reads-a-secret", reads_a_secret),
    ("secrets", secrets),
    ("trap", trap),
    ("unverified", |request| activated(request).map(|_| ())),
];

impl Plugin for Mischief {
    const SERVICE: &'static str = "mischief";

    fn source() -> Source {
        unidesk_user_service(Some("tests/guests/mischief"))
    }

    fn environments() -> Vec<Environment> {
        WAYS.iter().map(|(name, _)| SERVICE.environment(name)).collect()
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        let way = WAYS.iter().find(|(name, _)| *name == request.environment);
        way.map_or_else(|| Err(Failure::failed("no such way", "")), |(_, way)| way(request))
    }
}

plugin_sdk::register!(Mischief);

fn resolved(request: &Request) -> Result<Artifact, Failure> {
    Ok(registry::resolve(&request.service, &request.commit, &[])?)
}

fn activation(container: &str) -> Activation {
    Activation {
        on: SERVICE.runtime.to_owned(),
        service: SERVICE.service.to_owned(),
        container: container.to_owned(),
        stable_names: vec![SERVICE.stable_name.to_owned()],
        stamp: Vec::new(),
    }
}

/// Everything but the verification.
fn activated(request: &Request) -> Result<Artifact, Failure> {
    let artifact = resolved(request)?;
    image::deliver(&artifact, SERVICE.runtime)?;
    compose::activate(&artifact, &activation(SERVICE.container))?;
    Ok(artifact)
}

fn another_commit(request: &Request) -> Result<(), Failure> {
    let other: String = request.commit.chars().rev().collect();
    registry::resolve(&request.service, &other, &[])?;
    Ok(())
}

fn approval(request: &Request) -> Result<(), Failure> {
    guard::require_approval(&["supervisor".to_owned()])?;
    SERVICE.deploy(request)
}

fn secrets(request: &Request) -> Result<(), Failure> {
    guard::require_secrets("mischief", &["TOKEN".to_owned()])?;
    SERVICE.deploy(request)
}

/// Looks for what is in the container's environment, and tells everybody what it got.
fn reads_a_secret(_: &Request) -> Result<(), Failure> {
    let label = "org.opencontainers.image.revision".to_owned();
    let keys = ["CLIENT_SECRET", "SAMPLE_COMMIT", "PATH"].map(str::to_owned);
    let got = match compose::inspect(SERVICE.runtime, SERVICE.container, &[label], &keys)? {
        None => "no container".to_owned(),
        Some(container) => {
            let env: Vec<String> =
                container.env.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
            format!("{} labels and {} env: {}", container.labels.len(), env.len(), env.join(" "))
        }
    };
    Err(Failure::failed(format!("got {got}"), ""))
}

fn hold(request: &Request) -> Result<(), Failure> {
    guard::hold("the registered Dockerfile and the service contract disagree")?;
    SERVICE.deploy(request)
}

/// Behaves while it is only watched: a verification without an answer is the watched pass.
fn diverge(request: &Request) -> Result<(), Failure> {
    let artifact = activated(request)?;
    let expectation = Expectation { pointer: "/ok".to_owned(), equals: Literal::Flag(true) };
    let target = Target::Container(health::Contained {
        on: SERVICE.runtime.to_owned(),
        container: SERVICE.container.to_owned(),
        port: SERVICE.health_port,
        path: SERVICE.health_path.to_owned(),
        with_stamp: false,
    });
    if health::expect(&target, &[expectation], 10)?.is_some() {
        compose::activate(&artifact, &activation("another-container"))?;
    }
    Ok(())
}

fn other_container(request: &Request) -> Result<(), Failure> {
    let artifact = resolved(request)?;
    image::deliver(&artifact, SERVICE.runtime)?;
    compose::activate(&artifact, &activation("database"))?;
    Ok(())
}

fn forged_stamp(request: &Request) -> Result<(), Failure> {
    let artifact = resolved(request)?;
    let stamp = vec![Pair { key: "COMMIT".to_owned(), value: "x\nCOMPOSE_FILE=other.yml".to_owned() }];
    compose::activate(&artifact, &Activation { stamp, ..activation(SERVICE.container) })?;
    Ok(())
}

fn patches_kubernetes(request: &Request) -> Result<(), Failure> {
    let artifact = resolved(request)?;
    let deployment = Deployment {
        namespace: "unidesk".to_owned(),
        name: "mischief".to_owned(),
        container: "mischief".to_owned(),
    };
    kubernetes::patch(&artifact, "d601-k3s", std::slice::from_ref(&deployment), &[])?;
    kubernetes::await_rollout("d601-k3s", &deployment, 10)?;
    Ok(())
}

fn trap(_: &Request) -> Result<(), Failure> {
    let empty: &[u8] = std::hint::black_box(&[]);
    log::info(&empty[1].to_string());
    Ok(())
}

fn endless_loop(_: &Request) -> Result<(), Failure> {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

fn endless_recursion(_: &Request) -> Result<(), Failure> {
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn deeper(depth: u64) -> u64 {
        std::hint::black_box(deeper(std::hint::black_box(depth) + 1)) + 1
    }
    log::info(&deeper(0).to_string());
    Ok(())
}

fn memory(_: &Request) -> Result<(), Failure> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

fn endless_calls(request: &Request) -> Result<(), Failure> {
    loop {
        resolved(request)?;
    }
}

/// Calls that are refused before they are counted as operations.
fn endless_refusals(_: &Request) -> Result<(), Failure> {
    loop {
        let _ = registry::resolve("--privileged", "latest", &[]);
    }
}

/// Keys of the env file that mean something to others.
fn foreign_stamp(request: &Request) -> Result<(), Failure> {
    let artifact = resolved(request)?;
    let keys = ["COMPOSE_FILE", "PATH", "UNIDESK_PROJECT_MANAGER", "DEPLOY_COMMIT"];
    for keys in [&keys[..3], &keys[3..]] {
        let pair = |key: &&str| Pair { key: (*key).to_owned(), value: "x".to_owned() };
        let stamp = keys.iter().map(pair).collect();
        compose::activate(&artifact, &Activation { stamp, ..activation(SERVICE.container) })?;
    }
    Ok(())
}

/// What a terminal obeys: C0, C1, commands, titles, links, directions, and what nobody sees.
const HOSTILE: &[&str] = &[
    "clear \x1b[2J\x1b[H",
    "title \x1b]0;owned\x07",
    "link \x1b]8;;http://evil/\x1b\\here\x1b]8;;\x1b\\",
    "colour \x1b[8m\x1b[31m",
    "C1 \u{9b}2J\u{9d}0;owned\u{9c}\u{90}",
    "over\rwritten\x08\x08 \x7f",
    "another\nline\u{2028}and\u{2029}paragraph",
    "turned \u{202e}txt.exe\u{2066}\u{2069}\u{61c}",
    "hidden \u{200b}\u{200d}\u{feff}\u{ad}\u{e0041}",
    "NUL \0 bell \x07 shift \x0e",
];

fn log_flood(_: &Request) -> Result<(), Failure> {
    for hostile in HOSTILE {
        log::info(hostile);
    }
    log::info(&"line that never ends ".repeat(1000));
    for _ in 0..10_000 {
        log::info("\x1b[2J\x1b]0;owned\x07 line after line");
    }
    for _ in 0..10_000 {
        log::info("");
    }
    Err(Failure::failed(HOSTILE.concat(), HOSTILE.concat()))
}

fn huge_call(_: &Request) -> Result<(), Failure> {
    log::info(&"x".repeat(1 << 20));
    Ok(())
}
