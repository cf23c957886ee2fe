//! Who owns what: `entities.json`, one block per service.
//!
//! ```json
//! { "environments": ["prod"], "teams": ["web"], "namespaces": { "cluster/web": "web" },
//!   "services": { "shop": { "team": "web", "owns": { "prod": { "Container": ["main-server/shop"] } } } } }
//! ```
//!
//! Cedar's own entity format takes eight lines for each of these ids and lets each be wrong in its own way; here a
//! plugin without a service, a parent that is not there or an attribute of the wrong type cannot be written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::files::{ENTITIES, Text};
use super::problem::{Problem, Problems, nearest};
use super::shape::Owned;
use crate::names::{ConfigName, Environment, KubernetesName, RuntimeName, ServiceName};
use crate::operation::OwnedDeployment;
use crate::unique::Unique;

/// What the file has to look like.
const FORM: &str = "the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: \
    {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    environments: Vec<Environment>,
    #[serde(default)]
    teams: Vec<ConfigName>,
    namespaces: Option<Unique<String, ConfigName>>,
    services: Unique<ServiceName, Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    team: Option<ConfigName>,
    owns: Unique<Environment, Unique<Owned, Vec<String>>>,
}

/// Whose something is, and in which environments.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) service: ServiceName,
    pub(super) environments: BTreeSet<Environment>,
}

/// The entities, checked.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    environments: Vec<Environment>,
    teams: Vec<ConfigName>,
    /// Whose each namespace of a cluster is.
    namespaces: BTreeMap<String, ConfigName>,
    services: BTreeMap<ServiceName, Option<ConfigName>>,
    shares: Shares,
}

type Shares = BTreeMap<Owned, BTreeMap<String, Share>>;

impl Ownership {
    /// Services, which are the plugins too, sorted.
    pub(super) fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    /// Environments, in the order of the file.
    pub(super) fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// Whether `plugin` has a block.
    pub(super) fn knows(&self, plugin: &ServiceName) -> bool {
        self.services.contains_key(plugin)
    }

    /// The team of `plugin`, where it has one.
    pub(super) fn team_of(&self, plugin: &ServiceName) -> Option<&ConfigName> {
        self.services.get(plugin)?.as_ref()
    }

    /// The team that the namespace `id` belongs to, where it does to one.
    pub(super) fn team_of_namespace(&self, id: &str) -> Option<&ConfigName> {
        self.namespaces.get(id)
    }

    /// Whose `id` is.
    pub(super) fn share(&self, kind: Owned, id: &str) -> Option<&Share> {
        self.shares.get(&kind)?.get(id)
    }

    /// Everything that is owned, with whose it is.
    pub(super) fn shares(&self) -> impl Iterator<Item = (Owned, &str, &Share)> {
        self.shares
            .iter()
            .flat_map(|(kind, shares)| shares.iter().map(move |(id, share)| (*kind, id.as_str(), share)))
    }

    /// Every Deployment of `runtime`; what is no name of one is no Deployment that there can be.
    pub(super) fn deployments(&self, runtime: &RuntimeName) -> Vec<OwnedDeployment> {
        let deployment = |(id, share): (&String, &Share)| {
            let (namespace, name) = id.strip_prefix(runtime.as_str())?.strip_prefix('/')?.split_once('/')?;
            Some(OwnedDeployment {
                service: share.service.clone(),
                namespace: KubernetesName::parse(namespace).ok()?,
                name: KubernetesName::parse(name).ok()?,
            })
        };
        self.shares.get(&Owned::Deployment).into_iter().flatten().filter_map(deployment).collect()
    }

    /// Every id of the entity type `kind` that the file has.
    pub(super) fn ids<'a>(&'a self, kind: &str) -> Vec<&'a str> {
        match kind {
            "Plugin" | "Service" => self.services.keys().map(ServiceName::as_str).collect(),
            "Team" => self.teams.iter().map(ConfigName::as_str).collect(),
            "Namespace" => self.namespaces.keys().map(String::as_str).collect(),
            "Environment" => self.environments.iter().map(Environment::as_str).collect(),
            _ => {
                let of_kind = self.shares.iter().filter(|(owned, _)| owned.as_str() == kind);
                of_kind.flat_map(|(_, shares)| shares.keys().map(String::as_str)).collect()
            }
        }
    }

    /// Whether a group in the file has the key `id`.
    pub(super) fn has_group_of(&self, id: &str) -> bool {
        self.shares.iter().any(|(owned, shares)| shares.keys().any(|group| owned.has_member(group, id)))
    }
}

