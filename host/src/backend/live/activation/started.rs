//! Is it still the container that was started? A container that crashes and is started again answers between two crashes:
//! healthy is only who stayed.

use serde::{Deserialize, Serialize};

use crate::answer::CallError;
use crate::backend::live::container::{logs, must_run};
use crate::backend::live::docker::{ContainerFacts, Engine};
use crate::names::ContainerName;

/// Which container an activation started, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The container's id.
    pub id: String,
    /// When its process was started, as the engine writes it.
    pub started_at: String,
}

impl Started {
    /// Of a container that runs.
    ///
    /// # Errors
    /// `Mismatch` with how it ended, where it does not run.
    pub fn of(container: &ContainerFacts, engine: &Engine) -> Result<Self, CallError> {
        must_run(engine, container)?;
        Ok(Self { id: container.id.clone(), started_at: container.started_at.clone() })
    }
}

/// Holds the container called `name` against the one that was started: the same one, running without a break.
///
/// # Errors
/// `Mismatch` that tells a stop, a crash loop and a replacement apart; `Unavailable` where the engine cannot be asked.
pub async fn still_same(engine: &Engine, name: &ContainerName, started: &Started) -> Result<(), CallError> {
    let Some(now) = engine.container(name).await? else {
        return Err(CallError::Mismatch(format!(
            "the container {name} is gone: somebody removed it after it was started"
        )));
    };
    if now.id != started.id {
        return Err(CallError::Mismatch(format!(
            "the container {name} is not the one that was started: somebody else recreated it"
        )));
    }
    let running = Started::of(&now, engine)?;
    if running == *started {
        return Ok(());
    }
    Err(CallError::Mismatch(format!(
        "the container {name} did not stay up: it was started again at {} ({} times by the engine itself); {}",
        running.started_at,
        now.restarts,
        logs(engine, &now)
    )))
}
