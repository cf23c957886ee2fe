//! As many plugins as there are commits: everything that this one does is drawn from the commit of the request and from
//! all that it was answered so far. Whoever answers it in another way meets another plugin from there on.

mod dice;

use std::fmt::Debug;

use dice::Dice;
use plugin_sdk::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use plugin_sdk::contract::deploy::consumer::health::{self, Contained, Target};
use plugin_sdk::contract::deploy::consumer::registry::{self, Artifact};
use plugin_sdk::contract::deploy::consumer::types::{Error, Pair};
use plugin_sdk::contract::deploy::consumer::{guard, image, log};
use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Expectation, Failure, Literal, Plugin, Request, Source};

struct Gambler;

const SERVICE: ComposeService = ComposeService::on_main_server("project-manager", "project-manager-backend");

/// Most calls after the first one.
const MOST: usize = 9;

// What its arguments are drawn from; its own comes first, and the last of several is nobody's.
const RUNTIMES: &[&str] = &[SERVICE.runtime, SERVICE.runtime, SERVICE.runtime, "d601"];
const REPOSITORIES: &[&str] = &["project-manager", "another", "stranger"];
const SERVICES: &[&str] = &[SERVICE.service, "neighbour", "stranger"];
const CONTAINERS: &[&str] = &[SERVICE.container, "neighbour", "stranger"];
const STABLE_NAMES: &[&str] = &[SERVICE.stable_name, "neighbour", "stranger"];
const STAMP_KEYS: &[&str] = &["COMMIT", "REQUESTED_COMMIT", "EXTRA", "MANAGER_DEPLOY_COMMIT"];
const LABELS: &[&str] = &["org.opencontainers.image.revision", "unidesk.service", "feature"];

impl Plugin for Gambler {
    const SERVICE: &'static str = "project-manager";

    fn source() -> Source {
        unidesk_user_service(Some("tests/guests/gambler"))
    }

    fn environments() -> Vec<Environment> {
        vec![SERVICE.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        let mut game = Game { dice: Dice::new(&request.commit), request, artifacts: Vec::new() };
        game.resolve();
        for _ in 0..game.dice.roll(MOST + 1) {
            game.call();
        }
        game.end()
    }
}

plugin_sdk::register!(Gambler);

struct Game<'a> {
    dice: Dice,
    request: &'a Request,
    artifacts: Vec<Artifact>,
}

impl Game<'_> {
    /// Takes in an answer, or why there is none, in all its parts.
    fn heard<T: Debug>(&mut self, answer: Result<T, Error>) -> Option<T> {
        self.dice.hear(&format!("{answer:?}"));
        answer.ok()
    }

    fn call(&mut self) {
        match self.dice.roll(24) {
            0..=5 => self.deliver(),
            6..=12 => self.activate(),
            13..=15 => self.inspect(),
            16 | 17 => self.expect_container(),
            18 | 19 => self.expect_health(),
            20 => self.resolve(),
            21 => self.require(),
            _ => log::info(&format!("drawn: {}", self.dice.roll(6))),
        }
    }

    fn resolve(&mut self) {
        let service = self.dice.mostly(REPOSITORIES);
        let labels = if self.dice.once_in(3) { vec![self.label()] } else { Vec::new() };
        let artifact = registry::resolve(service, &self.request.commit, &labels);
        // A handle has a number of its own; what was found has a digest.
        let answer = artifact.as_ref().map(Artifact::digest);
        self.dice.hear(&format!("{answer:?}"));
        self.artifacts.extend(artifact.ok());
    }

    /// Does something with one of the artifacts that it has; without any there is nothing to do it with.
    fn with_artifact<T: Debug>(&mut self, call: impl FnOnce(&Artifact) -> Result<T, Error>) {
        let drawn = self.dice.roll(self.artifacts.len());
        if let Some(answer) = self.artifacts.get(drawn).map(call) {
            self.heard(answer);
        }
    }

    fn deliver(&mut self) {
        let on = self.dice.mostly(RUNTIMES);
        self.with_artifact(|artifact| image::deliver(artifact, on));
    }

    fn activate(&mut self) {
        let activation = Activation {
            on: self.dice.mostly(RUNTIMES).to_owned(),
            service: self.dice.mostly(SERVICES).to_owned(),
            container: self.dice.mostly(CONTAINERS).to_owned(),
            stable_names: vec![self.dice.mostly(STABLE_NAMES).to_owned()],
            stamp: self.stamp(),
        };
        self.with_artifact(|artifact| compose::activate(artifact, &activation));
    }

    fn inspect(&mut self) {
        let (on, container) = (self.dice.mostly(RUNTIMES), self.dice.mostly(CONTAINERS));
        let labels = vec![LABELS[self.dice.roll(LABELS.len())].to_owned()];
        let keys = vec![self.dice.mostly(STAMP_KEYS).to_owned()];
        let found = compose::inspect(on, container, &labels, &keys);
        self.heard(found);
    }

    fn expect_container(&mut self) {
        let expected = ExpectedContainer {
            on: self.dice.mostly(RUNTIMES).to_owned(),
            container: self.dice.mostly(CONTAINERS).to_owned(),
            labels: vec![self.label()],
            stamp: self.stamp(),
        };
        self.with_artifact(|artifact| compose::expect(artifact, &expected));
    }

    fn expect_health(&mut self) {
        let target = Target::Container(Contained {
            on: self.dice.mostly(RUNTIMES).to_owned(),
            container: self.dice.mostly(CONTAINERS).to_owned(),
            port: SERVICE.health_port,
            path: SERVICE.health_path.to_owned(),
            with_stamp: self.dice.once_in(2),
        });
        let commit = Literal::Text(self.request.commit.clone());
        let all = [("/ok", Literal::Flag(true)), ("/deploy/commit", commit), ("/extra", Literal::Absent)];
        let (pointer, equals) = all[self.dice.roll(all.len())].clone();
        let expectation = Expectation { pointer: pointer.to_owned(), equals };
        let answer = health::expect(&target, &[expectation], 2);
        self.heard(answer);
    }

    fn require(&mut self) {
        let answer = match self.dice.roll(8) {
            0 => guard::hold("drawn"),
            1 => guard::require_approval(&["operator".to_owned()]),
            2 => guard::require_pinned(),
            3 => guard::require_secrets("project-manager", &["TOKEN".to_owned()]),
            _ => guard::require_outside(&["stranger".to_owned()]),
        };
        self.heard(answer);
    }

    /// Mostly says that all went well.
    fn end(&mut self) -> Result<(), Failure> {
        match self.dice.roll(20) {
            0 => Err(Failure::failed("drawn", "draw again")),
            1 => Err(Failure::degraded("drawn", "draw again")),
            _ => Ok(()),
        }
    }

    fn label(&mut self) -> Pair {
        let (key, value) = match self.dice.roll(8) {
            0 => ("feature", "drawn"),
            1 => (LABELS[1], self.request.service.as_str()),
            _ => (LABELS[0], self.request.commit.as_str()),
        };
        Pair { key: key.to_owned(), value: value.to_owned() }
    }

    fn stamp(&mut self) -> Vec<Pair> {
        let key = self.dice.mostly(STAMP_KEYS).to_owned();
        let value = if self.dice.once_in(4) { "drawn" } else { self.request.commit.as_str() };
        vec![Pair { key, value: value.to_owned() }]
    }
}
