//! Whether a rule can ever matter. The questions that a plugin can ask are finite but for texts and times, and a rule sees
//! of those only whether they are, or are beside, the values that it names itself: so they can be tried.

use std::collections::BTreeSet;

use cedar_policy::{Authorizer, Effect, Policy, PolicySet};

use super::ownership::Ownership;
use super::question::{Asking, Question};
use super::rules::Rules;
use super::schema::Vocabulary;
use super::shape::Owned;
use super::values::Values;
use super::{BuiltIn, Principal, Request};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::names::{Environment, ServiceName};

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
    let (values, more) = Values::of([policy]);
    if !more.is_empty() {
        return Reach::Undecided;
    }
    let forbids = || rules.iter().map(|(_, rule)| rule).filter(|rule| rule.effect() == Effect::Forbid);
    let (Some(alone), Some(against)) = (set([policy]), set(forbids())) else { return Reach::Undecided };
    // What others forbid at some time only, a permit permits at another.
    let (moments, more) = Values::of(std::iter::once(policy).chain(forbids()));
    let about = about(policy, vocabulary);
    let decided = |request: &Request, by: &PolicySet| {
        let asking = Asking::new(std::slice::from_ref(request), vocabulary, ownership).ok()?;
        let question = asking.about(&request.access, vocabulary).ok()?;
        Some(deciding(by, &question))
    };
    let meets = |request: &Request| decided(request, &alone).is_some_and(|by| !by.is_empty());
    let mut shadows = BTreeSet::new();
    let mut left = MOST;
    let mut spent = || {
        left = left.checked_sub(1)?;
        Some(())
    };
    for (action, kind) in &about {
        for request in questions(*action, *kind, policy, &values, ownership) {
            if spent().is_none() {
                return Reach::Undecided;
            }
            if !meets(&request) {
                continue;
            }
            if policy.effect() == Effect::Forbid {
                return Reach::Applies;
            }
            for (_, context) in moments.contexts(request.context.environment.as_ref()) {
                if spent().is_none() {
                    return Reach::Undecided;
                }
                let request = Request { context, ..request.clone() };
                let by = decided(&request, &against).filter(|_| meets(&request));
                match by {
                    Some(by) if by.is_empty() => return Reach::Applies,
                    by => shadows.extend(by.into_iter().flatten()),
                }
            }
        }
    }
    if shadows.iter().any(|id| more.contains(id)) {
        return Reach::Undecided;
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
                move |(_, context)| {
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
    let owner = |id: &str| ownership.share(holder, id).map(|share| &share.service);
    let listed = ownership.ids(holder.as_str()).into_iter().map(|id| (holder.member(id), owner(id)));
    let named = named.map(|id| {
        let owner = owner(&id);
        (id, owner)
    });
    listed.chain(named).chain([("nobody/NOTHING".to_owned(), None)]).collect()
}
