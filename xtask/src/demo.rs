//! `cargo xtask demo` and `cargo xtask components`: a build, and then the lab.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use crate::{
    cargo,
    output::{self, Result},
    toolchain,
};

/// Deploys a sample service for real.
pub fn run() -> Result<ExitCode> {
    match components()? {
        code if code == ExitCode::SUCCESS => lab(&["demo"]),
        code => Ok(code),
    }
}

/// Removes what the demo made.
pub fn clean() -> Result<ExitCode> {
    if !lab_program().is_file() && !build()? {
        return Ok(ExitCode::FAILURE);
    }
    lab(&["demo", "--clean"])
}

/// Builds everything and makes the plugins components.
pub fn components() -> Result<ExitCode> {
    if !build()? {
        return Ok(ExitCode::FAILURE);
    }
    let driver = toolchain::prepare()?;
    let step = output::begin("plugins as components");
    let mut command = Command::new(lab_program());
    let (ok, _) = cargo::watch(command.arg("components").env("RUSTC_WORKSPACE_WRAPPER", driver), |line| {
        println!("{line}");
    })?;
    step.end(if ok { "ok" } else { "FAILED" });
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The program of the lab, beside this one.
pub fn lab_program() -> PathBuf {
    output::target().join("debug/lab")
}

/// Builds everything; says whether it compiled.
pub fn build() -> Result<bool> {
    let driver = toolchain::prepare()?;
    let step = output::begin("building host, plugins and lab (the first time takes some minutes)");
    let build = cargo::build(&driver)?;
    step.end(if build.ok { "ok" } else { "FAILED" });
    Ok(build.ok)
}

/// Calls the lab, and ends as it does.
pub fn lab(arguments: &[&str]) -> Result<ExitCode> {
    let program = lab_program();
    let status = Command::new(&program).args(arguments).current_dir(output::root()).status();
    let status = status.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
