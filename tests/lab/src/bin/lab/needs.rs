//! What some tests need beside an engine and a registry. It takes long to make, so it is made only for those who ask.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use lab::{Error, Result, Say, d601, process};

/// What the names of tests begin with that need D601.
const D601: &str = "d601_";

/// Prepares what the tests need that these programs would run with these arguments.
///
/// Gives the arguments to run them with: a need that cannot be met here leaves out its tests, and names each. In a CI
/// they are run nevertheless and fail: nobody would notice otherwise.
pub fn prepare(programs: &[PathBuf], arguments: &[String], say: Say) -> Result<Vec<String>> {
    let mut arguments = arguments.to_vec();
    let tests = with_prefix(D601, programs, &arguments)?;
    if tests.is_empty() {
        return Ok(arguments);
    }
    match d601::prepare(say) {
        Ok(()) => {}
        Err(error) if env::var_os("CI").is_some_and(|value| !value.is_empty()) => say(&error.to_string()),
        Err(error @ Error::Missing { .. }) => {
            let why = error.to_string().replace('\n', ";");
            for test in tests {
                println!("test {test} ... skipped: {why}");
            }
            arguments.extend(["--skip".to_owned(), D601.to_owned()]);
        }
        Err(error) => return Err(error),
    }
    Ok(arguments)
}

/// The names of the tests that would be run, as far as they begin so.
fn with_prefix(prefix: &str, programs: &[PathBuf], arguments: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for program in programs.iter().filter(|program| is_test(program)) {
        let list = process::output(Command::new(program).args(arguments).args(["--list", "--format=terse"]))?;
        let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
        // In a module the name follows its path.
        let names =
            names.filter(|name| name.rsplit("::").next().is_some_and(|name| name.starts_with(prefix)));
        found.extend(names.map(str::to_owned));
    }
    Ok(found)
}

/// Whether it is one of cargo's test programs, which can be asked for their tests; measurements cannot.
fn is_test(program: &Path) -> bool {
    program.parent().is_some_and(|folder| folder.ends_with("deps"))
}
