//! Plugin crates made into WebAssembly components.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use wit_component::ComponentEncoder;

use crate::{Error, Result, paths, process, sample::cargo};

/// Folders of the checkout whose crates are components, and the folder in `target` that they go to.
const SOURCES: [(&str, &str); 2] = [("plugins", "plugins"), ("tests/guests", "guests")];

const TARGET: &str = "wasm32-unknown-unknown";

/// A component that was to be made.
#[derive(Debug)]
pub struct Component {
    /// Its name: the package without `plugin-`, or without `guest-`.
    pub name: String,
    /// The file and its size, or why there is none.
    pub made: Result<(PathBuf, u64)>,
}

/// A crate that becomes a component.
struct Crate {
    id: String,
    package: String,
    name: String,
    file: PathBuf,
}

/// Builds every plugin; one that fails does not keep the others from being made.
pub fn build() -> Result<Vec<Component>> {
    let crates = find()?;
    if crates.is_empty() {
        return Ok(Vec::new());
    }
    let modules = compile(&crates)?;
    let made = crates.into_iter().map(|it| {
        let module = modules.get(&it.id).ok_or_else(|| Error::unexpected(&it.package, "does not compile"));
        Component { made: module.and_then(|module| encode(&it, module)), name: it.name }
    });
    Ok(made.collect())
}

/// All packages of the workspace that are below one of the folders and are built as a dynamic library.
fn find() -> Result<Vec<Crate>> {
    let metadata =
        process::output(cargo().args(["metadata", "--no-deps", "--offline", "--format-version=1"]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| Error::unexpected("cargo metadata", error))?;
    let target = paths::target()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let crates = packages.filter_map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let (_, folder) =
            SOURCES.iter().find(|(source, _)| manifest.starts_with(paths::root().join(source)))?;
        package["targets"].as_array()?.iter().find(|target| is_library(target))?;
        let id = package["id"].as_str()?.to_owned();
        let package = package["name"].as_str()?.to_owned();
        let name = package.trim_start_matches("plugin-").trim_start_matches("guest-").to_owned();
        let file = target.join(folder).join(format!("{name}.wasm"));
        Some(Crate { id, package, name, file })
    });
    Ok(crates.collect())
}

fn is_library(target: &Value) -> bool {
    target["crate_types"].as_array().into_iter().flatten().any(|kind| kind == "cdylib")
}

/// Compiles them all at once and gives the modules of those that compiled, by the id of their package.
fn compile(crates: &[Crate]) -> Result<HashMap<String, PathBuf>> {
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--keep-going", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.args(crates.iter().flat_map(|it| ["--package", it.package.as_str()]));
    // Small modules that still have the names of functions, for the backtrace of a trap. What is not in them need not be
    // compiled, sealed and loaded by every host.
    cargo
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "s")
        .env("CARGO_PROFILE_DEV_LTO", "fat")
        .env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_PROFILE_DEV_STRIP", "debuginfo")
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = cargo.output().map_err(Error::io(format!("run `{}`", process::show(&cargo))))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages.lines().filter_map(|line| artifact(&serde_json::from_str(line).ok()?));
    Ok(artifacts.collect())
}

/// The id of the package, and the module, that a message of cargo tells about.
fn artifact(message: &Value) -> Option<(String, PathBuf)> {
    if message["reason"] != "compiler-artifact" || !is_library(&message["target"]) {
        return None;
    }
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    let module =
        files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))?;
    Some((message["package_id"].as_str()?.to_owned(), module))
}

/// Wraps a module into a component, checks it, and writes it unless it is there already.
fn encode(it: &Crate, module: &Path) -> Result<(PathBuf, u64)> {
    let bytes = fs::read(module).map_err(Error::io(format!("read {}", module.display())))?;
    let component = component(&bytes);
    let component =
        component.map_err(|error| Error::unexpected(format!("make {} a component", it.package), error))?;
    if fs::read(&it.file).ok().as_ref() != Some(&component) {
        it.file.parent().map_or(Ok(()), paths::make_folder)?;
        paths::write(&it.file, &component)?;
    }
    Ok((it.file.clone(), component.len() as u64))
}

/// The module with its own description of its interface, which the bindings left in it.
fn component(module: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| format!("{error:#}"))
}
