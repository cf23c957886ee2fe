//! The parts of the toolchain that are not in every installation.

use std::{path::PathBuf, process::Command};

use crate::output::{self, Result};

/// The target of the plugins.
const WASM: &str = "wasm32-unknown-unknown";

/// Where the compiler that runs clippy's lints is, after adding whatever is missing and can be added.
pub fn prepare() -> Result<PathBuf> {
    let sysroot = PathBuf::from(print("sysroot", &[])?);
    let driver = sysroot.join("bin/clippy-driver");
    let formatter = sysroot.join("bin/rustfmt");
    if !driver.is_file() || !formatter.is_file() {
        rustup(&["component", "add", "clippy", "rustfmt"])?;
    }
    if !PathBuf::from(print("target-libdir", &["--target", WASM])?).is_dir() {
        rustup(&["target", "add", WASM])?;
    }
    Ok(driver)
}

fn print(what: &str, more: &[&str]) -> Result<String> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(output::root()).args(["--print", what]).args(more);
    let output = rustc.output().map_err(|error| format!("cannot run rustc: {error}"))?;
    if !output.status.success() {
        return Err(format!("rustc --print {what} ended with {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn rustup(arguments: &[&str]) -> Result<()> {
    let line = format!("rustup {}", arguments.join(" "));
    println!("  {line}");
    let status = Command::new("rustup").current_dir(output::root()).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("`{line}` is needed here and cannot be run: {error}")),
    }
}
