//! `cargo xtask bench`: a release build, and then the measurements beside a real engine.

use std::process::{Command, ExitCode};

use crate::{
    cargo,
    output::{self, Result},
    test::UNAVAILABLE,
    toolchain,
};

/// Builds with the release profile and measures; all of it, or only what is named.
pub fn run(wanted: &[&str]) -> Result<ExitCode> {
    let driver = toolchain::prepare()?;
    let step = output::begin("building host, lab and bench for release (the first time takes some minutes)");
    let (ok, _) = cargo::watch(
        cargo::cargo(&driver).args(["build", "--release", "-p", "host", "-p", "lab", "-p", "bench"]),
        |line| println!("{line}"),
    )?;
    step.end(if ok { "ok" } else { "FAILED" });
    if !ok {
        return Ok(ExitCode::FAILURE);
    }
    let folder = output::target().join("release");
    let (lab, bench) = (folder.join("lab"), folder.join("bench"));
    let (ok, _) =
        cargo::watch(Command::new(&lab).arg("components").env("RUSTC_WORKSPACE_WRAPPER", driver), |line| {
            println!("{line}");
        })?;
    if !ok {
        return Ok(ExitCode::FAILURE);
    }
    let status = |command: &mut Command| command.args(wanted).status().map_err(|error| error.to_string());
    let mut code = status(Command::new(lab).arg("run").arg(&bench).arg("--"))?.code();
    if code == Some(UNAVAILABLE) {
        // Everything but the live deploy can be measured without an engine.
        code = status(&mut Command::new(bench))?.code();
    }
    Ok(if code == Some(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
