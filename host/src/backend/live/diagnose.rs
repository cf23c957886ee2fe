//! What `host doctor` asks each far side. Everything is looked at, nothing is changed, and nobody is waited for longer than
//! an operator would.

use std::time::Duration;

use tokio::time::timeout;

use super::FarSides;
use super::compose::Compose;
use super::{docker, env_file, health, registry};
use crate::answer::CallError;
use crate::config::ComposeRuntime;
use crate::diagnosis::{FarSide, Finding};
use crate::operation::Activate;
use crate::words::seconds;

/// Longest that a far side may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl FarSides {
    /// What is to be said of `far_side`; the first finding says what is there.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] for one that the configuration does not name.
    pub(super) async fn diagnose(&self, far_side: &FarSide) -> Result<Vec<Finding>, CallError> {
        let limits = &self.config.limits;
        Ok(match far_side {
            FarSide::Registry => {
                let action =
                    "see what the registry is doing (`docker logs`, `journalctl`), and start it again";
                let url = self.config.registry.url.to_string();
                patient(&url, action, registry::diagnose(&self.config.registry)).await
            }
            FarSide::Engine { runtime } => {
                let runtime = self.runtime(runtime)?;
                let action = "see what the engine is doing (`journalctl -u docker`), and start it again";
                patient(&runtime.docker, action, docker::diagnose(&runtime.docker, limits)).await
            }
            FarSide::Compose { runtime, services } => compose(self, self.runtime(runtime)?, services).await,
            FarSide::EnvFile { runtime } => env_file::diagnose(&self.runtime(runtime)?.env_file),
            FarSide::Health { endpoint } => {
                let source = self.endpoint(endpoint).ok_or_else(|| {
                    CallError::Unavailable(format!("host.toml names no health endpoint {endpoint}"))
                })?;
                let action = "see what the service is doing, and whether the address is right";
                let url = format!("http://{}{}", source.authority, source.path);
                patient(&url, action, health::diagnose(&source, limits.health_bytes)).await
            }
        })
    }
}

/// Compose is a program of its own, which ends itself at its deadline: nothing of it is left behind.
async fn compose(far: &FarSides, runtime: &ComposeRuntime, services: &[Activate]) -> Vec<Finding> {
    let env_file = runtime.env_file.path().ok().filter(|path| path.is_file());
    let path = env_file.clone().unwrap_or_default();
    let compose = Compose::new(runtime, &path, &far.config.limits).hurried();
    compose.diagnose(env_file.is_some(), services).await
}

async fn patient(who: &str, action: &str, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    let late = |_| {
        let evidence = format!(
            "{who} gave no answer within {}, the longest that `host doctor` waits",
            seconds(PATIENCE)
        );
        vec![Finding::problem(evidence, action)]
    };
    timeout(PATIENCE, Box::pin(work)).await.unwrap_or_else(late)
}
