//! What the rules say to one question in whatever circumstances it is asked: not only whether it may happen now, but when.

mod when;

use std::collections::BTreeMap;

use cedar_policy::PolicySet;
use schemars::JsonSchema;
use serde::Serialize;

use super::question::Asking;
use super::values::Values;
use super::{Policy, Principal, Request};
use crate::access::{Access, Action};
use crate::names::Environment;
use when::whens;
pub use when::{Approved, When, Window};

/// Most circumstances that are tried for one question.
const MOST: usize = 5_000;

/// What the rules say to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ruling {
    /// In one word.
    pub state: State,
    /// Each different answer, what is permitted first.
    pub answers: Vec<Answer>,
    /// For what is never permitted: why, and what would permit it.
    pub reason: Option<String>,
    /// Ids of rules that may tell more circumstances apart than were tried: they calculate or look into texts, or there are
    /// too many.
    pub untried: Vec<String>,
}

/// An answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Permitted, whatever the circumstances.
    Allowed,
    /// Never permitted.
    Denied,
    /// Permitted in some circumstances, and not in others; or nobody knows, because not all of them could be tried.
    Depends,
}

/// One answer, and when it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    /// Whether it may happen.
    pub allowed: bool,
    /// The rules that decide; empty where none permits it.
    pub policies: Vec<String>,
    /// In any of these circumstances; empty where it is always.
    pub when: Vec<When>,
}

impl Policy {
    /// What the rules say to each of `accesses`, asked by `principal` in `environment`, in all circumstances that make a
    /// difference to them. In the order of `accesses`.
    #[must_use]
    pub fn survey(
        &self,
        principal: &Principal,
        environment: Option<&Environment>,
        accesses: &[Access],
    ) -> Vec<Ruling> {
        let mut by_action: BTreeMap<Action, Vec<(usize, &Access)>> = BTreeMap::new();
        for (index, access) in accesses.iter().enumerate() {
            by_action.entry(access.action).or_default().push((index, access));
        }
        let mut rulings: Vec<(usize, Ruling)> = Vec::with_capacity(accesses.len());
        for (action, asked) in by_action {
            let (values, untried) = tried(self.rules.about(action.as_str()));
            let mut tables = vec![Table::new(); asked.len()];
            for (place, context) in values.contexts(environment) {
                let requests: Vec<Request> = asked
                    .iter()
                    .map(|(_, access)| Request {
                        principal: principal.clone(),
                        access: (*access).clone(),
                        context: context.clone(),
                    })
                    .collect();
                let asking = Asking::new(&requests, &self.vocabulary, &self.ownership);
                for (request, table) in requests.iter().zip(&mut tables) {
                    let (allowed, mut policies) = match self.judge(request, asking.as_ref()) {
                        Ok(policies) => (true, policies),
                        Err(denial) => (false, denial.policies),
                    };
                    policies.sort_unstable();
                    table.push((place, (allowed, policies)));
                }
            }
            for ((index, access), table) in asked.into_iter().zip(tables) {
                let mut ruling = ruled(&values, table, untried.clone());
                if ruling.state == State::Denied {
                    ruling.reason = values.contexts(environment).next().and_then(|(_, context)| {
                        let request =
                            Request { principal: principal.clone(), access: access.clone(), context };
                        self.decide(&request).reason
                    });
                }
                rulings.push((index, ruling));
            }
        }
        rulings.sort_by_key(|(index, _)| *index);
        rulings.into_iter().map(|(_, ruling)| ruling).collect()
    }
}

/// What is tried for questions that `rules` are about.
fn tried(rules: &PolicySet) -> (Values, Vec<String>) {
    let (values, untried) = Values::of(rules.policies());
    if values.count() <= MOST {
        return (values, untried);
    }
    let mut all: Vec<String> = rules.policies().map(|rule| rule.id().to_string()).collect();
    all.sort_unstable();
    (Values::of([]).0, all)
}

/// Places of circumstances, and what is answered in each: whether it may happen, and by which rules.
type Table = Vec<([usize; 6], (bool, Vec<String>))>;

fn ruled(values: &Values, table: Table, untried: Vec<String>) -> Ruling {
    let mut different: Vec<(bool, Vec<String>)> = table.iter().map(|(_, told)| told.clone()).collect();
    different.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    different.dedup();
    let numbered: Vec<([usize; 6], usize)> = table
        .into_iter()
        .map(|(place, told)| (place, different.iter().position(|one| *one == told).unwrap_or_default()))
        .collect();
    let state = match (different.iter().any(|one| one.0), different.iter().all(|one| one.0)) {
        // Nobody knows whether what was not tried is answered otherwise.
        _ if !untried.is_empty() => State::Depends,
        (_, true) => State::Allowed,
        (true, false) => State::Depends,
        (false, false) => State::Denied,
    };
    let whens = whens(values, &numbered, different.len());
    let answers = different
        .into_iter()
        .zip(whens)
        .map(|((allowed, policies), when)| Answer { allowed, policies, when })
        .collect();
    Ruling { state, answers, reason: None, untried }
}
