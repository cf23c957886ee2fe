//! Everything that policy is asked when services are deployed, by those who would ask it.
//!
//! Each plugin is heard out offline, in each of its environments, whatever policy says to it: so the same questions can be
//! asked of any policy. What a failure would take back belongs to it, and what the host does for itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::retain::operations;
use super::{Trial, components};
use crate::access::Access;
use crate::backend::secrets::Sources;
use crate::config::Config;
use crate::diagnosis::FarSide;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::identity::Scope;
use crate::names::{Digest, Environment, RuntimeName, ServiceName, Shape};
use crate::operation::{ListArtifacts, Operation};
use crate::policy::{BuiltIn, Policy, Principal};
use crate::recording::Recording;
use crate::step::Step;

/// What one asks in one environment.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// Who asks.
    pub principal: Principal,
    /// Where; nothing for what is about no environment.
    pub environment: Option<Environment>,
    /// How the service is deployed there, as its plugin says.
    pub shape: Option<Shape>,
    /// What is asked, each once, in order.
    pub accesses: Vec<Access>,
}

/// All that is asked, and whose plugin could not be heard.
#[derive(Debug, Default)]
pub struct Inquiries {
    /// By service and environment; then the host's own.
    pub asked: Vec<Inquiry>,
    /// Services whose plugin cannot be used, and why.
    pub unheard: Vec<(ServiceName, String)>,
}

