//! From a file to a component that fits the contract.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use wasmtime::component::Component;

use super::Engine;
use super::cache::TooSlow;
use super::fault::{PluginFault, Which};
use super::guest::Running;
use super::size::{self, Oversized};
use crate::capability::bindings::ConsumerPre;
use crate::file::open_regular;
use crate::names::{Digest, ServiceName};
use crate::timing;
use crate::words::plain;

/// The package of the contract.
pub const PACKAGE: &str = "deploy:consumer";
/// Its version; while it is 0.x every minor version is another contract.
pub const VERSION: &str = "0.1.0";

/// Longest text about a component that the engine repeats, in characters: names in it are the component's own bytes.
const LONGEST: usize = 500;
/// Longest name of an interface in a message, in characters.
const LONGEST_NAME: usize = 120;

/// A component that imports the contract only.
pub struct Loaded {
    /// Its name and digest.
    pub which: Which,
    /// As read from the file.
    pub bytes: Vec<u8>,
    /// The interfaces it imports: the proof of what it can reach.
    pub imports: Vec<String>,
    pub(super) linked: ConsumerPre<Running>,
}

impl Engine {
    /// Reads the component of `name` from `path`, compiles it (or takes it from the cache) and holds its imports and
    /// exports against the contract.
    pub fn load(&self, name: &ServiceName, path: &Path) -> Result<Loaded, PluginFault> {
        let reading = timing::phase("plugin: read");
        let bytes = self.read(name, path)?;
        let which = Which { name: name.clone(), digest: Digest::of(&bytes) };
        drop(reading);
        let no_component = |why: String| PluginFault::NotAComponent { which: which.clone(), why };
        if !bytes.starts_with(b"\0asm") {
            return Err(no_component("it does not begin as a WebAssembly file".to_owned()));
        }
        size::check(&bytes, &self.limits).map_err(|error| match error {
            Oversized::Limit(why) => PluginFault::Limit { which: which.clone(), why },
            Oversized::Malformed(why) => no_component(plain(&why, LONGEST)),
        })?;
        let component = self
            .cache
            .component(&self.wasm, &which.digest, &bytes, Duration::from_secs(self.limits.compile_seconds))
            .map_err(|error| match error.downcast_ref::<TooSlow>() {
                Some(slow) => PluginFault::Limit { which: which.clone(), why: slow.to_string() },
                None => no_component(plain(&format!("{error:#}"), LONGEST)),
            })?;
        let imports = self.imports(&which, &component)?;
        let linked = self.link(&which, &component)?;
        Ok(Loaded { which, bytes, imports, linked })
    }

    fn read(&self, name: &ServiceName, path: &Path) -> Result<Vec<u8>, PluginFault> {
        let fault = |why: String| PluginFault::File { name: name.clone(), path: path.to_path_buf(), why };
        let unreadable = |error: std::io::Error| fault(format!("cannot be read: {error}"));
        let (file, meta) = open_regular(path, OFlags::empty()).map_err(unreadable)?;
        let limit = self.limits.component_bytes;
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(limit)).unwrap_or(0) + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            return Err(fault(format!("has more than {limit} bytes (limits.component-bytes)")));
        }
        Ok(bytes)
    }

    /// Holds the types of what it imports and exports against the contract.
    fn link(&self, which: &Which, component: &Component) -> Result<ConsumerPre<Running>, PluginFault> {
        let linked = self.linker.instantiate_pre(component).and_then(ConsumerPre::new);
        linked.map_err(|error| PluginFault::Contract {
            which: which.clone(),
            why: plain(&format!("{error:#}"), LONGEST),
        })
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
            import: plain(interface, LONGEST_NAME),
        });
    }
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    if minor(version) != minor(VERSION) {
        return Err(PluginFault::ContractVersion {
            which: which.clone(),
            found: plain(interface, LONGEST_NAME),
            expected: format!("{PACKAGE}@{VERSION}"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::file::testing;

    fn fault(put: impl FnOnce(&Path)) -> PluginFault {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("evil.wasm");
        put(&path);
        let engine = Engine::new(folder.path(), folder.path(), &Limits::default()).expect("an engine");
        let name = ServiceName::parse("evil").expect("a service");
        engine.load(&name, &path).map(|_| ()).expect_err("refused")
    }

    #[test]
    fn a_name_inside_a_component_cannot_write_to_the_terminal() {
        // A component that imports a resource whose name the engine refuses and repeats.
        let name = b"a\x1b]0;x\x07\nb";
        let import = [&[1, 0, 9][..], name, &[3, 1]].concat();
        let component = [b"\0asm\x0d\0\x01\0".as_slice(), &[10, 14], &import].concat();
        let fault = fault(|path| std::fs::write(path, &component).expect("a file")).to_string();
        assert!(fault.contains(r"a\u{1b}]0;x\u{7}\nb"), "{fault}");
        assert!(!fault.contains(char::is_control), "{fault}");
    }

    #[test]
    fn a_pipe_is_no_plugin_and_is_not_waited_for() {
        let fault = fault(testing::pipe);
        assert_eq!(fault.code(), "plugin-file");
        assert!(fault.to_string().contains("no regular file"), "{fault}");
    }
}
