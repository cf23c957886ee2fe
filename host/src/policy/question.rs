//! A request in Cedar's terms: the question, and the entities it is about.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityUid, Request, RestrictedExpression, Schema, validate_scope_variables,
};

use super::ownership::{Ownership, Share};
use super::schema::Vocabulary;
use super::shape::Owned;
use super::{Approvers, Principal};
use crate::access::{Access, Action, Resource};

/// What the rules are evaluated over. They look no further than this (`rules`: depth), so the whole of the entities
/// file is not needed, and a decision costs the same for one service and for a hundred.
pub(super) struct Question<'a> {
    pub(super) request: Request,
    pub(super) entities: &'a Entities,
}

/// Who asks, in which circumstances, about what: the same for everything that one operation touches. Putting it together
/// costs more than the rules do, so it is done once for all of it.
pub(super) struct Asking {
    principal: EntityUid,
    context: Context,
    /// Who asks, and everything that is asked about with what it belongs to.
    entities: Entities,
    /// The action whose context the schema was last asked about.
    fits: Cell<Option<Action>>,
}

impl Asking {
    /// What `requests` have in common that differ in nothing but what they are about.
    ///
    /// # Errors
    /// Why the rules cannot be asked this, in words.
    pub(super) fn new(
        requests: &[super::Request],
        vocabulary: &Vocabulary,
        ownership: &Ownership,
    ) -> Result<Self, String> {
        let first = requests.first().ok_or("nothing is asked")?;
        let (principal, plugin) = asking(&first.principal, vocabulary, ownership)?;
        let mut entities: Vec<Entity> = plugin.into_iter().collect();
        let mut known = HashSet::new();
        for request in requests {
            // Three keys of one group bring it three times.
            let new = belongings(&request.access.resource, vocabulary, ownership)?.into_iter();
            entities.extend(new.filter(|entity| known.insert(entity.uid())));
        }
        Ok(Self {
            principal,
            context: circumstances(&first.context, vocabulary)?,
            entities: Entities::from_entities(entities, conforming(vocabulary))
                .map_err(|error| error.to_string())?,
            fits: Cell::new(None),
        })
    }

    /// The question about one of them, held against the schema.
    ///
    /// # Errors
    /// Why the rules cannot be asked this, in words.
    pub(super) fn about(&self, access: &Access, vocabulary: &Vocabulary) -> Result<Question<'_>, String> {
        let resource = vocabulary.uid(access.resource.kind.as_str(), &access.resource.id)?;
        let action = vocabulary.uid("Action", access.action.as_str())?;
        let schema = vocabulary.schema();
        validate_scope_variables(&self.principal, &action, &resource, schema)
            .map_err(|error| error.to_string())?;
        if self.fits.get() != Some(access.action) {
            self.context.validate(schema, &action).map_err(|error| error.to_string())?;
            self.fits.set(Some(access.action));
        }
        let (principal, context) = (self.principal.clone(), self.context.clone());
        let request = Request::new(principal, action, resource, context, None);
        Ok(Question { request: request.map_err(|error| error.to_string())?, entities: &self.entities })
    }
}

/// Who asks; a plugin with its service and team.
fn asking(
    principal: &Principal,
    vocabulary: &Vocabulary,
    ownership: &Ownership,
) -> Result<(EntityUid, Option<Entity>), String> {
    let (plugin, digest) = match principal {
        Principal::Plugin { plugin, digest } => (plugin, digest),
        Principal::BuiltIn { built_in } => return Ok((vocabulary.uid("BuiltIn", built_in.as_str())?, None)),
    };
    let uid = vocabulary.uid("Plugin", plugin.as_str())?;
    let team = ownership.team_of(plugin);
    let teams = team
        .map(|team| vocabulary.uid("Team", team.as_str()))
        .into_iter()
        .collect::<Result<HashSet<_>, _>>()?;
    let service = vocabulary.uid("Service", plugin.as_str())?;
    let mut attributes = HashMap::from([
        text("digest", digest.as_str()),
        ("service".to_owned(), RestrictedExpression::new_entity_uid(service)),
    ]);
    let team = teams.iter().next().cloned().map(RestrictedExpression::new_entity_uid);
    attributes.extend(team.map(|team| ("team".to_owned(), team)));
    let entity = Entity::new(uid.clone(), attributes, teams).map_err(|error| error.to_string())?;
    Ok((uid, Some(entity)))
}