/// Parses and checks [`ENTITIES`]; nothing where it cannot be read as a whole.
pub(super) fn parse(file: &Text, problems: &mut Problems) -> Option<Ownership> {
    let parsed: File = problems.taken(file.json("policy-entities", FORM))?;
    let mut reader = Reader { file, problems, shares: BTreeMap::new() };
    reader.once(&parsed.environments, Environment::as_str);
    reader.once(&parsed.teams, ConfigName::as_str);
    let mut namespaces = BTreeMap::new();
    for (id, team) in parsed.namespaces.map(|listed| listed.0).unwrap_or_default() {
        if !is_namespace(&id) {
            let what = format!("{id:?} is no namespace of a cluster");
            reader.problem(&id, &what, "its form is <runtime>/<namespace>");
        }
        reader.declared("team", team.as_str(), &mut parsed.teams.iter().map(ConfigName::as_str));
        namespaces.insert(id, team);
    }
    let mut services = BTreeMap::new();
    for (service, block) in parsed.services.0 {
        if let Some(team) = &block.team {
            reader.declared("team", team.as_str(), &mut parsed.teams.iter().map(ConfigName::as_str));
        }
        let mut owned = 0;
        for (environment, kinds) in block.owns.0 {
            let known = &mut parsed.environments.iter().map(Environment::as_str);
            reader.declared("environment", environment.as_str(), known);
            for (kind, ids) in kinds.0 {
                owned += ids.len();
                for id in &ids {
                    reader.add(&service, &environment, kind, id);
                }
            }
        }
        if owned == 0 {
            reader.problem(
                service.as_str(),
                &format!("{service} owns nothing, so its plugin may do nothing"),
                "list what it owns, or remove the block",
            );
        }
        services.insert(service, block.team);
    }
    let shares = reader.shares;
    Some(Ownership { environments: parsed.environments, teams: parsed.teams, namespaces, services, shares })
}

fn is_namespace(id: &str) -> bool {
    id.split_once('/').is_some_and(|(runtime, namespace)| {
        RuntimeName::parse(runtime).is_ok() && KubernetesName::parse(namespace).is_ok()
    })
}

struct Reader<'a> {
    file: &'a Text,
    problems: &'a mut Problems,
    shares: Shares,
}

impl Reader<'_> {
    fn problem(&mut self, word: &str, what: &str, remedy: &str) {
        let place = self.file.place_of(word);
        self.problems.push(Problem::at(place, "policy-entities", what, remedy));
    }

    fn once<T>(&mut self, names: &[T], text: impl Fn(&T) -> &str) {
        let mut seen = BTreeSet::new();
        for name in names.iter().map(text) {
            if !seen.insert(name) {
                self.problem(name, &format!("{name:?} is listed twice"), "remove one of them");
            }
        }
    }

    fn declared(&mut self, what: &str, name: &str, known: &mut dyn Iterator<Item = &str>) {
        let known: Vec<_> = known.collect();
        if known.contains(&name) {
            return;
        }
        let remedy = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}? If not, add it to {what}s"),
            None => format!("add it to {what}s"),
        };
        self.problem(name, &format!("{what} {name:?} is not in {what}s"), &remedy);
    }

    fn add(&mut self, service: &ServiceName, environment: &Environment, kind: Owned, id: &str) {
        if let Err(form) = kind.check(id, service) {
            let what = format!("the host never asks for {}::{id:?} of {service}", kind.as_str());
            return self.problem(id, &what, &format!("its form is {form}"));
        }
        let share = self
            .shares
            .entry(kind)
            .or_default()
            .entry(id.to_owned())
            .or_insert_with(|| Share { service: service.clone(), environments: BTreeSet::new() });
        if share.service != *service {
            let what = format!("{}::{id:?} belongs to {} already", kind.as_str(), share.service);
            return self.problem(id, &what, "one thing has one owner; remove one of them");
        }
        if !share.environments.insert(environment.clone()) {
            let what = format!("{}::{id:?} is listed twice for {environment}", kind.as_str());
            self.problem(id, &what, "remove one of them");
        }
    }
}

/// Where to add what is missing: `services.shop.owns.prod.Image in entities.json`.
pub(super) fn place_for(service: &ServiceName, environment: &Environment, kind: Owned) -> String {
    format!("services.{service}.owns.{environment}.{} in {ENTITIES}", kind.as_str())
}
