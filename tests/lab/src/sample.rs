//! The sample service as one static program.

use std::{env, fs, path::PathBuf, process::Command};

pub use sample_service::Behaviour;

use crate::{Error, Result, Say, paths, process};

/// Builds the static program; quick when nothing has changed.
pub fn build(say: Say) -> Result<PathBuf> {
    let program = program()?;
    if !program.is_file() {
        say("building the sample service as a static program");
    }
    // A target directory of its own: other flags would otherwise make the workspace build start afresh.
    let mut cargo = cargo();
    cargo
        .args(["rustc", "--quiet", "--release", "--package", "sample-service", "--bin", "sample-service"])
        .args(["--target", &triple(), "--target-dir"])
        .arg(target_directory()?)
        .args(["--", "-C", "target-feature=+crt-static", "-C", "strip=symbols"]);
    process::run(&mut cargo)?;
    Ok(program)
}

/// The bytes of the program that [`build`] made.
pub fn bytes() -> Result<Vec<u8>> {
    let program = program()?;
    fs::read(&program).map_err(Error::io(format!("read {} (cargo xtask builds it)", program.display())))
}

/// The cargo that belongs to this checkout.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root());
    cargo
}

fn program() -> Result<PathBuf> {
    Ok(target_directory()?.join(triple()).join("release/sample-service"))
}

fn target_directory() -> Result<PathBuf> {
    Ok(paths::target()?.join("sample"))
}

/// Static linking needs the target named even where it is the machine's own: the flags would otherwise reach build
/// scripts and macros, which cannot be linked so.
fn triple() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{libc}", env::consts::ARCH)
}
