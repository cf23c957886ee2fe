//! What some tests need beside an engine and a registry. It takes long to make, so it is made only for those who ask.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use lab::{Error, Result, Say, cluster, d601, modern, process, security_key};

/// What some tests need.
struct Need {
    /// What the names of those tests begin with.
    prefix: &'static str,
    /// Makes it.
    prepare: fn(Say<'_>) -> Result<()>,
}

const NEEDS: [Need; 4] = [
    Need { prefix: "cluster_", prepare: cluster::prepare },
    Need { prefix: "d601_", prepare: d601::prepare },
    Need { prefix: "modern_", prepare: modern::prepare },
    Need { prefix: "security_key_", prepare: security_key::prepare },
];

/// Prepares what the tests need that these programs would run with these arguments.
///
/// Gives the arguments to run them with: a need that cannot be met here leaves out its tests, and names each. In a CI
/// they are run nevertheless and fail: nobody would notice otherwise.
pub fn prepare(programs: &[PathBuf], arguments: &[String], say: Say) -> Result<Vec<String>> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    let mut left = arguments.to_vec();
    let tests = names(programs, arguments)?;
    for Need { prefix, prepare } in NEEDS {
        // In a module the name follows its path.
        let needs_it = |name: &&String| name.rsplit("::").next().is_some_and(|name| name.starts_with(prefix));
        let tests: Vec<_> = tests.iter().filter(needs_it).collect();
        if tests.is_empty() {
            continue;
        }
        match prepare(say) {
            Ok(()) => {}
            Err(error @ Error::Missing { .. }) if !in_ci => {
                let why = error.to_string().replace('\n', ";");
                for test in tests {
                    println!("test {test} ... skipped: {why}");
                }
                left.extend(["--skip".to_owned(), prefix.to_owned()]);
            }
            Err(error) => say(&error.to_string()),
        }
    }
    Ok(left)
}

/// The names of the tests that would be run.
fn names(programs: &[PathBuf], arguments: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for program in programs.iter().filter(|program| is_test(program)) {
        let list = process::output(Command::new(program).args(arguments).args(["--list", "--format=terse"]))?;
        found.extend(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned));
    }
    Ok(found)
}

/// Whether it is one of cargo's test programs, which can be asked for their tests; measurements cannot.
fn is_test(program: &Path) -> bool {
    program.parent().is_some_and(|folder| folder.ends_with("deps"))
}
