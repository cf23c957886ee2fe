//! Every argument of the contract that is a list.

use plugin_sdk::contract::deploy::consumer::health::{self, Target};
use plugin_sdk::contract::deploy::consumer::kubernetes::{self, Mapping};
use plugin_sdk::contract::deploy::consumer::types::{Expectation, Literal, Pair};
use plugin_sdk::contract::deploy::consumer::{compose, guard, registry};

use super::FillList;
use super::texts::{activate, commit, contained, deployment, expect, pair, sync};

/// Each by its name.
pub const ALL: &[(&str, FillList)] = &[
    ("registry.resolve labels", |_, entries| registry::resolve("x", &commit(), &pairs(entries)).map(drop)),
    ("compose.activate stable names", |artifact, entries| {
        activate(artifact, |it| it.stable_names = names(entries))
    }),
    ("compose.activate stamp", |artifact, entries| activate(artifact, |it| it.stamp = pairs(entries))),
    ("compose.inspect labels", |_, entries| compose::inspect("x", "x", &names(entries), &[]).map(drop)),
    ("compose.inspect env", |_, entries| compose::inspect("x", "x", &[], &names(entries)).map(drop)),
    ("compose.expect labels", |artifact, entries| expect(artifact, |it| it.labels = pairs(entries))),
    ("compose.expect stamp", |artifact, entries| expect(artifact, |it| it.stamp = pairs(entries))),
    ("kubernetes.patch deployments", |artifact, entries| {
        let all: Vec<_> = (0..entries).map(|_| deployment()).collect();
        kubernetes::patch(artifact, "x", &all, &[])
    }),
    ("kubernetes.patch stamp", |artifact, entries| {
        kubernetes::patch(artifact, "x", &[deployment()], &pairs(entries))
    }),
    ("kubernetes.inspect env", |_, entries| {
        kubernetes::inspect("x", &deployment(), &names(entries), &[]).map(drop)
    }),
    ("kubernetes.inspect annotations", |_, entries| {
        kubernetes::inspect("x", &deployment(), &[], &names(entries)).map(drop)
    }),
    ("kubernetes.sync entries", |_, entries| {
        let mapping = || Mapping { from_pointer: String::new(), to_key: "x".to_owned() };
        sync(|it| it.entries = (0..entries).map(|_| mapping()).collect())
    }),
    ("health.expect expectations", |_, entries| {
        let expectation = || Expectation { pointer: String::new(), equals: Literal::Absent };
        let all: Vec<_> = (0..entries).map(|_| expectation()).collect();
        health::expect(&Target::Container(contained()), &all, 1).map(drop)
    }),
    ("guard.require-secrets keys", |_, entries| guard::require_secrets("x", &names(entries))),
    ("guard.require-approval roles", |_, entries| guard::require_approval(&names(entries))),
    ("guard.require-outside workloads", |_, entries| guard::require_outside(&names(entries))),
];

fn names(entries: usize) -> Vec<String> {
    (0..entries).map(|_| "X".to_owned()).collect()
}

fn pairs(entries: usize) -> Vec<Pair> {
    (0..entries).map(|_| pair("X", "x")).collect()
}
