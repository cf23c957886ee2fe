//! Worlds that are drawn: what stands where, what goes wrong, and what somebody else changes meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::dice::Dice;
use crate::answer::{Answer, CallError, Check, ContainerView, Literal};
use crate::artifact::{Artifact, Identity};
use crate::backend::change::Unmade;
use crate::backend::live::imagined::World;
use crate::canonical;
use crate::gate::ask::Ask;
use crate::identity::{Identities, RegistryIdentity};
use crate::names::Digest;
use crate::operation::{Operation, Resolve};

const COMMITS: [&str; 3] = [
    "1111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222",
    "3333333333333333333333333333333333333333",
];

/// Everything that is drawn of a world. One seed answers one question always alike.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// What it answers by.
    pub seed: usize,
    /// What it answers by where something is otherwise.
    pub other: usize,
    /// One in so many questions is answered otherwise; none if there is no number.
    pub otherwise: Option<usize>,
    /// After so many questions everything is otherwise.
    pub turns: Option<usize>,
    /// Whether what was changed is found changed.
    pub remembers: bool,
}

/// A world, and what was done to it.
pub struct Wheel {
    drawn: Drawn,
    seen: Mutex<Seen>,
}

/// What came to a world.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    questions: usize,
    /// Changes that it was asked to make: place in the pass, and the operation in canonical form.
    pub changes: Vec<(u32, String)>,
    /// Changes that it was asked to take back.
    pub undone: Vec<String>,
}

/// An operation in canonical form.
pub fn form(operation: &Operation) -> String {
    canonical::json(operation).expect("an operation is JSON")
}

impl Wheel {
    pub fn new(drawn: Drawn) -> Self {
        Self { drawn, seen: Mutex::default() }
    }

    /// What came to it so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the answer to one question is drawn from.
    fn asked(&self, what: &str, operation: &Operation) -> Dice {
        let mut seen = self.seen();
        seen.questions += 1;
        let question = format!("{what} {}", form(operation));
        let Drawn { seed, other, otherwise, turns, .. } = self.drawn;
        let differs = |times| Dice::new(&format!("{seed} {other} {question}")).once_in(times);
        let turned = turns.is_some_and(|after| seen.questions > after);
        let by = if turned || otherwise.is_some_and(differs) { other } else { seed };
        Dice::new(&format!("{by} {question}"))
    }

    /// Something that goes wrong, in any of its kinds.
    fn wrong(dice: &mut Dice) -> CallError {
        let text = format!("drawn: {}", dice.roll(3));
        match dice.roll(4) {
            0 => CallError::NotFound(text),
            1 => CallError::Unavailable(text),
            2 => CallError::Mismatch(text),
            _ => CallError::Other(text),
        }
    }

    fn artifact(call: &Resolve, dice: &mut Dice) -> Artifact {
        let digest = |what: &str, drawn| Digest::of(format!("{what} {drawn}").as_bytes());
        Artifact {
            service: call.service.clone(),
            commit: call.commit.clone(),
            repository: call.repository.clone(),
            identity: Some(Identity {
                index: dice.once_in(2).then(|| digest("index", dice.roll(3))),
                manifest: digest("manifest", dice.roll(3)),
                config: digest("config", dice.roll(3)),
                diff_ids: vec![digest("layer", dice.roll(3))],
                size: 1,
            }),
            labels: call.required_labels.clone(),
        }
    }

    fn checks(operation: &Operation, dice: &mut Dice) -> Vec<Check> {
        let expected = operation.expected().into_iter();
        let checked = expected.map(|(pointer, expected)| {
            let satisfied = !dice.once_in(6);
            let otherwise = (!dice.once_in(3)).then(|| Literal::Text(dice.mostly(&COMMITS).to_owned()));
            let found = if satisfied { Some(expected) } else { otherwise };
            let pointer = pointer.parse().expect("a pointer");
            Check { pointer, found: found.filter(|found| *found != Literal::Absent), satisfied }
        });
        checked.collect()
    }
}

impl World for Wheel {
    fn read(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        // Where a plan is for is not drawn: a plan for another place is refused before anything is asked there.
        if let Operation::Identify(_) = ask.operation {
            let registry = RegistryIdentity { url: "http://registry".to_owned(), via: None };
            let (runtimes, secrets) = Default::default();
            return Ok(Answer::Identities(Box::new(Identities { registry, runtimes, secrets })));
        }
        let mut dice = self.asked("read", ask.operation);
        if dice.once_in(30) {
            return Err(Self::wrong(&mut dice));
        }
        Ok(match ask.operation {
            Operation::Resolve(call) => Answer::Artifact(Box::new(Self::artifact(call, &mut dice))),
            Operation::InspectContainer(call) => Answer::Container((!dice.once_in(6)).then(|| {
                let image_digest = (!dice.once_in(6)).then(|| dice.mostly(&COMMITS).to_owned());
                let mut valued = |key: &dyn ToString| (key.to_string(), dice.mostly(&COMMITS).to_owned());
                let labels = call.labels.iter().map(|key| valued(key)).collect();
                let env = call.env.iter().map(|key| valued(key)).collect();
                ContainerView { image_digest, labels, env }
            })),
            other => panic!("{} is no read of a plugin", other.name()),
        })
    }

    fn probe(&self, ask: &Ask<'_>) -> Result<(Value, Value), CallError> {
        let done = if self.drawn.remembers { self.seen().changes.len() } else { 0 };
        let mut dice = self.asked("probe", ask.operation);
        if dice.once_in(30) {
            return Err(Self::wrong(&mut dice));
        }
        let (image, commit) = (dice.roll(3), dice.mostly(&COMMITS));
        let before =
            json!({ "container": { "image": format!("image {image}"), "commit": commit }, "done": done });
        let wanted = json!({ "container": { "image": "wanted" }, "done": done });
        let desired = if dice.once_in(10) { before.clone() } else { wanted };
        Ok((before, desired))
    }

    fn apply(&self, ask: &Ask<'_>, before: Option<&Value>) -> Result<Value, Unmade> {
        self.seen().changes.push((ask.seq, form(ask.operation)));
        let mut dice = self.asked("apply", ask.operation);
        if matches!(ask.operation, Operation::Retain(_)) {
            return Ok(json!({ "removed": [], "left": null }));
        }
        if dice.once_in(8) {
            return Err(Unmade { error: Self::wrong(&mut dice), left: dice.once_in(3) });
        }
        Ok(json!({ "instead of": before, "drawn": dice.roll(3) }))
    }

    fn undo(&self, ask: &Ask<'_>, change: &Operation) -> Result<(), CallError> {
        self.seen().undone.push(form(change));
        let mut dice = self.asked("undo", ask.operation);
        if dice.once_in(6) { Err(Self::wrong(&mut dice)) } else { Ok(()) }
    }

    fn verify(&self, ask: &Ask<'_>) -> Result<Answer, CallError> {
        if let Operation::InspectContainer(_) = ask.operation {
            return self.read(ask);
        }
        let mut dice = self.asked("verify", ask.operation);
        if dice.once_in(12) {
            return Err(Self::wrong(&mut dice));
        }
        Ok(Answer::Checks(Self::checks(ask.operation, &mut dice)))
    }
}
