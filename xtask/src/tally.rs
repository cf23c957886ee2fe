//! Counting what passed.

use std::{fmt, process::ExitCode};

/// Checks and tests by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Tally {
    /// Counts one check.
    pub fn check(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Counts a line of a test program that sums up its tests; says whether the line was one.
    pub fn test_result(&mut self, line: &str) -> bool {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return false;
        };
        let count = |word: &str| {
            let before = counts.split_once(word).map_or("", |(before, _)| before).trim_end();
            before.rsplit([' ', ';']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failed += count(" failed");
        self.skipped += count(" ignored");
        true
    }

    /// What was counted since an earlier point.
    pub fn since(self, before: Self) -> Self {
        Self {
            passed: self.passed - before.passed,
            failed: self.failed - before.failed,
            skipped: self.skipped - before.skipped,
        }
    }

    /// Success if nothing failed.
    pub fn exit_code(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_added_up() {
        let mut tally = Tally::default();
        tally.check(true);
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.1s";
        assert!(tally.test_result(line));
        assert!(!tally.test_result("test a ... ok"));
        assert_eq!(tally.to_string(), "13 passed, 3 failed, 1 skipped");
    }
}
