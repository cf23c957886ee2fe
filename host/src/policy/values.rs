//! The values by which rules can tell circumstances apart. Texts and times are endless, but a rule sees of them only whether
//! they are, or are beside, the values that it names itself: so all that can make a difference can be tried.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::{Approvers, Context, Weekday};
use crate::names::{Digest, Environment};

/// Minutes of a day.
pub(super) const DAY: u16 = 24 * 60;

/// What makes a difference to some rules, the usual first; one value where nothing does.
pub(super) struct Values {
    pub(super) operators: Vec<String>,
    pub(super) digests: Vec<Digest>,
    pub(super) weekdays: Vec<Weekday>,
    /// The first minute of each stretch of the day that is one to the rules.
    pub(super) minutes: Vec<u16>,
    pub(super) verified: Vec<bool>,
    pub(super) supervisors: Vec<BTreeSet<String>>,
    pub(super) approving_operators: Vec<BTreeSet<String>>,
}

impl Values {
    /// What makes a difference to `policies`, and the ids of those that may tell more apart: they calculate, or look into
    /// texts.
    pub(super) fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> (Self, Vec<String>) {
        let mut named = Named::default();
        let mut more = Vec::new();
        for policy in policies {
            let mut own = Named::default();
            if !policy.to_json().is_ok_and(|json| own.look(&json)) {
                more.push(policy.id().to_string());
            }
            named.take(own);
        }
        more.sort_unstable();
        (named.into_values(), more)
    }

    /// How many circumstances there are to try.
    pub(super) fn count(&self) -> usize {
        self.lengths().iter().fold(1, |product, count| product.saturating_mul(*count))
    }

    fn lengths(&self) -> [usize; 6] {
        [
            self.operators.len(),
            self.weekdays.len(),
            self.minutes.len(),
            self.verified.len(),
            self.supervisors.len(),
            self.approving_operators.len(),
        ]
    }

    /// Every circumstance, with the place of each of its values: operator, weekday, minute, verified, both approvers.
    pub(super) fn contexts(
        &self,
        environment: Option<&Environment>,
    ) -> impl Iterator<Item = ([usize; 6], Context)> {
        let lengths = self.lengths();
        (0..self.count()).map(move |mut number| {
            // The last changes fastest.
            let mut at = [0; 6];
            for (place, length) in at.iter_mut().zip(lengths).rev() {
                *place = number % length;
                number /= length;
            }
            let [operator, weekday, minute, verified, supervisor, approving] = at;
            let context = Context {
                environment: environment.cloned(),
                operator: self.operators[operator].clone(),
                weekday: self.weekdays[weekday],
                minute_of_day: self.minutes[minute],
                verified_before: self.verified[verified],
                approvers: Approvers {
                    supervisor: self.supervisors[supervisor].clone(),
                    operator: self.approving_operators[approving].clone(),
                },
            };
            (at, context)
        })
    }
}

/// What rules name, read from their JSON form.
#[derive(Default)]
struct Named {
    operators: BTreeSet<String>,
    approvers: BTreeSet<String>,
    digests: BTreeSet<Digest>,
    numbers: BTreeSet<i64>,
    attributes: BTreeSet<String>,
    /// Of the rule that is being read.
    texts: BTreeSet<String>,
}

impl Named {
    /// Reads a part of a rule; false where it calculates, or looks into texts.
    fn look(&mut self, part: &Value) -> bool {
        match part {
            Value::Object(parts) => {
                let mut simple = true;
                for (name, part) in parts {
                    match (name.as_str(), part) {
                        ("Value", Value::String(text)) => drop(self.texts.insert(text.clone())),
                        ("Value", Value::Number(number)) => self.numbers.extend(number.as_i64()),
                        ("attr", Value::String(name)) => drop(self.attributes.insert(name.clone())),
                        _ => simple &= self.look(part),
                    }
                    simple &= !["like", "+", "-", "*", "neg"].contains(&name.as_str());
                }
                simple
            }
            Value::Array(parts) => {
                let mut simple = true;
                for part in parts {
                    simple &= self.look(part);
                }
                simple
            }
            _ => true,
        }
    }

    /// Adds what one rule names. A text of it is compared with whatever texts it looks at, and with no other rule's.
    fn take(&mut self, own: Self) {
        if own.attributes.contains("operator") {
            self.operators.extend(own.texts.iter().cloned());
        }
        if own.attributes.contains("approvers") {
            self.approvers.extend(own.texts.iter().cloned());
        }
        if own.attributes.contains("digest") {
            self.digests.extend(own.texts.iter().filter_map(|text| Digest::parse(text).ok()));
        }
        if own.attributes.contains("minuteOfDay") {
            self.numbers.extend(own.numbers);
        }
        // Compared as a whole, both roles matter.
        let roles = ["supervisor", "operator"];
        if own.attributes.contains("approvers") && !roles.iter().any(|role| own.attributes.contains(*role)) {
            self.attributes.extend(roles.map(str::to_owned));
        }
        self.attributes.extend(own.attributes);
    }

    fn into_values(self) -> Values {
        let has = |attribute: &str| self.attributes.contains(attribute);
        let nobody_named = nobody_of(&self.operators, &self.approvers);
        let operators = std::iter::once(nobody_named.clone()).chain(self.operators.iter().cloned());
        let mut minutes = BTreeSet::from([0]);
        // A comparison with a number can change at it, and after it.
        let starts = self.numbers.iter().flat_map(|number| [*number, number.saturating_add(1)]);
        minutes.extend(starts.filter_map(|minute| u16::try_from(minute).ok()).filter(|minute| *minute < DAY));
        let approving = |role: &str| {
            let mut sets = vec![BTreeSet::new()];
            if has("approvers") && has(role) {
                sets.push(BTreeSet::from([nobody_named.clone()]));
                sets.extend(self.approvers.iter().map(|name| BTreeSet::from([name.clone()])));
                sets.extend((self.approvers.len() > 1).then(|| self.approvers.clone()));
            }
            sets
        };
        Values {
            operators: operators.collect(),
            digests: std::iter::once(Digest::of(b"")).chain(self.digests.iter().cloned()).collect(),
            weekdays: if has("weekday") { Weekday::ALL.to_vec() } else { vec![Weekday::Monday] },
            minutes: if has("minuteOfDay") { minutes.into_iter().collect() } else { vec![0] },
            verified: if has("verifiedBefore") { vec![true, false] } else { vec![true] },
            supervisors: approving("supervisor"),
            approving_operators: approving("operator"),
        }
    }
}

/// A name that no rule has.
fn nobody_of(operators: &BTreeSet<String>, approvers: &BTreeSet<String>) -> String {
    let mut name = "somebody".to_owned();
    while operators.contains(&name) || approvers.contains(&name) {
        name.push_str("-else");
    }
    name
}
