//! From a file to a component that fits the contract.

use std::io::Read;
use std::path::Path;

use wasmtime::component::Component;

use super::Engine;
use super::fault::{PluginFault, Which};
use crate::names::{Digest, ServiceName};

/// The package of the contract.
pub const PACKAGE: &str = "deploy:consumer";
/// Its version; while it is 0.x every minor version is another contract.
pub const VERSION: &str = "0.1.0";

/// A component that imports the contract only.
pub struct Loaded {
    /// Its name and digest.
    pub which: Which,
    /// As read from the file.
    pub bytes: Vec<u8>,
    /// The interfaces it imports: the proof of what it can reach.
    pub imports: Vec<String>,
    pub(super) component: Component,
}

impl Engine {
    /// Reads the component of `name` from `path`, compiles it (or takes it from the cache) and holds its imports and
    /// exports against the contract.
    pub fn load(&self, name: &ServiceName, path: &Path) -> Result<Loaded, PluginFault> {
        let bytes = self.read(name, path)?;
        let which = Which { name: name.clone(), digest: Digest::of(&bytes) };
        let no_component = |why: String| PluginFault::NotAComponent { which: which.clone(), why };
        if !bytes.starts_with(b"\0asm") {
            return Err(no_component("it does not begin as a WebAssembly file".to_owned()));
        }
        let component = self
            .cache
            .component(&self.wasm, &which.digest, &bytes)
            .map_err(|error| no_component(format!("{error:#}")))?;
        let imports = self.imports(&which, &component)?;
        Ok(Loaded { which, bytes, imports, component })
    }

    fn read(&self, name: &ServiceName, path: &Path) -> Result<Vec<u8>, PluginFault> {
        let fault = |why: String| PluginFault::File { name: name.clone(), path: path.to_path_buf(), why };
        let file = std::fs::File::open(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
        let limit = self.limits.component_bytes;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| fault(format!("cannot be read: {error}")))?;
        if bytes.len() as u64 > limit {
            return Err(fault(format!("has more than {limit} bytes (limits.component-bytes)")));
        }
        Ok(bytes)
    }

    fn imports(&self, which: &Which, component: &Component) -> Result<Vec<String>, PluginFault> {
        let kind = component.component_type();
        let mut imports = Vec::new();
        for (name, _) in kind.imports(&self.wasm) {
            held_to_contract(which, name)?;
            imports.push(name.to_owned());
        }
        // A component of another contract version exports that version's interface.
        for (name, _) in kind.exports(&self.wasm) {
            if name.starts_with(&format!("{PACKAGE}/")) {
                held_to_contract(which, name)?;
            }
        }
        imports.sort();
        Ok(imports)
    }
}

fn held_to_contract(which: &Which, interface: &str) -> Result<(), PluginFault> {
    let (name, version) = interface.split_once('@').unwrap_or((interface, ""));
    if name.strip_prefix(PACKAGE).is_none_or(|rest| !rest.starts_with('/')) {
        return Err(PluginFault::ForeignImport {
            which: which.clone(),
            import: interface.escape_debug().take(120).collect(),
        });
    }
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    if minor(version) != minor(VERSION) {
        return Err(PluginFault::ContractVersion {
            which: which.clone(),
            found: interface.escape_debug().take(120).collect(),
            expected: format!("{PACKAGE}@{VERSION}"),
        });
    }
    Ok(())
}
