//! Compiled code on disk. An entry is machine code that will run in this process, so it is executed only if this user
//! wrote it with this engine from this component: the file must be ours and nobody else's to write, and sealed with a
//! key that is kept apart from it. Anything else is compiled again and replaced.

use std::fs::{DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::OFlags;
use sha2::Sha256;
use wasmtime::component::Component;

use crate::file::open_regular;
use crate::names::Digest;
use crate::timing;

type Seal = Hmac<Sha256>;

const SEAL_BYTES: usize = 32;
/// Bytes of stack for the compiler, as the main thread has them.
const COMPILER_STACK: usize = 8 << 20;
/// Largest entry that is read, in bytes.
const LARGEST: u64 = 512 << 20;

/// An entry, with its seal in front, whose seal fits.
struct Sound(Vec<u8>);

/// Compiled components of one engine configuration.
pub struct Cache {
    folder: PathBuf,
    key_file: PathBuf,
    key: OnceLock<Vec<u8>>,
    /// Two engine configurations or versions never share an entry.
    engine: u64,
    read_only: bool,
}

impl Cache {
    /// Keeps code under `cache`, sealed with a key under `state`.
    pub fn new(state: &Path, cache: &Path, engine: &wasmtime::Engine) -> Self {
        let mut hasher = Fnv::default();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self {
            folder: cache.join("compiled"),
            key_file: state.join("cache.key"),
            key: OnceLock::new(),
            engine: hasher.finish(),
            read_only: false,
        }
    }

    /// The same, that makes no key and no entry.
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The compiled form of `bytes`, from disk if a sealed entry is there. A cache that cannot be used only costs time:
    /// it says so in the trace and compiles.
    pub fn component(
        &self,
        engine: &wasmtime::Engine,
        digest: &Digest,
        bytes: &[u8],
        within: Duration,
    ) -> wasmtime::Result<Component> {
        let key = match self.key() {
            Ok(key) => Some(key),
            Err(error) => {
                if !self.read_only {
                    tracing::warn!(%error, "compiled code is not cached");
                }
                None
            }
        };
        if let Some(key) = key {
            match self.read(key, digest) {
                Ok(Some(entry)) => match timed(|| deserialise(engine, &entry)) {
                    Ok(component) => return Ok(component),
                    Err(error) => {
                        tracing::warn!(%error, %digest, "compiled code did not load, compiling again");
                    }
                },
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, %digest, "cached code refused, compiling again"),
            }
        }
        let compiling = timing::phase("compile");
        let component = compile(engine, bytes, within)?;
        drop(compiling);
        if let Some(key) = key.filter(|_| !self.read_only) {
            let stored = component
                .serialize()
                .map_err(|error| error.to_string())
                .and_then(|code| self.write(key, digest, &code).map_err(|error| error.to_string()));
            if let Err(error) = stored {
                tracing::warn!(%error, %digest, "compiled code was not cached");
            }
        }
        Ok(component)
    }

    /// Each key has its own entries: state folders that share a cache folder leave each other's alone.
    fn entry(&self, key: &[u8], digest: &Digest) -> PathBuf {
        let (code, sealed_by) = (hex(digest), Digest::of(key));
        let sealed_by = &hex(&sealed_by)[..16];
        self.folder.join(format!("{code}-{:016x}-{sealed_by}.cwasm", self.engine))
    }

    /// What is sealed: an entry moved to another name or engine fails like a damaged one.
    fn seal(&self, key: &[u8], digest: &Digest, code: &[u8]) -> std::io::Result<Seal> {
        let mut seal = Seal::new_from_slice(key).map_err(std::io::Error::other)?;
        seal.update(digest.as_str().as_bytes());
        seal.update(&self.engine.to_le_bytes());
        seal.update(code);
        Ok(seal)
    }

    /// An entry whose seal fits.
    fn read(&self, key: &[u8], digest: &Digest) -> std::io::Result<Option<Sound>> {
        let reading = timing::phase("cache: read");
        let Some(content) = read_own(&self.entry(key, digest))? else { return Ok(None) };
        drop(reading);
        let _sealing = timing::phase("cache: seal");
        let (seal, code) =
            content.split_at_checked(SEAL_BYTES).ok_or_else(|| std::io::Error::other("it is cut off"))?;
        self.seal(key, digest, code)?.verify_slice(seal).map_err(|_| {
            std::io::Error::other("its seal does not fit: damaged, or written by somebody else")
        })?;
        Ok(Some(Sound(content)))
    }

    fn write(&self, key: &[u8], digest: &Digest, code: &[u8]) -> std::io::Result<()> {
        private_folder(&self.folder)?;
        let seal = self.seal(key, digest, code)?.finalize().into_bytes();
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&seal)?;
        file.write_all(code)?;
        file.persist(self.entry(key, digest)).map_err(|error| error.error)?;
        Ok(())
    }

    /// The sealing key, read or made once.
    fn key(&self) -> std::io::Result<&[u8]> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let key = self.read_or_make_key()?;
        Ok(self.key.get_or_init(|| key))
    }

    fn read_or_make_key(&self) -> std::io::Result<Vec<u8>> {
        for _ in 0..2 {
            if let Some(key) = read_own(&self.key_file)?.filter(|key| key.len() == SEAL_BYTES) {
                return Ok(key);
            }
            if self.read_only {
                return Err(std::io::Error::other("there is no key yet, and this command makes none"));
            }
            let folder = self.key_file.parent().unwrap_or(Path::new("."));
            private_folder(folder)?;
            let mut key = vec![0; SEAL_BYTES];
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&key)?;
            match file.persist_noclobber(&self.key_file) {
                Ok(_) => return Ok(key),
                // Another run made it in between, or what is there is no key of ours.
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.error),
            }
        }
        Err(std::io::Error::other(format!("{} holds no key; remove it", self.key_file.display())))
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> T {
    let _phase = timing::phase("cache: deserialise");
    work()
}

