//! What is not simply permitted, in words; the same words are one note, however many cells they are about.

use std::collections::BTreeSet;

use super::{Asked, Cell, CellState};
use crate::policy::survey::{Answer, Ruling, State};
use crate::words::listed;

/// Most things that a note names.
const NAMED: usize = 3;

/// Notes, numbered from 1 in the order in which they are first needed.
#[derive(Default)]
pub struct Notes(Vec<String>);

impl Notes {
    /// The number of what there is to say to `cell`.
    pub fn number(&mut self, cell: &Cell) -> Option<usize> {
        let note = note(cell)?;
        let known = self.0.iter().position(|other| *other == note);
        Some(
            1 + known.unwrap_or_else(|| {
                self.0.push(note);
                self.0.len() - 1
            }),
        )
    }

    /// All of them, with their numbers.
    pub fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().enumerate().map(|(index, note)| (index + 1, note.as_str()))
    }
}

fn note(cell: &Cell) -> Option<String> {
    let plain = |asked: &&Asked| asked.ruling.state == State::Allowed && asked.ruling.untried.is_empty();
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for asked in cell.requests.iter().filter(|asked| !plain(asked)) {
        let (words, what) = (told(&asked.ruling), asked.resource.to_string());
        match said.iter_mut().find(|(other, _)| *other == words) {
            Some((_, things)) => things.push(what),
            None => said.push((words, vec![what])),
        }
    }
    let all_alike = said.len() == 1 && cell.requests.iter().all(|asked| !plain(&asked));
    let line = |(words, things): (String, Vec<String>)| {
        if all_alike && cell.state != CellState::Partly {
            words
        } else {
            format!("{}: {words}", listed(&things, NAMED))
        }
    };
    (!said.is_empty()).then(|| said.into_iter().map(line).collect::<Vec<_>>().join("; "))
}

/// What the rules say, in one line.
pub fn told(ruling: &Ruling) -> String {
    let mut parts = Vec::new();
    let (permits, denials): (Vec<&Answer>, Vec<&Answer>) =
        ruling.answers.iter().partition(|answer| answer.allowed);
    if permits.is_empty() || denials.is_empty() {
        parts.push(throughout(&ruling.answers));
    } else {
        // When it is denied says it all; it is permitted otherwise.
        parts.extend(denials.into_iter().map(|answer| {
            let when: Vec<_> = answer.when.iter().map(ToString::to_string).collect();
            format!("{}: {}", by(answer.allowed, &answer.policies), when.join("; or "))
        }));
        let all: BTreeSet<&String> = permits.iter().flat_map(|answer| &answer.policies).collect();
        parts.push(format!("otherwise {}", by(true, &all.into_iter().cloned().collect::<Vec<_>>())));
    }
    if !ruling.untried.is_empty() {
        let rules = ruling.untried.join(", ");
        parts.push(format!("as far as could be tried, which is not all that {rules} may depend on"));
    }
    parts.join("; ")
}

/// What is always said, and by which rules: those that always decide, and those that sometimes do, too.
fn throughout(answers: &[Answer]) -> String {
    let Some((first, others)) = answers.split_first() else { return String::new() };
    let always = |id: &&String| others.iter().all(|answer| answer.policies.contains(id));
    let always: Vec<String> = first.policies.iter().filter(always).cloned().collect();
    let all: BTreeSet<&String> = answers.iter().flat_map(|answer| &answer.policies).collect();
    let sometimes: Vec<String> = all.into_iter().filter(|id| !always.contains(id)).cloned().collect();
    let unpermitted = answers.iter().any(|answer| answer.policies.is_empty());
    if always.is_empty() && !sometimes.is_empty() && !unpermitted {
        return by(first.allowed, &[sometimes.join(" or ")]);
    }
    let said = by(first.allowed, &always);
    if sometimes.is_empty() { said } else { format!("{said}, at times by {} too", sometimes.join(", ")) }
}

fn by(allowed: bool, policies: &[String]) -> String {
    match (allowed, policies) {
        (true, policies) => format!("permitted by {}", policies.join(", ")),
        (false, []) => "denied, since no rule permits it".to_owned(),
        (false, policies) => format!("denied by {}", policies.join(", ")),
    }
}
