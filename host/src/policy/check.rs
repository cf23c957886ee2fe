//! Everything that can be said of a policy folder without a deploy: for authors, and for the pipeline that takes their
//! changes.

use std::path::Path;

use super::problem::Problem;
use super::reach::{self, Reach};
use super::{Read, RuleFacts, testing};
use crate::names::{Digest, ServiceName};

/// What a folder says, and what is wrong with it.
#[derive(Debug)]
pub struct Checked {
    /// Over everything that decides, as far as it could be read.
    pub digest: Digest,
    /// The rules that could be understood, by id.
    pub rules: Vec<RuleFacts>,
    /// Services with a block in the entities, sorted.
    pub services: Vec<ServiceName>,
    /// How many data tests there are.
    pub tests: usize,
    /// Ids of rules about things that nobody owns yet.
    pub idle: Vec<String>,
    /// Everything that is wrong; a folder with any of it is not to be used.
    pub problems: Vec<Problem>,
}

/// Reads and checks the folder `dir`: what keeps it from being loaded, its data tests' form, and rules that could never
/// matter.
#[must_use]
pub fn check(dir: &Path) -> Checked {
    let Read { digest, vocabulary, rules, ownership, owned, wrong, mut problems } = Read::of(dir);
    let mut idle = Vec::new();
    // Where entities are missing, any rule would seem to be about nothing.
    if let (Some(vocabulary), Some(ownership), true) = (&vocabulary, &ownership, owned) {
        for (id, policy) in rules.iter().filter(|(id, _)| !wrong.contains(*id)) {
            let Some(rule) = rules.get(id) else { continue };
            let (code, what, remedy) = match reach::of(policy, &rules, vocabulary, ownership) {
                Reach::Applies | Reach::Undecided => continue,
                Reach::Idle => {
                    idle.push(id.to_owned());
                    continue;
                }
                Reach::Never => (
                    "policy-unreachable",
                    format!(
                        "{id:?} never applies: no plugin and nothing in entities.json meets its condition"
                    ),
                    "correct what it is about, or remove it",
                ),
                Reach::Shadowed(by) => (
                    "policy-shadowed",
                    format!("{id:?} never permits anything: all of it is forbidden by {}", by.join(", ")),
                    "narrow what forbids it, or remove it",
                ),
            };
            problems.push(Problem::at(rule.place.clone(), code, what, remedy));
        }
    }
    let tests = testing::count(dir, &mut problems);
    Checked {
        digest,
        rules: rules.iter().filter_map(|(id, _)| Some(RuleFacts::of(id, rules.get(id)?))).collect(),
        services: ownership.map(|ownership| ownership.services().cloned().collect()).unwrap_or_default(),
        tests,
        idle,
        problems: problems.into_vec(),
    }
}
