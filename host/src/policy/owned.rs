//! What a plugin could ask about its own service, by what the entities say: for services whose plugin is not at hand.

use std::collections::BTreeMap;

use super::{BuiltIn, Policy};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::names::{Environment, ServiceName};

impl Policy {
    /// Every action on everything that `service` owns, by environment. Keys that it owns by a group are one that stands for
    /// all.
    #[must_use]
    pub fn own_accesses(&self, service: &ServiceName) -> BTreeMap<Environment, Vec<Access>> {
        let mut found: BTreeMap<Environment, Vec<Access>> = BTreeMap::new();
        for action in Action::ALL.into_iter().filter(|action| BuiltIn::asking(*action).is_empty()) {
            for (holder, id, share) in
                self.ownership.shares().filter(|(_, _, share)| share.service == *service)
            {
                let asked = ResourceType::ALL.into_iter().filter(|kind| {
                    super::shape::Owned::holding(*kind) == Some(holder)
                        && self.vocabulary.has(action.as_str(), kind.as_str())
                });
                for kind in asked {
                    let resource = Resource::asked_by(Some(service), kind, &holder.member(id));
                    for environment in &share.environments {
                        let access = Access { action, resource: resource.clone() };
                        found.entry(environment.clone()).or_default().push(access);
                    }
                }
            }
        }
        found
    }
}
