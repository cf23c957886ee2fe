//! A deploy to Compose has nothing to do with the cluster, and one to the cluster nothing with Compose, whichever service it
//! is of: held for each block of the shipped entities against everything that anybody owns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::{SHIPPED, request};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::names::Environment;
use crate::policy::{Policy, Request};

#[derive(Deserialize)]
struct Entities {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    owns: BTreeMap<String, Owned>,
}

/// Ids by type.
type Owned = BTreeMap<String, BTreeSet<String>>;

/// What stands at the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Compose,
    Cluster,
}

/// One thing that is done on one of the sides, and to what.
struct Asked {
    side: Side,
    action: Action,
    kind: ResourceType,
    /// What the entities have it under.
    owned: &'static str,
}

const ASKED: [Asked; 14] = [
    asked(Side::Compose, Action::RecreateService, ResourceType::ComposeService, "ComposeService"),
    asked(Side::Compose, Action::RecreateService, ResourceType::Container, "Container"),
    asked(Side::Compose, Action::InspectContainer, ResourceType::Container, "Container"),
    asked(Side::Compose, Action::CheckHealth, ResourceType::Container, "Container"),
    asked(Side::Compose, Action::StampEnv, ResourceType::EnvKey, "EnvPrefix"),
    asked(Side::Compose, Action::Rollback, ResourceType::ComposeService, "ComposeService"),
    asked(Side::Compose, Action::Rollback, ResourceType::Container, "Container"),
    asked(Side::Compose, Action::Rollback, ResourceType::EnvKey, "EnvPrefix"),
    asked(Side::Cluster, Action::PatchDeployment, ResourceType::Deployment, "Deployment"),
    asked(Side::Cluster, Action::InspectDeployment, ResourceType::Deployment, "Deployment"),
    asked(Side::Cluster, Action::SyncObject, ResourceType::KubernetesObject, "KubernetesObject"),
    asked(Side::Cluster, Action::CheckHealth, ResourceType::HealthTarget, "HealthTarget"),
    asked(Side::Cluster, Action::Rollback, ResourceType::Deployment, "Deployment"),
    asked(Side::Cluster, Action::Rollback, ResourceType::KubernetesObject, "KubernetesObject"),
];

const fn asked(side: Side, action: Action, kind: ResourceType, owned: &'static str) -> Asked {
    Asked { side, action, kind, owned }
}

/// Where the block of an environment deploys to; exactly one of them.
fn side(owned: &Owned) -> Side {
    match (owned.contains_key("ComposeService"), owned.contains_key("Deployment")) {
        (true, false) => Side::Compose,
        (false, true) => Side::Cluster,
        both => panic!("{owned:?} has both sides or none: {both:?}"),
    }
}

/// What `plugin` asks in a deploy to `environment`.
fn ask(plugin: &str, environment: &str, action: Action, kind: ResourceType, id: &str) -> Request {
    let asked = request(plugin, action, kind, id);
    let resource = match kind {
        // The group is the prefix, which the id of the question goes on from.
        ResourceType::EnvKey => Resource { kind, id: format!("{id}COMMIT"), group: Some(id.to_owned()) },
        _ => asked.access.resource.clone(),
    };
    let mut context = asked.context.clone();
    context.environment = Environment::parse(environment).ok();
    Request { access: Access { action, resource }, context, ..asked }
}

#[test]
fn no_deploy_reaches_the_other_side() {
    let text = std::fs::read_to_string(Path::new(SHIPPED).join("entities.json")).unwrap();
    let entities: Entities = serde_json::from_str(&text).unwrap();
    let policy = Policy::load(Path::new(SHIPPED)).unwrap_or_else(|fault| panic!("{fault}"));
    let blocks: Vec<_> = entities
        .services
        .iter()
        .flat_map(|(service, block)| {
            block.owns.iter().map(move |(environment, owned)| (service, environment, owned))
        })
        .collect();
    let (mut own, mut other) = (0, 0);
    for (service, environment, owned) in &blocks {
        for one in ASKED {
            for id in blocks.iter().filter_map(|(_, _, owned)| owned.get(one.owned)).flatten() {
                let decision = policy.decide(&ask(service, environment, one.action, one.kind, id));
                let is_own = owned.get(one.owned).is_some_and(|ids| ids.contains(id));
                assert_eq!(decision.allowed, is_own, "{service} to {environment}: {:?} on {id}", one.action);
                if side(owned) == one.side {
                    own += usize::from(is_own);
                } else {
                    assert!(!decision.allowed, "{service} to {environment}: {:?} on {id}", one.action);
                    other += 1;
                }
            }
        }
    }
    assert!(own > 20 && other > 50, "{own} of their own, {other} of the other side");
}

#[test]
fn no_image_goes_to_the_runtime_of_the_other_side() {
    let text = std::fs::read_to_string(Path::new(SHIPPED).join("entities.json")).unwrap();
    let entities: Entities = serde_json::from_str(&text).unwrap();
    let runtime =
        |id: &String| id.split_once('/').map_or_else(String::new, |(runtime, _)| runtime.to_owned());
    for (service, block) in &entities.services {
        for (environment, owned) in &block.owns {
            let of = |kind: &str| owned.get(kind).into_iter().flatten().map(runtime).collect::<BTreeSet<_>>();
            let there = if side(owned) == Side::Compose { of("ComposeService") } else { of("Deployment") };
            assert_eq!(of("Image"), there, "{service} to {environment}");
        }
    }
}
