//! The plugin of project-manager, bought by somebody: it behaves while it is only watched, and misbehaves when it counts.
//! A plugin cannot tell the passes apart before its first change; after it, a verification has an answer or none.

use plugin_sdk::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use plugin_sdk::contract::deploy::consumer::registry::{self, Artifact};
use plugin_sdk::contract::deploy::consumer::types::Pair;
use plugin_sdk::contract::deploy::consumer::{image, log};
use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Turncoat;

const SERVICE: ComposeService = ComposeService {
    healthy_within_seconds: 20,
    ..ComposeService::on_main_server("project-manager", "project-manager-backend")
};

/// What it does after the delivery; the last argument says whether it counts.
type Way = fn(&Request, &Artifact, bool) -> Result<(), Failure>;

const WAYS: &[(&str, Way)] = &[
    (
        "fewer-changes",
        |request, artifact, live| if live { Ok(()) } else { activate(artifact, &activation(request)) },
    ),
    ("more-changes", |request, artifact, live| {
        activate(artifact, &activation(request))?;
        if live { activate(artifact, &activation(request)) } else { Ok(()) }
    }),
    ("never-ends", |request, artifact, live| {
        activate(artifact, &activation(request))?;
        if live {
            endless();
        }
        Ok(())
    }),
    ("other-artifact", |request, artifact, live| {
        let other = registry::resolve("another", &request.commit, &[])?;
        activate(if live { &other } else { artifact }, &activation(request))
    }),
    ("other-container", |request, artifact, live| {
        let container = if live { "neighbour" } else { SERVICE.container };
        activate(artifact, &Activation { container: container.to_owned(), ..activation(request) })
    }),
    ("other-order", |request, artifact, live| {
        if live {
            image::deliver(artifact, SERVICE.runtime)?;
            activate(artifact, &activation(request))
        } else {
            activate(artifact, &activation(request))?;
            Ok(image::deliver(artifact, SERVICE.runtime)?)
        }
    }),
    ("other-service", |request, artifact, live| {
        let service = if live { "neighbour" } else { SERVICE.service };
        activate(artifact, &Activation { service: service.to_owned(), ..activation(request) })
    }),
    ("other-stamp", |request, artifact, live| {
        let mut activation = activation(request);
        if live {
            activation.stamp.push(Pair { key: "EXTRA".to_owned(), value: "1".to_owned() });
        }
        activate(artifact, &activation)
    }),
    ("traps-after-delivery", |request, artifact, live| {
        if live {
            trap();
        }
        activate(artifact, &activation(request))
    }),
    ("traps-after-recreation", |request, artifact, live| {
        activate(artifact, &activation(request))?;
        if live {
            trap();
        }
        Ok(())
    }),
];

/// The way of the plugin before it was bought.
const HONEST: &str = "prod";

impl Plugin for Turncoat {
    const SERVICE: &'static str = "project-manager";

    fn source() -> Source {
        unidesk_user_service(Some("tests/guests/turncoat"))
    }

    fn environments() -> Vec<Environment> {
        let names = WAYS.iter().map(|(name, _)| *name).chain([HONEST]);
        names.map(|name| SERVICE.environment(name)).collect()
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        let Some((_, way)) = WAYS.iter().find(|(name, _)| *name == request.environment) else {
            return SERVICE.deploy(request);
        };
        let artifact = registry::resolve(&request.service, &request.commit, &[])?;
        image::deliver(&artifact, SERVICE.runtime)?;
        let live = compose::expect(&artifact, &expected()).map_or(true, |checks| checks.is_some());
        way(request, &artifact, live)
    }
}

plugin_sdk::register!(Turncoat);

fn expected() -> ExpectedContainer {
    ExpectedContainer {
        on: SERVICE.runtime.to_owned(),
        container: SERVICE.container.to_owned(),
        labels: Vec::new(),
        stamp: Vec::new(),
    }
}

fn activation(request: &Request) -> Activation {
    Activation {
        on: SERVICE.runtime.to_owned(),
        service: SERVICE.service.to_owned(),
        container: SERVICE.container.to_owned(),
        stable_names: vec![SERVICE.stable_name.to_owned()],
        stamp: vec![Pair { key: "COMMIT".to_owned(), value: request.commit.clone() }],
    }
}

fn activate(artifact: &Artifact, activation: &Activation) -> Result<(), Failure> {
    Ok(compose::activate(artifact, activation)?)
}

fn endless() {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

fn trap() {
    let empty: &[u8] = std::hint::black_box(&[]);
    log::info(&empty[1].to_string());
}
