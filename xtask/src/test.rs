//! `cargo xtask test`: every check there is, and one line at the end that counts them.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, ExitCode},
};

use crate::{
    cargo::{self, TestProgram},
    demo::lab_program,
    output::{self, Result},
    tally::Tally,
    toolchain,
};

/// The lab's way to say that it cannot run on this machine.
pub const UNAVAILABLE: i32 = 69;

/// Between the name of a test and why it cannot run here; the lab says it so too.
const SKIPPED: &str = " ... skipped: ";

/// Runs every check; a part that fails does not keep the others from being run.
pub fn run(filter: Option<&str>) -> Result<ExitCode> {
    let mut tally = Tally::default();
    let driver = toolchain::prepare()?;
    formatting(&driver, &mut tally)?;

    let step = output::begin("building everything, with clippy");
    let build = cargo::build_tests(&driver)?;
    step.end(if build.ok { "built" } else { "FAILED" });
    if build.ok {
        let (components, clean) = components(&driver)?;
        tally.check(build.clean && clean);
        println!(
            "== clippy {}",
            if build.clean && clean { "ok" } else { "FAILED: there are warnings above" }
        );
        for made in components {
            tally.check(made);
        }
        tests(&build.tests, filter, &mut tally)?;
    } else {
        tally.check(false);
    }
    println!("\n{tally}");
    Ok(tally.exit_code())
}

fn formatting(driver: &Path, tally: &mut Tally) -> Result<()> {
    let step = output::begin("formatting");
    let status = cargo::cargo(driver).args(["fmt", "--all", "--", "--check"]).status();
    let ok = status.map_err(|error| format!("cannot run cargo fmt: {error}"))?.success();
    step.end(if ok { "ok" } else { "FAILED: cargo fmt --all" });
    tally.check(ok);
    Ok(())
}

/// Makes the plugins components: for each whether it worked, and whether there was no warning.
fn components(driver: &Path) -> Result<(Vec<bool>, bool)> {
    let step = output::begin("plugins as components, with clippy");
    let mut made = Vec::new();
    let mut lab = Command::new(lab_program());
    let (ok, clean) = cargo::watch(lab.arg("components").env("RUSTC_WORKSPACE_WRAPPER", driver), |line| {
        println!("{line}");
        if let Some(line) = line.strip_prefix("component ") {
            made.push(line.contains(" ok "));
        }
    })?;
    step.end(if ok { "ok" } else { "FAILED" });
    if !ok && made.iter().all(|made| *made) {
        made.push(false);
    }
    Ok((made, clean))
}

/// Unit and golden tests as they are; tests of real components beside an engine and a registry.
fn tests(programs: &[TestProgram], filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let lab_tests = output::root().join("tests");
    let (real, alone): (Vec<_>, Vec<_>) =
        programs.iter().partition(|it| it.is_integration_test && it.package.starts_with(&lab_tests));
    for test in alone {
        let step = output::begin(&format!("tests of {}: {}", name(&test.package), name(&test.program)));
        let before = *tally;
        let mut command = Command::new(&test.program);
        run_tests(command.args(filter), &test.package, 1, tally)?;
        step.end(&tally.since(before).to_string());
    }
    let mut by_package: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for test in real {
        by_package.entry(&test.package).or_default().push(&test.program);
    }
    for (package, programs) in by_package {
        let step = output::begin(&format!("tests of {} with real components", name(package)));
        let before = *tally;
        let mut command = Command::new(lab_program());
        // The name of the container is the same for all of them.
        command.arg("run").args(&programs).args(["--", "--test-threads=1"]).args(filter);
        if run_tests(&mut command, package, programs.len(), tally)? == Some(UNAVAILABLE) {
            skip(&programs, filter, tally)?;
        }
        step.end(&tally.since(before).to_string());
    }
    Ok(())
}

/// Runs test programs and adds up their results; one that dies without a result has failed. Gives the exit code.
fn run_tests(
    command: &mut Command,
    package: &Path,
    programs: usize,
    tally: &mut Tally,
) -> Result<Option<i32>> {
    let mut child = output::spawn(command.current_dir(package).env("CARGO_MANIFEST_DIR", package))?;
    let mut results = 0;
    let status = output::follow(&mut child, |line| {
        println!("{line}");
        results += usize::from(tally.test_result(line));
        tally.skipped += u32::from(line.starts_with("test ") && line.contains(SKIPPED));
    })?;
    if status.code() != Some(UNAVAILABLE) {
        for _ in results..programs {
            tally.check(false);
        }
    }
    Ok(status.code())
}

/// Names the tests that cannot run here. In a CI that is a failure: nobody would notice otherwise.
fn skip(programs: &[&Path], filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    for program in programs {
        let list = Command::new(program).args(["--list", "--format", "terse"]).args(filter).output();
        let list = list.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let text = String::from_utf8_lossy(&list.stdout);
        for test in text.lines().filter_map(|line| line.strip_suffix(": test")) {
            println!("test {test}{SKIPPED}the lab cannot run here");
            if in_ci {
                tally.failed += 1;
            } else {
                tally.skipped += 1;
            }
        }
    }
    Ok(())
}

/// The name of a file; of a test program without the hash that cargo adds.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 => name.to_owned(),
        _ => name.into_owned(),
    }
}
