//! What is wrong with a policy folder: collected, so that an author sees all of it at once.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::fault::Fault;
pub(super) use crate::words::nearest;

/// How many problems one message lists; the rest is counted.
const SHOWN: usize = 12;

/// A place in a file of a policy folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// Its name in the folder.
    pub file: String,
    /// From 1; nothing where the file as a whole is meant.
    pub line: Option<usize>,
    /// From 1, in characters; nothing where the file as a whole is meant.
    pub column: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        [self.line, self.column].into_iter().flatten().try_for_each(|number| write!(f, ":{number}"))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Stable, for scripts.
    pub code: &'static str,
    /// Where; nothing where no single place is meant, and the message names what it is about.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, place: None, message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn at(
        place: Place,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { place: Some(place), ..Self::new(code, message, remedy) }
    }

    /// Place and message in one line.
    fn told(&self) -> String {
        self.place.as_ref().map_or_else(|| self.message.clone(), |place| format!("{place}: {}", self.message))
    }
}

/// Everything that was found wrong.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// `value`, if nothing was wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// The value of `result`, or nothing and one more problem.
    pub(super) fn taken<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl From<Problems> for Fault {
    fn from(Problems(mut problems): Problems) -> Self {
        if problems.len() == 1
            && let Some(problem) = problems.pop()
        {
            return Self::usage(problem.code, problem.told(), problem.remedy);
        }
        let code = problems.first().map_or("policy-invalid", |first| first.code);
        let mut lines = vec![format!("{} things are wrong with the policies:", problems.len())];
        for problem in problems.iter().take(SHOWN) {
            lines.push(format!("  {}\n    help: {}", problem.told(), problem.remedy));
        }
        if problems.len() > SHOWN {
            lines.push(format!("  and {} more: `host policy check` lists them all", problems.len() - SHOWN));
        }
        Self::usage(code, lines.join("\n"), "nothing of the folder was used; mend all of this first")
    }
}
