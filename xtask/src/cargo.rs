//! One build for everything.
//!
//! Clippy's driver is a complete compiler, so building with it gives the programs and the lints in one go: nothing is
//! compiled twice, neither for clippy nor with other features.

use std::{
    env,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::output::{self, Result};

/// A program with tests.
pub struct TestProgram {
    /// The program.
    pub program: PathBuf,
    /// The folder of its package.
    pub package: PathBuf,
    /// Whether it is one of the package's `tests/`, and not the unit tests of a library or a program.
    pub is_integration_test: bool,
}

/// What a build gave.
pub struct Build {
    /// Whether everything compiled.
    pub ok: bool,
    /// Whether the compiler and clippy had nothing to say.
    pub clean: bool,
    /// The programs with tests, if those were asked for.
    pub tests: Vec<TestProgram>,
}

/// A cargo command for this workspace that lints what it compiles.
pub fn cargo(driver: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(output::root()).env("RUSTC_WORKSPACE_WRAPPER", driver);
    // What cargo tells this program of itself is none of the others' business: build scripts that look at it would run anew,
    // and after each build by hand again.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_")
            || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
        {
            cargo.env_remove(name);
        }
    }
    // Wherever this program was built, the others are built beside it.
    cargo.env("CARGO_TARGET_DIR", output::target());
    cargo
}

/// Builds all libraries and programs.
pub fn build(driver: &Path) -> Result<Build> {
    run(cargo(driver).args(["build", "--workspace"]))
}

/// Builds all libraries, programs and tests, in one go: the tests' own dependencies choose features of shared ones, which
/// would be compiled a second time.
pub fn build_tests(driver: &Path) -> Result<Build> {
    run(cargo(driver).args(["build", "--workspace", "--all-targets"]))
}

fn run(command: &mut Command) -> Result<Build> {
    // Plugins are only ever compiled for WebAssembly, together with the generator of their bindings.
    command.args(["--exclude", "plugin-*", "--exclude", "guest-*"]);
    command.args(["--message-format=json-render-diagnostics", "--color", output::colour()]);
    let mut tests = Vec::new();
    let (ok, clean) = watch(command, |line| tests.extend(test_program(line)))?;
    Ok(Build { ok, clean, tests })
}

/// Runs a command, passes its standard output to `each` by lines, and shows its standard error.
///
/// Says whether it succeeded, and whether there was no warning.
pub fn watch(command: &mut Command, each: impl FnMut(&str)) -> Result<(bool, bool)> {
    let mut child = output::spawn(command.stderr(Stdio::piped()))?;
    let stderr = child.stderr.take().map(|stderr| thread::spawn(move || show(stderr)));
    let status = output::follow(&mut child, each)?;
    let clean = stderr.is_none_or(|thread| thread.join().unwrap_or(false));
    Ok((status.success(), clean))
}

/// Shows what a compiler says; gives whether there was no warning in it.
fn show(stderr: impl Read) -> bool {
    let mut clean = true;
    output::lines(stderr, |line| {
        clean &= !output::plain(line).starts_with("warning");
        eprintln!("{line}");
    });
    clean
}

/// The test program that a message of cargo tells about.
fn test_program(message: &str) -> Option<TestProgram> {
    // The target has a field `test` too: whether it can be tested. The profile's says whether this is the test.
    let (_, profile) = message.split_once(r#""profile":{"#)?;
    let is_test = message.contains(r#""reason":"compiler-artifact""#) && profile.contains(r#""test":true}"#);
    let program = is_test.then(|| text(message, "executable"))??;
    let manifest = PathBuf::from(text(message, "manifest_path")?);
    Some(TestProgram {
        program: program.into(),
        package: manifest.parent()?.to_path_buf(),
        is_integration_test: message.contains(r#""kind":["test"]"#),
    })
}

/// The value of a key in a line of JSON. Paths with quotes in them are not worth a JSON library.
fn text<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!(r#""{key}":""#))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_found_in_a_message() {
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///c/tests/e2e#0.1.0","manifest_path":"/c/tests/e2e/Cargo.toml","target":{"kind":["test"],"name":"deploy","test":true},"profile":{"opt_level":"0","test":true},"features":[],"executable":"/c/target/debug/deps/deploy-1","fresh":true}"#;
        let found = test_program(message).map(|it| (it.program, it.package, it.is_integration_test));
        assert_eq!(found, Some(("/c/target/debug/deps/deploy-1".into(), "/c/tests/e2e".into(), true)));
        assert!(test_program(&message.replace(r#""0","test":true"#, r#""0","test":false"#)).is_none());
    }
}
