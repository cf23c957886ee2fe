//! `cargo xtask lab`: a build, and then the lab.

use std::process::ExitCode;

use crate::{demo, output::Result};

/// Brings the lab up, with everything as it is in this checkout.
pub fn up() -> Result<ExitCode> {
    if demo::build()? { demo::lab(&["up"]) } else { Ok(ExitCode::FAILURE) }
}

/// Takes it down, or tells of it; that needs no build where there was one.
pub fn call(verb: &str) -> Result<ExitCode> {
    if demo::lab_program().is_file() || demo::build()? { demo::lab(&[verb]) } else { Ok(ExitCode::FAILURE) }
}
