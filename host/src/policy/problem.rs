//! What is wrong with a policy folder: collected, so that an author sees all of it at once.

use crate::fault::Fault;
pub(super) use crate::words::nearest;

/// How many problems one message lists; the rest is counted.
const SHOWN: usize = 12;

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    /// Stable, for scripts.
    code: &'static str,
    /// What is wrong, beginning with the file (and line).
    what: String,
    /// What to do about it.
    remedy: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { code, what: what.into(), remedy: remedy.into() }
    }
}

/// Everything that was found wrong; never empty where it is an error.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// `value`, if nothing was wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
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
            && let Some(Problem { code, what, remedy }) = problems.pop()
        {
            return Self::usage(code, what, remedy);
        }
        let code = problems.first().map_or("policy-invalid", |first| first.code);
        let mut lines = vec![format!("{} things are wrong with the policies:", problems.len())];
        for Problem { what, remedy, .. } in problems.iter().take(SHOWN) {
            lines.push(format!("  {what}\n    help: {remedy}"));
        }
        if problems.len() > SHOWN {
            lines.push(format!("  and {} more", problems.len() - SHOWN));
        }
        Self::usage(code, lines.join("\n"), "nothing of the folder was used; mend all of this first")
    }
}

/// Both values, or the problems of both.
pub(super) fn both<A, B>(a: Result<A, Problems>, b: Result<B, Problems>) -> Result<(A, B), Problems> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut problems), Err(more)) => {
            problems.extend(more.0);
            Err(problems)
        }
        (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(problems),
    }
}
