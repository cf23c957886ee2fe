//! Where the time of a live deploy goes, by its report.

use std::time::Duration;

use serde_json::Value;

use crate::sample::Samples;
use crate::table::Table;

/// The parts of a live deploy, in its order: how long the steps took that the report has, and everything else, which is
/// mostly the pass that only looks.
#[derive(Default)]
pub struct Steps(Vec<(String, Samples)>);

impl Steps {
    /// Adds those of a report; the run took so long as a whole.
    pub fn add(&mut self, report: &Value, whole: Duration) {
        let mut rest = whole;
        for step in report["steps"].as_array().into_iter().flatten() {
            let took = Duration::from_millis(step["durationMs"].as_u64().unwrap_or(0));
            rest = rest.saturating_sub(took);
            self.push(step["operation"].as_str().unwrap_or_default(), took);
        }
        self.push("the pass that only looks, and everything else", rest);
    }

    /// Each of them.
    pub fn rows(self, table: &mut Table) {
        for (step, samples) in self.0 {
            table.figure(&format!("  {step}"), &samples);
        }
    }

    fn push(&mut self, step: &str, took: Duration) {
        if let Some((_, samples)) = self.0.iter_mut().find(|(known, _)| known == step) {
            samples.push(took);
        } else {
            let mut samples = Samples::default();
            samples.push(took);
            self.0.push((step.to_owned(), samples));
        }
    }
}
