//! Whether a rule can ever matter. The questions that a plugin can ask are finite but for texts and times, and a rule sees
//! of those only whether they are, or are beside, the values that it names itself: so they can be tried.

use std::collections::BTreeSet;

use cedar_policy::{Authorizer, Effect, Policy, PolicySet};
use serde_json::Value;

use super::ownership::Ownership;
use super::question::{Asking, Question};
use super::rules::Rules;
use super::schema::Vocabulary;
use super::shape::Owned;
use super::{Approvers, BuiltIn, Context, Principal, Request, Weekday};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::names::{Digest, Environment, ServiceName};

/// Most questions that are tried for one rule; of more nothing is said.
const MOST: usize = 20_000;

/// What became of a rule.
pub(super) enum Reach {
    /// Some question meets it, and it makes a difference there.
    Applies,
    /// None does.
    Never,
    /// None does, because it is about things of which nobody owns any.
    Idle,
    /// A permit: whatever meets it is forbidden by these.
    Shadowed(Vec<String>),
    /// Not to be said by trying.
    Undecided,
}

/// Tries `policy` on everything that is in the entities, and on something that is not.
pub(super) fn of(policy: &Policy, rules: &Rules, vocabulary: &Vocabulary, ownership: &Ownership) -> Reach {
    let Some(values) = Values::of(policy) else { return Reach::Undecided };
    let Some(alone) = set([policy]) else { return Reach::Undecided };
    let forbids = rules.iter().map(|(_, rule)| rule).filter(|rule| rule.effect() == Effect::Forbid);
    let Some(forbids) = set(forbids) else { return Reach::Undecided };
    let about = about(policy, vocabulary);
    let mut shadows = BTreeSet::new();
    let mut left = MOST;
    for (action, kind) in &about {
        for request in questions(*action, *kind, policy, &values, ownership) {
            let Some(rest) = left.checked_sub(1) else { return Reach::Undecided };
            left = rest;
            let Ok(asking) = Asking::new(std::slice::from_ref(&request), vocabulary, ownership) else {
                continue;
            };
            let Ok(question) = asking.about(&request.access, vocabulary) else { continue };
            if deciding(&alone, &question).is_empty() {
                continue;
            }
            let by = match policy.effect() {
                Effect::Permit => deciding(&forbids, &question),
                Effect::Forbid => Vec::new(),
            };
            if by.is_empty() {
                return Reach::Applies;
            }
            shadows.extend(by);
        }
    }
    if !shadows.is_empty() {
        return Reach::Shadowed(shadows.into_iter().collect());
    }
    let owned = |(_, kind): &(Action, ResourceType)| {
        Owned::holding(*kind).is_some_and(|holder| !ownership.ids(holder.as_str()).is_empty())
    };
    if about.iter().any(owned) { Reach::Never } else { Reach::Idle }
}

fn set<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Option<PolicySet> {
    PolicySet::from_policies(policies.into_iter().cloned()).ok()
}

/// The rules of `set` that decide `question`.
fn deciding(set: &PolicySet, question: &Question<'_>) -> Vec<String> {
    let response = Authorizer::new().is_authorized(&question.request, set, question.entities);
    response.diagnostics().reason().map(ToString::to_string).collect()
}

/// The actions and types of resources that `policy` can be about.
fn about(policy: &Policy, vocabulary: &Vocabulary) -> BTreeSet<(Action, ResourceType)> {
    policy
        .get_valid_request_envs(vocabulary.schema())
        .filter_map(|about| {
            let action = Action::named(about.action().id().unescaped())?;
            Some((action, ResourceType::named(&about.resource().to_string())?))
        })
        .collect()
}

/// Every question about a resource of the type `kind`, those of its owner first. Some actions only the host itself
/// asks for.
fn questions<'a>(
    action: Action,
    kind: ResourceType,
    policy: &'a Policy,
    values: &'a Values,
    ownership: &'a Ownership,
) -> impl Iterator<Item = Request> + 'a {
    let built_in = BuiltIn::asking(action);
    // What nobody owns is in no environment.
    let placeless = kind == ResourceType::FarSide;
    candidates(kind, policy, ownership).into_iter().flat_map(move |(id, owner)| {
        let mut plugins: Vec<&ServiceName> = ownership.services().collect();
        plugins.sort_by_key(|plugin| Some(*plugin) != owner);
        let of_plugins = plugins.into_iter().flat_map(|plugin| {
            values
                .digests
                .iter()
                .map(move |digest| Principal::Plugin { plugin: plugin.clone(), digest: digest.clone() })
        });
        let mut asking: Vec<Principal> =
            built_in.iter().map(|&built_in| Principal::BuiltIn { built_in }).collect();
        if asking.is_empty() {
            asking.extend(of_plugins);
        }
        asking.into_iter().flat_map(move |principal| {
            let resource = Resource::asked_by(principal.plugin(), kind, &id);
            let environments: Vec<Option<&Environment>> =
                if placeless { vec![None] } else { ownership.environments().iter().map(Some).collect() };
            environments.into_iter().flat_map(|environment| values.contexts(environment)).map(
                move |context| {
                    let access = Access { action, resource: resource.clone() };
                    Request { principal: principal.clone(), access, context }
                },
            )
        })
    })
}

