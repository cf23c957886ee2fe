//! What the runtimes themselves tell of the deploys to them, whoever ran those.

use std::sync::Arc;

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Answer;
use crate::backend::live::{Connections, FarSides};
use crate::config::Config;
use crate::fault::Fault;
use crate::gate::built_in::Asking;
use crate::journal::{Journal, Log};
use crate::names::{RuntimeName, ServiceName};
use crate::operation::Operation;
use crate::policy::{BuiltIn, Policy};
use crate::provenance::Provenance;
use crate::run::{circumstances, components};
use crate::who::requester;

/// The last deploy to one target, as it is written down there.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetRow {
    /// Where.
    pub runtime: RuntimeName,
    /// Of which service.
    pub service: ServiceName,
    /// By which run, of whom, of which commit.
    pub deploy: Provenance,
    /// Whether this machine's journal has that run: if not, it is a colleague's, or another machine's.
    pub in_journal: bool,
}

/// A runtime that tells nothing.
#[derive(Serialize, JsonSchema)]
pub struct Untold {
    /// Which.
    pub runtime: RuntimeName,
    /// Why.
    pub error: String,
}

/// What the targets tell.
#[derive(Default)]
pub struct Targets {
    /// By runtime and service.
    pub rows: Vec<TargetRow>,
    /// Those that tell nothing.
    pub untold: Vec<Untold>,
}

/// Asks every runtime that host.toml names for the deploys of one service, or of all that have a plugin.
///
/// # Errors
/// A [`Fault`] for policies, a plugin folder or a journal that cannot be read.
pub async fn ask(config: &Config, journal: &Journal, service: Option<&str>) -> Result<Targets, Fault> {
    if nobodys(config) {
        return Ok(Targets::default());
    }
    let policy = Arc::new(Policy::load(&config.policies)?);
    let far = Arc::new(FarSides::new(Arc::new(Connections::new(config))));
    ask_through(&far, &policy, config, journal, service).await
}

/// Without a file the runtimes are the specification's, and nobody's.
fn nobodys(config: &Config) -> bool {
    config.file.is_none()
}

/// The same by ways that are there already.
///
/// # Errors
/// As for [`ask`].
pub async fn ask_through(
    far: &Arc<FarSides>,
    policy: &Arc<Policy>,
    config: &Config,
    journal: &Journal,
    service: Option<&str>,
) -> Result<Targets, Fault> {
    if nobodys(config) {
        return Ok(Targets::default());
    }
    let mut services = components(&config.plugins)?;
    services.retain(|known| service.is_none_or(|wanted| wanted == known.as_str()));
    services.sort();
    let asked = config.runtimes.keys().chain(config.clusters.keys()).map(|runtime| {
        let asking = Asking {
            policy,
            built_in: BuiltIn::Runs,
            context: circumstances(&config.zone, &requester(), None, true),
            far,
            log: Log::Unkept,
        };
        let mut deployments = policy.deployments(runtime);
        deployments.retain(|one| services.contains(&one.service));
        let operation =
            Operation::ReadRuns { runtime: runtime.clone(), services: services.clone(), deployments };
        async move { (runtime, asking.ask(operation).await) }
    });
    let mut targets = Targets::default();
    for (runtime, answer) in join_all(asked).await {
        let error = match answer {
            Ok(Ok(Answer::Runs(runs))) => {
                for (service, deploy) in runs {
                    let in_journal = journal.has(&deploy.run)?;
                    targets.rows.push(TargetRow { runtime: runtime.clone(), service, deploy, in_journal });
                }
                continue;
            }
            Ok(Ok(_)) => "it answered something else; report this as a bug".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(halt) => halt.to_string(),
        };
        targets.untold.push(Untold { runtime: runtime.clone(), error });
    }
    Ok(targets)
}