/// A question is held against the schema, always. The entities are made here and nowhere else, of the schema's own types;
/// that they fit is asserted where assertions are on, which is in every test: it would take a third of a decision's time.
fn conforming(vocabulary: &Vocabulary) -> Option<&Schema> {
    cfg!(debug_assertions).then(|| vocabulary.schema())
}

/// The resource with what it belongs to: its owner, environments and namespace, or the group of keys that has them.
fn belongings(
    resource: &Resource,
    vocabulary: &Vocabulary,
    ownership: &Ownership,
) -> Result<Vec<Entity>, String> {
    let uid = vocabulary.uid(resource.kind.as_str(), &resource.id)?;
    let Some(holder) = Owned::holding(resource.kind) else {
        return Ok(vec![Entity::new_no_attrs(uid, HashSet::new())]);
    };
    if !holder.is_group() {
        let mut parents = owners(ownership.share(holder, &resource.id), vocabulary)?;
        let Some(namespace) = resource.namespace() else {
            return Ok(vec![Entity::new_no_attrs(uid, parents)]);
        };
        let team = ownership.team_of_namespace(&namespace);
        let team = team.map(|team| vocabulary.uid("Team", team.as_str())).transpose()?;
        let namespace = vocabulary.uid("Namespace", &namespace)?;
        parents.insert(namespace.clone());
        return Ok(vec![
            Entity::new_no_attrs(namespace, team.into_iter().collect()),
            Entity::new_no_attrs(uid, parents),
        ]);
    }
    let Some(group) = resource.group.as_deref().filter(|group| holder.has_member(group, &resource.id)) else {
        return Ok(vec![Entity::new_no_attrs(uid, HashSet::new())]);
    };
    let group_uid = vocabulary.uid(holder.as_str(), group)?;
    let parents = owners(ownership.share(holder, group), vocabulary)?;
    Ok(vec![
        Entity::new_no_attrs(group_uid.clone(), parents),
        Entity::new_no_attrs(uid, HashSet::from([group_uid])),
    ])
}

fn owners(share: Option<&Share>, vocabulary: &Vocabulary) -> Result<HashSet<EntityUid>, String> {
    let Some(share) = share else { return Ok(HashSet::new()) };
    let environments = share.environments.iter().map(|name| vocabulary.uid("Environment", name.as_str()));
    std::iter::once(vocabulary.uid("Service", share.service.as_str())).chain(environments).collect()
}

fn circumstances(context: &super::Context, vocabulary: &Vocabulary) -> Result<Context, String> {
    let Approvers { supervisor, operator } = &context.approvers;
    let approvers = [("supervisor", supervisor), ("operator", operator)].map(|(role, names)| {
        let names = names.iter().map(|name| RestrictedExpression::new_string(name.clone()));
        (role.to_owned(), RestrictedExpression::new_set(names))
    });
    let approvers = RestrictedExpression::new_record(approvers).map_err(|error| error.to_string())?;
    let environment = context.environment.as_ref();
    let environment =
        environment.map(|name| vocabulary.uid("Environment", name.as_str())).transpose()?.map(|uid| {
            [
                ("environment".to_owned(), RestrictedExpression::new_entity_uid(uid)),
                ("verifiedBefore".to_owned(), RestrictedExpression::new_bool(context.verified_before)),
                ("approvers".to_owned(), approvers),
            ]
        });
    let weekday = vocabulary.uid("Weekday", context.weekday.as_str())?;
    let moment = [
        text("operator", &context.operator),
        ("weekday".to_owned(), RestrictedExpression::new_entity_uid(weekday)),
        ("minuteOfDay".to_owned(), RestrictedExpression::new_long(context.minute_of_day.into())),
    ];
    Context::from_pairs(environment.into_iter().flatten().chain(moment)).map_err(|error| error.to_string())
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}