impl Inquiries {
    /// What the plugins of `config`, and the host itself, ask. Of services that have no plugin and are in one of `policies`
    /// it is what could be asked about what they own there.
    ///
    /// # Errors
    /// A plugin folder that cannot be read, or an engine that does not start.
    pub fn of(config: &Config, policies: &[&Policy]) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Handle::current();
        // Plugins wait for answers, which no thread of the runtime may.
        let collected = std::thread::scope(|threads| {
            threads.spawn(|| Self::collected(config, policies, &runtime)).join()
        });
        collected.map_err(|_| {
            Fault::internal("engine", "the plugins' thread ended early", "report this as a bug")
        })?
    }

    fn collected(
        config: &Config,
        policies: &[&Policy],
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self, Fault> {
        let engine = Engine::new(&config.state, &config.cache, &config.limits)?;
        // Heard out, a plugin asks the same whatever decides.
        let nothing = Arc::new(Policy::unusable()?);
        let trial = Trial {
            config,
            policy: &nothing,
            secrets: &Arc::new(Sources::default()),
            requester: "",
            runtime,
        };
        let mut plugins = if config.plugins.exists() { components(&config.plugins)? } else { Vec::new() };
        plugins.sort();
        let mut all = Self::default();
        let mut retained = Vec::new();
        let known: BTreeSet<ServiceName> =
            policies.iter().flat_map(|policy| policy.plugins()).chain(plugins.iter().cloned()).collect();
        for service in &known {
            if !plugins.contains(service) {
                all.by_what_it_owns(service, policies);
                continue;
            }
            let described = engine.load(service, &config.component(service)).and_then(|loaded| {
                engine.describe(&loaded, runtime.clone()).map(|descriptor| (loaded, descriptor))
            });
            let (loaded, descriptor) = match described {
                Ok(described) => described,
                Err(fault) => {
                    all.unheard.push((service.clone(), Fault::from(fault).to_string()));
                    all.by_what_it_owns(service, policies);
                    continue;
                }
            };
            let digest = loaded.which.digest.clone();
            for environment in &descriptor.environments {
                let steps = trial.heard_out(&engine, &loaded, environment);
                retained.push((environment.name.clone(), old_images(config, &steps)));
                all.asked.push(Inquiry {
                    principal: Principal::Plugin { plugin: service.clone(), digest: digest.clone() },
                    environment: Some(environment.name.clone()),
                    shape: Some(environment.shape.clone()),
                    accesses: asked(&steps),
                });
            }
        }
        all.by_the_host(config, &retained);
        Ok(all)
    }

    fn by_what_it_owns(&mut self, service: &ServiceName, policies: &[&Policy]) {
        let mut inquiries: Vec<Inquiry> = Vec::new();
        for (environment, accesses) in policies.iter().flat_map(|policy| policy.own_accesses(service)) {
            let same = |one: &&mut Inquiry| one.environment.as_ref() == Some(&environment);
            if let Some(inquiry) = inquiries.iter_mut().find(same) {
                inquiry.accesses.extend(accesses);
                inquiry.accesses = once(std::mem::take(&mut inquiry.accesses));
                continue;
            }
            inquiries.push(Inquiry {
                principal: Principal::Plugin { plugin: service.clone(), digest: Digest::of(b"") },
                environment: Some(environment),
                shape: None,
                accesses,
            });
        }
        inquiries.sort_by(|one, other| one.environment.cmp(&other.environment));
        self.asked.extend(inquiries);
    }

    fn by_the_host(&mut self, config: &Config, retained: &[(Environment, Vec<Access>)]) {
        let runtimes = || config.runtimes.keys().chain(config.clusters.keys());
        let mut far_sides = vec![FarSide::Registry];
        for runtime in config.runtimes.keys().cloned() {
            far_sides.push(FarSide::Engine { runtime: runtime.clone() });
            far_sides.push(FarSide::Compose { runtime: runtime.clone(), services: Vec::new() });
            far_sides.push(FarSide::EnvFile { runtime });
        }
        far_sides.extend(config.clusters.keys().map(|runtime| FarSide::Cluster { runtime: runtime.clone() }));
        far_sides.extend(config.health.keys().map(|name| FarSide::Health { endpoint: name.clone() }));
        let reads = |runtime: &RuntimeName| Operation::ReadRuns {
            runtime: runtime.clone(),
            services: Vec::new(),
            deployments: Vec::new(),
        };
        let diagnoses = far_sides.into_iter().map(Operation::Diagnose).collect();
        let listed = ListArtifacts { repository: None, after: None, limit: 1 };
        let registry = vec![
            Operation::InspectRegistry { evidence: false },
            Operation::InstallRegistry,
            Operation::ListArtifacts(listed),
        ];
        let everything = Scope {
            engines: config.runtimes.keys().map(|name| (name.clone(), BTreeSet::new())).collect(),
            clusters: config.clusters.keys().cloned().collect(),
            ..Scope::default()
        };
        let own = [
            (BuiltIn::Doctor, diagnoses),
            (BuiltIn::Registry, registry),
            (BuiltIn::Runs, runtimes().map(reads).collect()),
            (BuiltIn::Plans, vec![Operation::Identify(everything)]),
        ];
        let by_itself = |built_in, environment, accesses| Inquiry {
            principal: Principal::BuiltIn { built_in },
            environment,
            shape: None,
            accesses: once(accesses),
        };
        self.asked.extend(own.map(|(built_in, operations)| {
            by_itself(built_in, None, operations.iter().flat_map(Operation::accesses).collect())
        }));
        let environments: BTreeSet<Environment> = retained.iter().map(|(name, _)| name.clone()).collect();
        self.asked.extend(environments.into_iter().map(|environment| {
            let here = retained.iter().filter(|(name, _)| *name == environment);
            let accesses = here.flat_map(|(_, accesses)| accesses.iter().cloned()).collect();
            by_itself(BuiltIn::Retention, Some(environment), accesses)
        }));
        self.asked.retain(|inquiry| !inquiry.accesses.is_empty());
    }
}

/// What the plugin itself asks for, and what taking its changes back does.
fn asked(steps: &[Step]) -> Vec<Access> {
    let back = Recording::undo_order(steps)
        .map(|step| Operation::Undo { change: Box::new(step.operation.clone()) }.accesses());
    once(steps.iter().map(|step| step.operation.accesses()).chain(back).flatten().collect())
}

/// What is asked about old images after a proved deploy.
fn old_images(config: &Config, steps: &[Step]) -> Vec<Access> {
    // A node's kubelet removes what no pod uses. What is patched is a cluster, though this machine may know of none.
    let patched = |runtime: &RuntimeName| {
        steps.iter().any(
            |step| matches!(&step.operation, Operation::PatchDeployments(call) if call.runtime == *runtime),
        )
    };
    let by_the_host = |one: &Operation| {
        !matches!(one, Operation::Retain(call)
            if config.clusters.contains_key(&call.runtime) || patched(&call.runtime))
    };
    let operations = operations(steps, config.limits.images_kept).into_iter();
    operations.filter(by_the_host).flat_map(|one| one.accesses()).collect()
}

/// Each once, in order.
fn once(accesses: Vec<Access>) -> Vec<Access> {
    let mut seen = BTreeSet::new();
    accesses.into_iter().filter(|access| seen.insert((access.action, access.resource.clone()))).collect()
}
