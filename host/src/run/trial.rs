//! What a plugin would do, for those who only want to know.

use std::sync::Arc;

use super::circumstances;
use crate::backend::Backend;
use crate::backend::secrets::Sources;
use crate::capability::Asked;
use crate::config::Config;
use crate::engine::{Engine, EnvironmentFacts, Loaded};
use crate::gate::{Gate, Subject, Unheard};
use crate::journal::Log;
use crate::names::Commit;
use crate::policy::{Policy, Principal};
use crate::progress::Interrupt;
use crate::step::Step;

/// A commit that nobody has: a dry run needs one, and asks nobody for it.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Dry runs that reach nothing, and of which nothing is kept.
pub struct Trial<'a> {
    /// The operator's configuration.
    pub config: &'a Config,
    /// Who may do what.
    pub policy: &'a Arc<Policy>,
    /// Where secrets are; their files are judged, as in every dry run.
    pub secrets: &'a Arc<Sources>,
    /// Who asks.
    pub requester: &'a str,
    /// Waits for answers; the plugin runs on the thread of the caller, which must be none of its own.
    pub runtime: &'a tokio::runtime::Handle,
}

impl Trial<'_> {
    /// Everything that the plugin asks for in one environment, up to where it ends.
    #[must_use]
    pub fn steps(&self, engine: &Engine, loaded: &Loaded, environment: &EnvironmentFacts) -> Vec<Step> {
        self.tried(engine, loaded, environment, |gate| gate)
    }

    /// The same, whatever policy denies on the way.
    #[must_use]
    pub fn heard_out(&self, engine: &Engine, loaded: &Loaded, environment: &EnvironmentFacts) -> Vec<Step> {
        self.tried(engine, loaded, environment, Gate::hearing_out)
    }

    fn tried(
        &self,
        engine: &Engine,
        loaded: &Loaded,
        environment: &EnvironmentFacts,
        through: impl FnOnce(Gate) -> Gate,
    ) -> Vec<Step> {
        let Ok(commit) = Commit::parse(NO_COMMIT) else { return Vec::new() };
        let (plugin, digest) = (loaded.which.name.clone(), loaded.which.digest.clone());
        let asked = Asked {
            service: plugin.clone(),
            commit,
            namespace: self.config.registry.namespace.clone(),
            runtime: environment.runtime.clone(),
        };
        let environment = &environment.name;
        let subject = Subject {
            principal: Principal::Plugin { plugin, digest },
            context: circumstances(&self.config.zone, self.requester, Some(environment), true),
        };
        let gate = Gate::new(
            Arc::clone(self.policy),
            subject,
            Log::Unkept,
            Backend::Predicting(Arc::clone(self.secrets)),
            Arc::new(Unheard),
            Interrupt::pair().1,
            self.config.limits.host_calls,
        );
        let (_, gate) = engine.deploy(loaded, through(gate), self.runtime.clone(), asked, environment);
        gate.map(Gate::into_steps).unwrap_or_default()
    }
}
