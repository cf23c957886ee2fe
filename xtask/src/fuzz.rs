//! `cargo xtask fuzz`: looks for input that breaks a rule of `host::fuzzing`.
//!
//! The compiler of `rust-toolchain.toml` is enough: coverage needs no nightly one, and `AddressSanitizer`, which does, has
//! nothing to find in safe Rust.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use crate::output::{self, Result};

/// How long each target runs where nobody says.
const SECONDS: u64 = 60;
/// Longest input, in bytes: long enough for every form there is, short enough for thousands of runs in a second.
const LONGEST: u32 = 4096;
/// The version that the flags below were written for.
const CARGO_FUZZ: &str = "0.13.2";

/// What one run of a target gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    runs: u64,
    coverage: u64,
    /// The panic's message, or libFuzzer's word for a hang or too much memory.
    finding: Option<String>,
    /// The input that does it.
    input: Option<PathBuf>,
}

/// Runs one target, or all of them, for some seconds each.
pub fn run(target: Option<&str>, seconds: Option<u64>) -> Result<ExitCode> {
    let targets = chosen(target)?;
    build()?;
    let seconds = seconds.unwrap_or(SECONDS);
    println!("\n== {} targets, {seconds} s each", targets.len());
    let mut findings = 0;
    for target in &targets {
        let run = fuzz(target, seconds)?;
        println!("{target:<16}{:>12} runs, {:>5} edges covered, {}", run.runs, run.coverage, found(&run));
        if run.finding.is_some() {
            findings += 1;
            explain(target, &run);
        }
    }
    println!("\n{} targets, {findings} with a finding", targets.len());
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one target once, with the input in a file.
pub fn replay(target: &str, input: &Path) -> Result<ExitCode> {
    let targets = chosen(Some(target))?;
    // Somebody's file, relative to where they are.
    let input = fs::canonicalize(input).map_err(|error| format!("{}: {error}", input.display()))?;
    build()?;
    let mut command = Command::new(program(&targets[0]));
    let status = command.current_dir(output::root()).arg(input).env("RUST_BACKTRACE", "1").status();
    let status = status.map_err(|error| format!("cannot run {target}: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn sources() -> PathBuf {
    output::root().join("tests/fuzz")
}

/// What is made here; nothing of it is kept in the repository.
fn made() -> PathBuf {
    output::target().join("fuzz")
}

fn program(target: &str) -> PathBuf {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    made().join(triple).join("release").join(target)
}

/// The targets that are meant, sorted.
fn chosen(target: Option<&str>) -> Result<Vec<String>> {
    let folder = sources().join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut all: Vec<_> = entries.flatten().filter_map(|entry| stem(entry.path())).collect();
    all.sort();
    match target {
        None | Some("all") => Ok(all),
        Some(target) if all.iter().any(|one| one == target) => Ok(vec![target.to_owned()]),
        Some(target) => Err(format!("there is no fuzz target {target}; there are: {}", all.join(", "))),
    }
}

/// Builds all targets at once, with the versions of the main build.
fn build() -> Result<()> {
    if !has_cargo_fuzz() {
        let step = output::begin("installing cargo-fuzz");
        let version = format!("cargo-fuzz@{CARGO_FUZZ}");
        cargo(&["install", "--locked", &version])?;
        step.end("ok");
    }
    let lock = output::root().join("Cargo.lock");
    let copy = sources().join("Cargo.lock");
    fs::copy(&lock, &copy).map_err(|error| format!("cannot copy {}: {error}", lock.display()))?;
    let step = output::begin("building the fuzz targets (the first time takes some minutes)");
    let made = made().display().to_string();
    cargo(&["fuzz", "build", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none", "--target-dir", &made])?;
    step.end("ok");
    Ok(())
}

fn has_cargo_fuzz() -> bool {
    let mut command = Command::new("cargo");
    command.args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("cargo");
    // These are not linted, and not built beside what is.
    command.current_dir(output::root()).env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("CARGO_TARGET_DIR");
    match command.args(arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo {}` ended with {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}

/// Runs a target until its time is up or something is found. What it learns is kept for the next time.
fn fuzz(target: &str, seconds: u64) -> Result<Run> {
    let learnt = made().join("corpus").join(target);
    let findings = made().join("findings").join(target);
    let logs = made().join("logs");
    for folder in [&learnt, &findings, &logs] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    let log = logs.join(format!("{target}.log"));
    let said = fs::File::create(&log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
    let mut command = Command::new(program(target));
    command.current_dir(output::root()).env("RUST_BACKTRACE", "0");
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={LONGEST}")]);
    command.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", findings.display()));
    let dictionary = sources().join("dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.arg(&learnt).arg(sources().join("corpus").join(target));
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).status();
    let status = status.map_err(|error| format!("cannot run {target}: {error}"))?;
    let text = fs::read(&log).map_err(|error| format!("cannot read {}: {error}", log.display()))?;
    let mut run = result(&String::from_utf8_lossy(&text));
    if !status.success() && run.finding.is_none() {
        run.finding = Some(format!("ended with {status}, see {}", log.display()));
    }
    Ok(run)
}

/// Reads what libFuzzer said.
fn result(log: &str) -> Run {
    let mut run = Run::default();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            run.runs = number.trim().parse().unwrap_or_default();
        } else if let Some((_, rest)) = line.split_once(" cov: ") {
            run.coverage = rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
            // `#123 NEW cov: …`: where a finding comes before the sums.
            let count = line.strip_prefix('#').and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            run.runs = count.unwrap_or(run.runs);
        } else if line.starts_with("thread ") && line.contains("panicked at ") {
            run.finding = Some(message(&mut lines));
        } else if let Some((_, word)) = line.split_once("ERROR: libFuzzer: ") {
            run.finding.get_or_insert_with(|| word.to_owned());
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            run.input = Some(path.into());
        }
    }
    run
}

/// The lines of a panic's message as one.
fn message<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    let after = ["note: ", "stack backtrace:", "=="];
    let lines = lines.take_while(|line| !after.iter().any(|word| line.starts_with(word)));
    lines.map(str::trim).collect::<Vec<_>>().join("; ")
}

fn found(run: &Run) -> String {
    run.finding.as_ref().map_or_else(|| "nothing found".to_owned(), |finding| format!("FOUND: {finding}"))
}

/// How to see it again, and how to keep it.
fn explain(target: &str, run: &Run) {
    if let Some(input) = &run.input {
        let input = input.display();
        println!("  again:   cargo xtask fuzz {target} {input}");
        println!("  to keep: cp {input} tests/fuzz/corpus/{target}/ && cargo test -p host fuzzing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let calm = "INFO: Seed: 1\n#8\tINITED cov: 40 ft: 41 corp: 3/9b\n#9000\tREDUCE cov: 52 ft: 90 corp: 8/64b\n\
            Done 9123 runs in 61 second(s)\nstat::number_of_executed_units: 9123\n";
        assert_eq!(result(calm), Run { runs: 9123, coverage: 52, finding: None, input: None });
        let panic = "#17\tNEW    cov: 44 ft: 50 corp: 4/9b\n\nthread '<unnamed>' (7) panicked at src/a.rs:1:2:\n\
            a value survives\n  left: 1\nnote: run\n==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='/t/'; Test unit written to /t/crash-1\nBase64: eA==\n";
        let found = Run {
            runs: 17,
            coverage: 44,
            finding: Some("a value survives; left: 1".into()),
            input: Some("/t/crash-1".into()),
        };
        assert_eq!(result(panic), found);
        let slow = "==7== ERROR: libFuzzer: timeout after 11 seconds\n";
        assert_eq!(result(slow).finding.as_deref(), Some("timeout after 11 seconds"));
    }
}
