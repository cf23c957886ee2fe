//! What makes a live run a success. A plugin's word is not enough: the run's own record must show that image label,
//! runtime env and health payload all carried the requested commit (specification, "Artifact CD").

use crate::answer::{Answer, Expectation, Literal};
use crate::artifact::{Pair, REVISION_LABEL};
use crate::engine::{Ending, Outcome, Stop};
use crate::names::{Commit, EnvKey, LabelKey};
use crate::operation::Operation;
use crate::step::Step;

/// Why a live run is no success.
#[derive(Debug, Clone, PartialEq)]
pub enum Shortfall {
    /// The pass had no outcome.
    Stopped(Stop),
    /// The plugin says so.
    Failed(Ending),
    /// The plugin says so.
    Refused(Ending),
    /// The plugin says so, and the record proves the commit.
    Degraded(Ending),
    /// The plugin says that all is well, and the record does not show it.
    Unproven(Vec<&'static str>),
}

impl Shortfall {
    /// The plugin's own words, if it had a say in it.
    pub fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Failed(ending) | Self::Refused(ending) | Self::Degraded(ending) => Some(ending),
            Self::Stopped(_) | Self::Unproven(_) => None,
        }
    }
}

/// Holds the plugin's word against the record.
pub fn verdict(outcome: &Result<Outcome, Stop>, steps: &[Step], commit: &Commit) -> Result<(), Shortfall> {
    let ending = match outcome {
        Err(stop) => return Err(Shortfall::Stopped(stop.clone())),
        Ok(Outcome::Failed(ending)) => return Err(Shortfall::Failed(ending.clone())),
        Ok(Outcome::Refused(ending) | Outcome::Unsupported(ending)) => {
            return Err(Shortfall::Refused(ending.clone()));
        }
        Ok(Outcome::Degraded(ending)) => Some(ending),
        Ok(Outcome::Deployed) => None,
    };
    let missing = missing(steps, commit, ending.is_some());
    match (missing.is_empty(), ending) {
        (false, _) => Err(Shortfall::Unproven(missing)),
        (true, Some(ending)) => Err(Shortfall::Degraded(ending.clone())),
        (true, None) => Ok(()),
    }
}

fn missing(steps: &[Step], commit: &Commit, degraded: bool) -> Vec<&'static str> {
    let last_change = steps.iter().rposition(Step::is_done_change).map_or(0, |at| at + 1);
    let after = &steps[last_change..];
    let mut missing = Vec::new();
    if steps.iter().any(|step| step.outcome.is_err()) {
        missing.push("every operation went well");
    }
    let verified: Vec<_> =
        after.iter().filter(|step| matches!(step.outcome, Ok(Answer::Checks(_)))).collect();
    let excused = |step: &Step| degraded && beside_the_commit(step, commit);
    if !verified.iter().all(|step| step.is_satisfied() || excused(step)) {
        missing.push("every verification found what was expected");
    }
    let proves = |test: &dyn Fn(&Operation) -> bool| {
        verified.iter().any(|step| step.is_satisfied() && test(&step.operation))
    };
    let labelled = |labels: &[Pair<LabelKey>]| {
        labels
            .iter()
            .any(|pair| pair.key.as_str() == REVISION_LABEL && pair.value.as_str() == commit.as_str())
    };
    let stamped = |env: &[Pair<EnvKey>]| env.iter().any(|pair| pair.value.as_str() == commit.as_str());
    if !proves(&|operation| match operation {
        Operation::ExpectContainer(call) => labelled(&call.labels),
        Operation::ExpectWorkload(call) => labelled(&call.labels),
        _ => false,
    }) {
        missing.push("the running image's label names the commit");
    }
    if !proves(&|operation| match operation {
        Operation::ExpectContainer(call) => stamped(&call.env),
        Operation::ExpectWorkload(call) => stamped(&call.stamp),
        _ => false,
    }) {
        missing.push("the runtime environment names the commit");
    }
    if !proves(&|operation| match operation {
        Operation::ExpectHealth(call) => {
            call.expectations.iter().any(|one| one.equals == Literal::Text(commit.to_string()))
        }
        _ => false,
    }) {
        missing.push("the health payload names the commit");
    }
    missing
}

/// Whether all that a health payload lacked has nothing to do with the commit: the service itself says that it is not
/// whole, which is what degraded means.
fn beside_the_commit(step: &Step, commit: &Commit) -> bool {
    let (Operation::ExpectHealth(call), Ok(Answer::Checks(checks))) = (&step.operation, &step.outcome) else {
        return false;
    };
    let names_it = |one: &Expectation| one.equals == Literal::Text(commit.to_string());
    checks.iter().filter(|check| !check.satisfied).all(|check| {
        call.expectations.iter().any(|one| one.pointer == check.pointer)
            && !call.expectations.iter().any(|one| one.pointer == check.pointer && names_it(one))
    })
}