fn hex(digest: &Digest) -> &str {
    digest.as_str().trim_start_matches("sha256:")
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The content of a regular file that belongs to this user and that nobody else can write; nothing where there is none.
fn read_own(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let (file, meta) = match open_regular(path, OFlags::NOFOLLOW) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
        return Err(std::io::Error::other(format!("{} is not a private file of this user", path.display())));
    }
    let mut content = Vec::with_capacity(usize::try_from(meta.len().min(LARGEST)).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Compiling a component took too long.
#[derive(Debug, thiserror::Error)]
#[error("compiling took longer than {} s (limits.compile-seconds)", .0.as_secs())]
pub struct TooSlow(Duration);

/// Compiles on a thread of its own. The engine knows no deadline, and its time grows faster than the component: a thread
/// that is late is left behind, and ends with the program.
fn compile(engine: &wasmtime::Engine, bytes: &[u8], within: Duration) -> wasmtime::Result<Component> {
    let (engine, bytes) = (engine.clone(), bytes.to_vec());
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().stack_size(COMPILER_STACK).spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = sender.send(Component::new(&engine, bytes));
    })?;
    match receiver.recv_timeout(within) {
        Ok(component) => component,
        Err(RecvTimeoutError::Timeout) => Err(wasmtime::Error::new(TooSlow(within))),
        Err(RecvTimeoutError::Disconnected) => Err(wasmtime::Error::msg("the compiler failed on it")),
    }
}

#[allow(unsafe_code, reason = "the sealed entry is this program's own output; checked by `read` just before")]
fn deserialise(engine: &wasmtime::Engine, Sound(entry): &Sound) -> wasmtime::Result<Component> {
    // SAFETY: `entry` carried a valid seal for this component and this engine, made with a key that only this user can
    // read, so what follows the seal is unchanged output of `Component::serialize`. It is checked and executed from this
    // one copy in memory: mapping the file instead would let it change between the two.
    unsafe { Component::deserialize(engine, &entry[SEAL_BYTES..]) }
}

/// FNV-1a: stable between runs, unlike the standard hasher.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_folders_that_share_a_cache_folder_leave_each_others_entries_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = wasmtime::Engine::default();
        let empty = b"\0asm\x0d\0\x01\0";
        let digest = Digest::of(empty);
        let caches = ["a", "b"].map(|state| Cache::new(&folder.path().join(state), folder.path(), &engine));
        for cache in &caches {
            cache.component(&engine, &digest, empty, Duration::from_secs(10)).expect("a component");
        }
        for cache in &caches {
            let key = cache.key().expect("a key");
            assert!(cache.read(key, &digest).expect("a sound entry").is_some());
        }
        assert_eq!(std::fs::read_dir(folder.path().join("compiled")).expect("entries").count(), 2);
    }
}