/// Ids of the type `kind` with their owners: all that are owned, all that the rule names, and one that is neither.
fn candidates<'a>(
    kind: ResourceType,
    policy: &Policy,
    ownership: &'a Ownership,
) -> Vec<(String, Option<&'a ServiceName>)> {
    let named = policy.entity_literals().into_iter();
    let named = named
        .filter(|uid| uid.type_name().to_string() == kind.as_str())
        .map(|uid| uid.id().unescaped().to_owned());
    let Some(holder) = Owned::holding(kind) else {
        let unowned = named.chain(["registry".to_owned(), "engine/nobody".to_owned()]);
        return unowned.map(|id| (id, None)).collect();
    };
    let member = |id: &str| match holder {
        Owned::EnvPrefix => format!("{id}COMMIT"),
        Owned::SecretSource => format!("{id}/KEY"),
        _ => id.to_owned(),
    };
    let owner = |id: &str| ownership.share(holder, id).map(|share| &share.service);
    let listed = ownership.ids(holder.as_str()).into_iter().map(|id| (member(id), owner(id)));
    let named = named.map(|id| {
        let owner = owner(&id);
        (id, owner)
    });
    listed.chain(named).chain([("nobody/NOTHING".to_owned(), None)]).collect()
}

/// The values by which a rule can tell questions apart, beside the entities.
struct Values {
    operators: Vec<String>,
    digests: Vec<Digest>,
    weekdays: Vec<Weekday>,
    minutes: Vec<u16>,
    verified: Vec<bool>,
    approvers: Vec<Approvers>,
}

impl Values {
    /// Nothing where values can be told apart by more than being the same, or earlier, or later.
    fn of(policy: &Policy) -> Option<Self> {
        let mut named = Named::default();
        named.look(&policy.to_json().ok()?)?;
        let (mut operators, mut digests) = (vec!["operator".to_owned()], vec![Digest::of(b"")]);
        let (mut weekdays, mut minutes) = (vec![Weekday::Monday], vec![600]);
        if named.attributes.contains("operator") {
            operators.extend(named.texts.iter().cloned());
        }
        if named.attributes.contains("digest") {
            digests.extend(named.texts.iter().filter_map(|text| Digest::parse(text).ok()));
        }
        if named.attributes.contains("weekday") {
            weekdays = Weekday::ALL.to_vec();
        }
        if named.attributes.contains("minuteOfDay") {
            let beside = named.numbers.iter().flat_map(|number| [number - 1, *number, number + 1]);
            minutes
                .extend(beside.filter_map(|minute| u16::try_from(minute).ok()).filter(|one| *one < 24 * 60));
        }
        let verified =
            if named.attributes.contains("verifiedBefore") { vec![true, false] } else { vec![true] };
        let approvers = if named.attributes.contains("approvers") {
            approvals(&named.texts)
        } else {
            vec![Approvers::default()]
        };
        Some(Self { operators, digests, weekdays, minutes, verified, approvers })
    }

    fn contexts(&self, environment: Option<&Environment>) -> impl Iterator<Item = Context> {
        self.operators.iter().flat_map(move |operator| {
            self.weekdays.iter().flat_map(move |weekday| {
                self.minutes.iter().flat_map(move |minute| {
                    self.verified.iter().flat_map(move |verified| {
                        self.approvers.iter().map(move |approvers| Context {
                            environment: environment.cloned(),
                            operator: operator.clone(),
                            weekday: *weekday,
                            minute_of_day: *minute,
                            verified_before: *verified,
                            approvers: approvers.clone(),
                        })
                    })
                })
            })
        })
    }
}

/// Nobody, somebody whom no rule names, each who is named, and all of them: in one role and in the other.
fn approvals(named: &BTreeSet<String>) -> Vec<Approvers> {
    let somebody = BTreeSet::from(["somebody".to_owned()]);
    let each = named.iter().map(|name| BTreeSet::from([name.clone()]));
    let all = named.union(&somebody).cloned().collect();
    let mut sets: Vec<BTreeSet<String>> = vec![BTreeSet::new(), somebody.clone(), all];
    sets.extend(each);
    sets.dedup();
    let both = sets.iter().flat_map(|supervisor| {
        sets.iter().map(|operator| Approvers { supervisor: supervisor.clone(), operator: operator.clone() })
    });
    both.collect()
}

/// What a rule names, read from its JSON form.
#[derive(Default)]
struct Named {
    texts: BTreeSet<String>,
    numbers: BTreeSet<i64>,
    attributes: BTreeSet<String>,
}

impl Named {
    /// Nothing where the rule calculates, or looks into texts.
    fn look(&mut self, part: &Value) -> Option<()> {
        match part {
            Value::Object(parts) => {
                for (name, part) in parts {
                    match (name.as_str(), part) {
                        ("like" | "+" | "-" | "*" | "neg", _) => return None,
                        ("Value", Value::String(text)) => drop(self.texts.insert(text.clone())),
                        ("Value", Value::Number(number)) => self.numbers.extend(number.as_i64()),
                        ("attr", Value::String(name)) => drop(self.attributes.insert(name.clone())),
                        _ => self.look(part)?,
                    }
                }
                Some(())
            }
            Value::Array(parts) => parts.iter().try_for_each(|part| self.look(part)),
            _ => Some(()),
        }
    }
}
