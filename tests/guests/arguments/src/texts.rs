//! Every argument of the contract that is a text.

use plugin_sdk::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use plugin_sdk::contract::deploy::consumer::health::{self, Contained, Proxied, Target};
use plugin_sdk::contract::deploy::consumer::kubernetes::{self, Deployment, Mapping, ObjectKind, SyncObject};
use plugin_sdk::contract::deploy::consumer::registry::Artifact;
use plugin_sdk::contract::deploy::consumer::types::{Error, Expectation, Literal, Pair};
use plugin_sdk::contract::deploy::consumer::{guard, image, log, registry};

use super::FillText;

/// Each by its name.
pub const ALL: &[(&str, FillText)] = &[
    ("registry.resolve service", |_, text| registry::resolve(text, &commit(), &[]).map(drop)),
    ("registry.resolve commit", |_, text| registry::resolve("x", text, &[]).map(drop)),
    ("registry.resolve label key", |_, text| registry::resolve("x", &commit(), &[pair(text, "x")]).map(drop)),
    ("registry.resolve label value", |_, text| {
        registry::resolve("x", &commit(), &[pair("x", text)]).map(drop)
    }),
    ("image.deliver to", |artifact, text| image::deliver(artifact, text)),
    ("compose.activate on", |artifact, text| activate(artifact, |it| it.on = text.to_owned())),
    ("compose.activate service", |artifact, text| activate(artifact, |it| it.service = text.to_owned())),
    ("compose.activate container", |artifact, text| activate(artifact, |it| it.container = text.to_owned())),
    ("compose.activate stable name", |artifact, text| {
        activate(artifact, |it| it.stable_names = vec![text.to_owned()])
    }),
    ("compose.activate stamp key", |artifact, text| {
        activate(artifact, |it| it.stamp = vec![pair(text, "x")])
    }),
    ("compose.activate stamp value", |artifact, text| {
        activate(artifact, |it| it.stamp = vec![pair("X", text)])
    }),
    ("compose.inspect on", |_, text| compose::inspect(text, "x", &[], &[]).map(drop)),
    ("compose.inspect container", |_, text| compose::inspect("x", text, &[], &[]).map(drop)),
    ("compose.inspect label", |_, text| compose::inspect("x", "x", &[text.to_owned()], &[]).map(drop)),
    ("compose.inspect env", |_, text| compose::inspect("x", "x", &[], &[text.to_owned()]).map(drop)),
    ("compose.expect on", |artifact, text| expect(artifact, |it| it.on = text.to_owned())),
    ("compose.expect container", |artifact, text| expect(artifact, |it| it.container = text.to_owned())),
    ("compose.expect label key", |artifact, text| expect(artifact, |it| it.labels = vec![pair(text, "x")])),
    ("compose.expect label value", |artifact, text| expect(artifact, |it| it.labels = vec![pair("x", text)])),
    ("compose.expect stamp key", |artifact, text| expect(artifact, |it| it.stamp = vec![pair(text, "x")])),
    ("compose.expect stamp value", |artifact, text| expect(artifact, |it| it.stamp = vec![pair("X", text)])),
    ("kubernetes.patch on", |artifact, text| kubernetes::patch(artifact, text, &[deployment()], &[])),
    ("kubernetes.patch namespace", |artifact, text| {
        kubernetes::patch(artifact, "x", &[Deployment { namespace: text.to_owned(), ..deployment() }], &[])
    }),
    ("kubernetes.patch name", |artifact, text| {
        kubernetes::patch(artifact, "x", &[Deployment { name: text.to_owned(), ..deployment() }], &[])
    }),
    ("kubernetes.patch container", |artifact, text| {
        kubernetes::patch(artifact, "x", &[Deployment { container: text.to_owned(), ..deployment() }], &[])
    }),
    ("kubernetes.patch stamp key", |artifact, text| {
        kubernetes::patch(artifact, "x", &[deployment()], &[pair(text, "x")])
    }),
    ("kubernetes.patch stamp value", |artifact, text| {
        kubernetes::patch(artifact, "x", &[deployment()], &[pair("X", text)])
    }),
    ("kubernetes.await-rollout on", |_, text| kubernetes::await_rollout(text, &deployment(), 1).map(drop)),
    ("kubernetes.await-rollout namespace", |_, text| {
        kubernetes::await_rollout("x", &Deployment { namespace: text.to_owned(), ..deployment() }, 1)
            .map(drop)
    }),
    ("kubernetes.await-rollout container", |_, text| {
        kubernetes::await_rollout("x", &Deployment { container: text.to_owned(), ..deployment() }, 1)
            .map(drop)
    }),
    ("kubernetes.await-rollout name", |_, text| {
        kubernetes::await_rollout("x", &Deployment { name: text.to_owned(), ..deployment() }, 1).map(drop)
    }),
    ("kubernetes.inspect on", |_, text| kubernetes::inspect(text, &deployment(), &[], &[]).map(drop)),
    ("kubernetes.inspect namespace", |_, text| {
        kubernetes::inspect("x", &Deployment { namespace: text.to_owned(), ..deployment() }, &[], &[])
            .map(drop)
    }),
    ("kubernetes.inspect container", |_, text| {
        kubernetes::inspect("x", &Deployment { container: text.to_owned(), ..deployment() }, &[], &[])
            .map(drop)
    }),
    ("kubernetes.inspect name", |_, text| {
        kubernetes::inspect("x", &Deployment { name: text.to_owned(), ..deployment() }, &[], &[]).map(drop)
    }),
    ("kubernetes.inspect env", |_, text| {
        kubernetes::inspect("x", &deployment(), &[text.to_owned()], &[]).map(drop)
    }),
    ("kubernetes.inspect annotation", |_, text| {
        kubernetes::inspect("x", &deployment(), &[], &[text.to_owned()]).map(drop)
    }),
    ("kubernetes.sync on", |_, text| sync(|it| it.on = text.to_owned())),
    ("kubernetes.sync namespace", |_, text| sync(|it| it.namespace = text.to_owned())),
    ("kubernetes.sync name", |_, text| sync(|it| it.name = text.to_owned())),
    ("kubernetes.sync source", |_, text| sync(|it| it.source = text.to_owned())),
    ("kubernetes.sync pointer", |_, text| {
        sync(|it| it.entries = vec![Mapping { from_pointer: text.to_owned(), to_key: "x".to_owned() }])
    }),
    ("kubernetes.sync key", |_, text| {
        sync(|it| it.entries = vec![Mapping { from_pointer: String::new(), to_key: text.to_owned() }])
    }),
    ("health.expect endpoint", |_, text| healthy(Target::Endpoint(text.to_owned()))),
    ("health.expect service on", |_, text| {
        healthy(Target::Service(Proxied { on: text.to_owned(), ..proxied() }))
    }),
    ("health.expect service namespace", |_, text| {
        healthy(Target::Service(Proxied { namespace: text.to_owned(), ..proxied() }))
    }),
    ("health.expect service name", |_, text| {
        healthy(Target::Service(Proxied { service: text.to_owned(), ..proxied() }))
    }),
    ("health.expect service port", |_, text| {
        healthy(Target::Service(Proxied { port: text.to_owned(), ..proxied() }))
    }),
    ("health.expect service path", |_, text| {
        healthy(Target::Service(Proxied { path: text.to_owned(), ..proxied() }))
    }),
    ("health.expect container on", |_, text| {
        healthy(Target::Container(Contained { on: text.to_owned(), ..contained() }))
    }),
    ("health.expect container name", |_, text| {
        healthy(Target::Container(Contained { container: text.to_owned(), ..contained() }))
    }),
    ("health.expect container path", |_, text| {
        healthy(Target::Container(Contained { path: text.to_owned(), ..contained() }))
    }),
    ("health.expect pointer", |_, text| {
        let expectation = Expectation { pointer: text.to_owned(), equals: Literal::Absent };
        health::expect(&Target::Container(contained()), &[expectation], 1).map(drop)
    }),
    ("health.expect text", |_, text| {
        let expectation = Expectation { pointer: String::new(), equals: Literal::Text(text.to_owned()) };
        health::expect(&Target::Container(contained()), &[expectation], 1).map(drop)
    }),
    ("guard.require-secrets source", |_, text| guard::require_secrets(text, &["X".to_owned()])),
    ("guard.require-secrets key", |_, text| guard::require_secrets("x", &[text.to_owned()])),
    ("guard.require-approval role", |_, text| guard::require_approval(&[text.to_owned()])),
    ("guard.require-outside workload", |_, text| guard::require_outside(&[text.to_owned()])),
    ("guard.hold reason", |_, text| guard::hold(text)),
    ("log.info message", |_, text| {
        log::info(text);
        Ok(())
    }),
];

