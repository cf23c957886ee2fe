//! `cargo xtask lab`: a build, and then the lab.

use std::process::ExitCode;

use crate::{demo, output::Result};

/// Brings the lab up, with everything as it is in this checkout, plugins too.
pub fn up() -> Result<ExitCode> {
    match demo::components()? {
        code if code == ExitCode::SUCCESS => demo::lab(&["up"]),
        code => Ok(code),
    }
}

/// Takes it down, or tells of it; that needs no build where there was one.
pub fn call(verb: &str) -> Result<ExitCode> {
    if demo::lab_program().is_file() || demo::build()? { demo::lab(&[verb]) } else { Ok(ExitCode::FAILURE) }
}
