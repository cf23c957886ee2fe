//! What `host doctor` answers: one value, and its rendering as text.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::Area;
use crate::diagnosis::{Finding, Severity};
use crate::report::{SCHEMA, Style, wrapped};
use crate::words::counted;

/// Columns of a line in the list.
const WIDTH: usize = 80;

/// How everything is together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// All is well.
    Healthy,
    /// Deploys work; somebody should look at something.
    Degraded,
    /// Some deploys do not work, or should not.
    Unhealthy,
}

impl Health {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What `host doctor` answers: everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// [`SCHEMA`].
    pub schema_version: u32,
    /// Whether no check failed.
    pub ok: bool,
    /// Of the worst check.
    pub decision: Health,
    /// In the order in which they are shown.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    #[serde(skip)]
    pub(super) area: Area,
    /// `registry`, `engine/main-server`.
    pub name: String,
    /// Whether there is no problem; warnings are none.
    pub ok: bool,
    /// Of the worst finding.
    pub severity: Severity,
    /// What was seen; of what is wrong only that, line by line.
    pub evidence: String,
    /// What to do, line by line; nothing where all is well.
    pub recommended_action: Option<String>,
    /// The lines of `evidence`, each with what to do about it.
    #[serde(skip)]
    findings: Vec<Finding>,
}

impl Check {
    /// A check that found this; the first finding says what is there.
    #[must_use]
    pub fn new(area: Area, name: &str, findings: Vec<Finding>) -> Self {
        let severity = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
        let mut shown: Vec<_> = findings
            .into_iter()
            .filter(|one| severity == Severity::Ok || one.severity != Severity::Ok)
            .collect();
        // The worst first.
        shown.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let lines = |text: fn(&Finding) -> Option<&str>| {
            let mut lines: Vec<_> = shown.iter().filter_map(text).collect();
            // Two findings may ask for the same.
            lines.dedup();
            lines.join("\n")
        };
        let actions = lines(|finding| finding.recommended_action.as_deref());
        Self {
            area,
            name: name.to_owned(),
            ok: severity != Severity::Problem,
            severity,
            evidence: lines(|finding| Some(&finding.evidence)),
            recommended_action: (!actions.is_empty()).then_some(actions),
            findings: shown,
        }
    }
}

impl Diagnosis {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        let decision = match checks.iter().map(|check| check.severity).max() {
            None | Some(Severity::Ok) => Health::Healthy,
            Some(Severity::Warning) => Health::Degraded,
            Some(Severity::Problem) => Health::Unhealthy,
        };
        Self { schema_version: SCHEMA, ok: decision != Health::Unhealthy, decision, checks }
    }

    /// One line for each check, then everything that is wrong with what to do about it.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, style);
        text
    }

    fn write(&self, out: &mut String, style: Style) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for check in &self.checks {
            let begun = format!("{}  {:<width$}  ", word(check.severity, style), check.name);
            let first = check.evidence.lines().next().unwrap_or_default();
            // What is well is told here only; what is not stands below in full.
            let room =
                if check.severity == Severity::Ok { usize::MAX } else { WIDTH.saturating_sub(7 + 4 + width) };
            writeln!(out, "{begun}{}", cut(first, room))?;
        }
        // What stands above already is not written again: one missing rule keeps the doctor from everything.
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for check in self.checks.iter().filter(|check| check.severity != Severity::Ok) {
            writeln!(out, "\n{}  {}", word(check.severity, style), check.name)?;
            for finding in &check.findings {
                let (first, rest) = finding.evidence.split_once('\n').unwrap_or((&finding.evidence, ""));
                wrapped(out, first, 2)?;
                if rest.is_empty() || told.insert(rest) {
                    rest.lines().try_for_each(|line| wrapped(out, line, 2))?;
                } else {
                    writeln!(out, "  … as above")?;
                }
                if let Some(action) = &finding.recommended_action {
                    wrapped(out, &format!("→ {action}"), 4)?;
                }
            }
        }
        let count = |severity| self.checks.iter().filter(|check| check.severity == severity).count();
        let (problems, warnings) = (count(Severity::Problem), count(Severity::Warning));
        let told = format!(
            "{}: {}, {}, {} in order",
            self.decision.as_str(),
            counted(problems, "check failed", "checks failed"),
            counted(warnings, "warning", "warnings"),
            count(Severity::Ok)
        );
        writeln!(out, "\n{told}")
    }
}

fn word(severity: Severity, style: Style) -> String {
    let code = match severity {
        Severity::Ok => "32",
        Severity::Warning => "33",
        Severity::Problem => "1;31",
    };
    style.paint(code, &format!("{:<7}", severity.as_str()))
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis() -> Diagnosis {
        Diagnosis::new(vec![
            Check::new(Area::Configuration, "configuration", vec![Finding::ok("/srv/host.toml")]),
            Check::new(
                Area::Engine,
                "engine/main-server",
                vec![
                    Finding::ok("Docker 27"),
                    Finding::warning("its clock is 9 s away", "synchronise it"),
                    Finding::problem(
                        "it runs other containers than those that this machine could ever have any use for at all",
                        "run `host` there",
                    ),
                ],
            ),
        ])
    }

    #[test]
    fn the_worst_comes_first_and_decides() {
        let told = diagnosis();
        assert!(!told.ok);
        insta::assert_snapshot!("text", told.render(Style { colour: false, steps: false }));
        insta::assert_snapshot!("json", serde_json::to_string_pretty(&told).expect("JSON"));
    }

    #[test]
    fn one_reason_for_many_checks_is_written_once() {
        let denied = |name: &str| {
            let evidence = format!("policy denies {name}\nto the doctor.\nNo policy permits this.");
            Check::new(Area::Engine, name, vec![Finding::problem(evidence, "let a rule permit it")])
        };
        let told = Diagnosis::new(vec![denied("engine/a"), denied("engine/b")]);
        let text = told.render(Style { colour: false, steps: false });
        assert_eq!(text.matches("No policy permits this.").count(), 1, "{text}");
        assert!(told.checks.iter().all(|check| check.evidence.ends_with("No policy permits this.")));
    }

    #[test]
    fn colour_changes_no_column() {
        let strip = |text: String| {
            text.replace("\u{1b}[32m", "").replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "")
        };
        let [plain, colour] = [false, true].map(|colour| diagnosis().render(Style { colour, steps: false }));
        assert_ne!(plain, colour);
        assert_eq!(plain, strip(colour));
    }
}
