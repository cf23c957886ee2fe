//! What stands behind the gate. The kind of an operation alone fixes how each backend answers:
//!
//! | kind | predicting | observing | live |
//! |---|---|---|---|
//! | read | nothing | real, until the first recorded change | what was observed |
//! | gate | judged offline | judged | enforced before this pass |
//! | change | recorded | probed and recorded | done |
//! | verify | nothing | nothing | real; health and rollouts are polled |
//!
//! After a gate that is not met, the first pass of a live run goes on as a predicting one does: no far side is asked for what
//! will not happen.

pub mod change;
mod gates;
pub mod live;
pub mod secrets;

use std::sync::Arc;

use serde_json::Value;

use crate::answer::{Answer, CallError};
use crate::artifact::Artifact;
use crate::gate::ask::Ask;
use crate::gate::halt::Halt;
use crate::operation::{Kind, Operation};
use crate::recording::{Recording, told};
use crate::step::{Pass, Step};

use change::Unmade;
use live::FarSides;
use secrets::Sources;

/// One of the backends.
pub enum Backend {
    /// Offline dry run: reaches nothing but local files of secrets, since it holds nothing else to reach.
    Predicting(Arc<Sources>),
    /// Plan, and first pass of every live run.
    Observing(Arc<FarSides>),
    /// The same, and what a deploy would verify is looked at once, as it is now: does the artifact run there already?
    Comparing(Arc<FarSides>),
    /// Bound to what was observed.
    Live(Arc<FarSides>, Recording),
}

/// An answer, and for a change what was there before it, what is wanted and what is there now.
#[derive(Debug)]
pub struct Answered {
    /// For the plugin.
    pub answer: Answer,
    /// Of a change.
    pub before: Option<Value>,
    /// Of a change.
    pub desired: Option<Value>,
    /// Of a change that was made.
    pub after: Option<Value>,
    /// How long an answer took that an earlier pass was given, in milliseconds.
    pub took_ms: Option<u64>,
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self { answer, before: None, desired: None, after: None, took_ms: None }
    }
}

/// No answer.
#[derive(Debug)]
pub enum Unreached {
    /// The plugin is told why.
    Told(CallError),
    /// A change began, failed, and could not be taken back whole.
    Left {
        /// The plugin is told why.
        error: CallError,
        /// What was there before it.
        before: Option<Value>,
    },
    /// The pass ends.
    Halt(Halt),
}

impl From<CallError> for Unreached {
    fn from(error: CallError) -> Self {
        Self::Told(error)
    }
}

impl Backend {
    /// Which pass this is.
    #[must_use]
    pub fn pass(&self) -> Pass {
        match self {
            Self::Predicting(_) => Pass::Predicting,
            Self::Observing(_) | Self::Comparing(_) => Pass::Observing,
            Self::Live(..) => Pass::Live,
        }
    }

    /// Refuses, before anything else happens, an operation that a bound pass did not record at this place.
    pub fn admits(&self, seq: u32, operation: &Operation) -> Result<(), Halt> {
        match self {
            Self::Predicting(_) | Self::Observing(_) | Self::Comparing(_) => Ok(()),
            Self::Live(_, recording) => recording.admits(seq, operation),
        }
    }

    /// What the first pass found at this place, where this one is bound to it.
    #[must_use]
    pub fn observed(&self, seq: u32) -> Option<&Step> {
        match self {
            Self::Predicting(_) | Self::Observing(_) | Self::Comparing(_) => None,
            Self::Live(_, recording) => recording.step(seq),
        }
    }

    /// Answers one operation that policy permitted.
    pub async fn answer(&self, ask: Ask<'_>) -> Result<Answered, Unreached> {
        match self {
            Self::Predicting(secrets) => predict(secrets, &ask).await,
            Self::Observing(far) => observe(far, &ask).await,
            Self::Comparing(far) => compare(far, &ask).await,
            Self::Live(far, recording) => act(far, recording, &ask).await,
        }
    }
}

async fn predict(secrets: &Sources, ask: &Ask<'_>) -> Result<Answered, Unreached> {
    Ok(match ask.kind {
        Kind::Read | Kind::Verify => not_asked(ask.operation).into(),
        Kind::Gate => Answer::Gate(gates::judge(secrets, None, ask).await?).into(),
        Kind::Change => Answer::Done.into(),
    })
}

async fn observe(far: &FarSides, ask: &Ask<'_>) -> Result<Answered, Unreached> {
    Ok(match ask.kind {
        Kind::Read if ask.changed || ask.held => not_asked(ask.operation).into(),
        Kind::Read => Box::pin(far.read(ask)).await?.into(),
        Kind::Gate => Answer::Gate(gates::judge(far.secrets(), Some(far), ask).await?).into(),
        Kind::Change if ask.held => Answer::Done.into(),
        Kind::Change => {
            let (before, desired) = Box::pin(far.probe(ask)).await?.unzip();
            Answered { before, desired, ..Answer::Done.into() }
        }
        Kind::Verify => not_asked(ask.operation).into(),
    })
}

async fn compare(far: &FarSides, ask: &Ask<'_>) -> Result<Answered, Unreached> {
    match ask.kind {
        // What differs is told; how the rest of it is says nothing about the artifact.
        Kind::Verify if !ask.held && !ask.differs => Ok(Box::pin(far.look(ask)).await?.into()),
        _ => observe(far, ask).await,
    }
}

async fn act(far: &FarSides, recording: &Recording, ask: &Ask<'_>) -> Result<Answered, Unreached> {
    if let Operation::Undo { change } = ask.operation {
        let done =
            ask.undone.ok_or_else(|| CallError::Other("nothing is known of the state before".to_owned()))?;
        Box::pin(far.undo(ask, change, done)).await?;
        return Ok(Answer::Done.into());
    }
    let recorded = recording.step(ask.seq);
    Ok(match ask.kind {
        // What the first pass found stands: it was asked moments ago, and every decision was made on it.
        Kind::Read | Kind::Gate => match recorded.map(|step| &step.outcome) {
            Some(Ok(answer)) => {
                Answered { took_ms: recorded.map(|step| step.duration_ms), ..answer.clone().into() }
            }
            Some(Err(error)) => return Err(error.clone().into()),
            None => not_asked(ask.operation).into(),
        },
        Kind::Change => {
            let (before, desired) = Box::pin(far.probe(ask)).await?.unzip();
            let found = recorded.and_then(|step| step.before.clone());
            if found != before {
                return Err(Unreached::Halt(Halt::Stale {
                    seq: ask.seq,
                    operation: ask.operation.name(),
                    target: ask.operation.target(),
                    how: told(&found, &before),
                }));
            }
            Box::pin(far.look_ahead(ask, recording.steps())).await;
            match Box::pin(far.apply(ask, before.as_ref())).await {
                Ok(after) => Answered { before, desired, after: Some(after), ..Answer::Done.into() },
                Err(Unmade { error, left: true }) => return Err(Unreached::Left { error, before }),
                Err(Unmade { error, left: false }) => return Err(error.into()),
            }
        }
        Kind::Verify => Box::pin(far.verify(ask)).await?.into(),
    })
}

/// The answer of a pass that does not ask: nothing is invented, and only the artifact, which later calls need, has a
/// form without content.
fn not_asked(operation: &Operation) -> Answer {
    match operation {
        Operation::Resolve(call) => Answer::Artifact(Box::new(Artifact {
            service: call.service.clone(),
            commit: call.commit.clone(),
            repository: call.repository.clone(),
            identity: None,
            labels: Vec::new(),
        })),
        _ => Answer::NotAsked,
    }
}