/// The one commit that may be resolved.
pub fn commit() -> String {
    super::COMMIT.get().cloned().unwrap_or_default()
}

pub fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.to_owned(), value: value.to_owned() }
}

pub fn activate(artifact: &Artifact, change: impl FnOnce(&mut Activation)) -> Result<(), Error> {
    let mut activation = Activation {
        on: "x".to_owned(),
        service: "x".to_owned(),
        container: "x".to_owned(),
        stable_names: vec!["x".to_owned()],
        stamp: Vec::new(),
    };
    change(&mut activation);
    compose::activate(artifact, &activation)
}

pub fn expect(artifact: &Artifact, change: impl FnOnce(&mut ExpectedContainer)) -> Result<(), Error> {
    let mut expected = ExpectedContainer {
        on: "x".to_owned(),
        container: "x".to_owned(),
        labels: Vec::new(),
        stamp: Vec::new(),
    };
    change(&mut expected);
    compose::expect(artifact, &expected).map(drop)
}

pub fn deployment() -> Deployment {
    Deployment { namespace: "x".to_owned(), name: "x".to_owned(), container: "x".to_owned() }
}

pub fn sync(change: impl FnOnce(&mut SyncObject)) -> Result<(), Error> {
    let mut object = SyncObject {
        on: "x".to_owned(),
        kind: ObjectKind::Secret,
        namespace: "x".to_owned(),
        name: "x".to_owned(),
        source: "x".to_owned(),
        entries: Vec::new(),
    };
    change(&mut object);
    kubernetes::sync(&object)
}

fn proxied() -> Proxied {
    Proxied {
        on: "x".to_owned(),
        namespace: "x".to_owned(),
        service: "x".to_owned(),
        port: "x".to_owned(),
        path: "/x".to_owned(),
    }
}

pub fn contained() -> Contained {
    Contained {
        on: "x".to_owned(),
        container: "x".to_owned(),
        port: 1,
        path: "/x".to_owned(),
        with_stamp: false,
    }
}

fn healthy(target: Target) -> Result<(), Error> {
    let expectation = Expectation { pointer: String::new(), equals: Literal::Absent };
    health::expect(&target, &[expectation], 1).map(drop)
}
