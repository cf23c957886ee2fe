//! A request in Cedar's terms: the question, and the entities it is about.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression, Schema};

use super::Principal;
use super::ownership::{Ownership, Share};
use super::schema::Vocabulary;
use super::shape::Owned;
use crate::access::{Access, Resource};

/// What the rules are evaluated over. They look no further than this (`rules`: depth), so the whole of the entities
/// file is not needed, and a decision costs the same for one service and for a hundred.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// Who asks, in which circumstances: the same for everything that one operation touches.
pub(super) struct Asking {
    principal: EntityUid,
    /// A plugin with its service and team.
    entity: Option<Entity>,
    context: Context,
}

impl Asking {
    /// # Errors
    /// Why the rules cannot be asked this, in words.
    pub(super) fn new(
        asked: &super::Request,
        vocabulary: &Vocabulary,
        ownership: &Ownership,
    ) -> Result<Self, String> {
        let (principal, entity) = asking(&asked.principal, vocabulary, ownership)?;
        Ok(Self { principal, entity, context: circumstances(&asked.context, vocabulary)? })
    }
}

impl Question {
    /// # Errors
    /// Why the rules cannot be asked this, in words.
    pub(super) fn new(
        asked: &super::Request,
        vocabulary: &Vocabulary,
        ownership: &Ownership,
    ) -> Result<Self, String> {
        Self::of(&asked.access, &Asking::new(asked, vocabulary, ownership)?, vocabulary, ownership)
    }

    /// # Errors
    /// Why the rules cannot be asked this, in words.
    pub(super) fn of(
        access: &Access,
        asking: &Asking,
        vocabulary: &Vocabulary,
        ownership: &Ownership,
    ) -> Result<Self, String> {
        let resource = &access.resource;
        let touched = vocabulary.uid(resource.kind.as_str(), &resource.id)?;
        let mut entities = belongings(resource, touched.clone(), vocabulary, ownership)?;
        entities.extend(asking.entity.clone());
        let action = vocabulary.uid("Action", access.action.as_str())?;
        let (principal, context) = (asking.principal.clone(), asking.context.clone());
        Ok(Self {
            request: Request::new(principal, action, touched, context, Some(vocabulary.schema()))
                .map_err(|error| error.to_string())?,
            entities: Entities::from_entities(entities, conforming(vocabulary))
                .map_err(|error| error.to_string())?,
        })
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
    let teams =
        team.map(|team| vocabulary.uid("Team", team.as_str())).into_iter().collect::<Result<_, _>>()?;
    let service = vocabulary.uid("Service", plugin.as_str())?;
    let attributes = HashMap::from([
        text("digest", digest.as_str()),
        ("service".to_owned(), RestrictedExpression::new_entity_uid(service)),
    ]);
    let entity = Entity::new(uid.clone(), attributes, teams).map_err(|error| error.to_string())?;
    Ok((uid, Some(entity)))
}

/// The request is held against the schema, always. The entities are made here and nowhere else, of the schema's own types;
/// that they fit is asserted where assertions are on, which is in every test: it would take a third of a decision's time.
fn conforming(vocabulary: &Vocabulary) -> Option<&Schema> {
    cfg!(debug_assertions).then(|| vocabulary.schema())
}

/// The resource with what it belongs to: its owner and environments, or the group of keys that has them.
fn belongings(
    resource: &Resource,
    uid: EntityUid,
    vocabulary: &Vocabulary,
    ownership: &Ownership,
) -> Result<Vec<Entity>, String> {
    let Some(holder) = Owned::holding(resource.kind) else {
        return Ok(vec![Entity::new_no_attrs(uid, HashSet::new())]);
    };
    if !holder.is_group() {
        let parents = owners(ownership.share(holder, &resource.id), vocabulary)?;
        return Ok(vec![Entity::new_no_attrs(uid, parents)]);
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
    let environment = context.environment.as_ref();
    let environment = environment
        .map(|name| vocabulary.uid("Environment", name.as_str()))
        .transpose()?
        .map(|uid| ("environment".to_owned(), RestrictedExpression::new_entity_uid(uid)));
    let weekday = vocabulary.uid("Weekday", context.weekday.as_str())?;
    let moment = [
        text("operator", &context.operator),
        ("weekday".to_owned(), RestrictedExpression::new_entity_uid(weekday)),
        ("minuteOfDay".to_owned(), RestrictedExpression::new_long(context.minute_of_day.into())),
    ];
    Context::from_pairs(environment.into_iter().chain(moment)).map_err(|error| error.to_string())
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}
