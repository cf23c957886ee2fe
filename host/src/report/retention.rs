//! What becomes of old images, as the report tells it.

use std::fmt::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::outcome;
use super::text::{short, wrapped};
use super::{StepDecision, StepOutcome, Style};
use crate::answer::Retained;
use crate::names::{Commit, ImageName};
use crate::operation::Operation;
use crate::step::Step;

/// What becomes of the images of earlier deploys in one runtime, after a proved deploy. It never changes how a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPart {
    /// Continues the numbers of the steps and of the failure path.
    #[schemars(range(min = 1))]
    pub seq: u32,
    /// Logical name.
    pub runtime: String,
    /// The names that the service's images have there, without the commit.
    pub images: Vec<String>,
    /// How many commits stay, the running one and the one before it among them.
    #[schemars(range(min = 2))]
    pub keeps: u32,
    /// What policy said.
    pub decision: StepDecision,
    /// What came of it.
    pub outcome: StepOutcome,
    /// Names that were removed, with the commit.
    pub removed: Vec<String>,
    /// Why something stays that was to go; nothing where all is as it should be.
    pub message: Option<String>,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
}

/// One step as the report tells it; nothing for a step that is about something else.
#[must_use]
pub fn retention_part(step: &Step) -> Option<RetentionPart> {
    let Operation::Retain(call) = &step.operation else { return None };
    let (outcome, _) = outcome(step);
    let error = step.outcome.as_ref().err().map(|error| error.message().to_owned());
    let done = step.after.as_ref().and_then(|after| Retained::deserialize(after).ok()).unwrap_or_default();
    Some(RetentionPart {
        seq: step.seq,
        runtime: call.runtime.to_string(),
        images: call.names.iter().map(ImageName::to_string).collect(),
        keeps: call.keep,
        decision: StepDecision::from(&step.verdict),
        outcome,
        removed: done.removed,
        message: error.or(done.left),
        duration_ms: step.duration_ms,
    })
}

/// What is planned; of what was done only what somebody wants to know: nothing where there was nothing to remove.
pub(super) fn write(out: &mut String, parts: &[RetentionPart], style: Style) -> fmt::Result {
    let told: Vec<&RetentionPart> = parts
        .iter()
        .filter(|part| {
            part.outcome == StepOutcome::Planned || part.message.is_some() || !part.removed.is_empty()
        })
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.bold("afterwards"))?;
    for part in told {
        let RetentionPart { runtime, keeps, .. } = part;
        let images = part.images.join(" and ");
        let word = match part.outcome {
            StepOutcome::Planned => "keeps",
            StepOutcome::Ok => "kept",
            _ => "would keep",
        };
        wrapped(out, &format!("{word} the newest {keeps} commits of {images} in {runtime}"), 2)?;
        for name in &part.removed {
            wrapped(out, &format!("removed {}", shortened(name)), 4)?;
        }
        if let Some(message) = &part.message {
            wrapped(out, "old images stay:", 4)?;
            message.lines().try_for_each(|line| wrapped(out, line, 6))?;
        }
    }
    Ok(())
}

/// An image name with as much of its commit as a person compares.
fn shortened(name: &str) -> String {
    match name.rsplit_once(':') {
        Some((repository, tag)) if Commit::parse(tag).is_ok() => format!("{repository}:{}", short(tag)),
        _ => name.to_owned(),
    }
}
