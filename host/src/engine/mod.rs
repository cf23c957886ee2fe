//! Plugins: loading a component, holding it to the contract, running it once per pass.

mod cache;
mod component;
mod fault;
mod guest;
mod limiter;
mod size;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::Config;
use wasmtime::component::Linker;

pub use component::{Loaded, PACKAGE, VERSION};
pub use fault::PluginFault;
pub use guest::{Descriptor, Ending, EnvironmentFacts, Outcome, SourceFacts, Stop};

use crate::config::Limits;
use crate::fault::Fault;

/// How often the backstop clock ticks.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of native stack a guest may use.
const STACK: usize = 512 << 10;

/// Compiles and runs components.
pub struct Engine {
    wasm: wasmtime::Engine,
    cache: cache::Cache,
    linker: Linker<guest::Running>,
    limits: Limits,
    _clock: Clock,
}

impl Engine {
    /// An engine whose compiled code is kept under `cache`, sealed with a key under `state`.
    ///
    /// # Errors
    /// When this machine cannot run the engine's configuration.
    pub fn new(state: &Path, cache: &Path, limits: &Limits) -> Result<Self, Fault> {
        Self::with(limits, |wasm| cache::Cache::new(state, cache, wasm))
    }

    /// The same, that takes compiled code from there and leaves none.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn that_writes_nothing(state: &Path, cache: &Path, limits: &Limits) -> Result<Self, Fault> {
        Self::with(limits, |wasm| cache::Cache::new(state, cache, wasm).read_only())
    }

    fn with(limits: &Limits, cache: impl FnOnce(&wasmtime::Engine) -> cache::Cache) -> Result<Self, Fault> {
        let broken = |error: wasmtime::Error| {
            Fault::internal(
                "engine",
                format!("the WebAssembly engine cannot start: {error}"),
                "report this as a bug",
            )
        };
        let wasm = wasmtime::Engine::new(&deterministic()).map_err(broken)?;
        let linker = guest::linker(&wasm).map_err(broken)?;
        let cache = cache(&wasm);
        let clock = Clock::start(&wasm);
        Ok(Self { wasm, cache, linker, limits: limits.clone(), _clock: clock })
    }
}

/// The backstop: ends a guest that computes too long, whatever fuel says.
struct Clock(Arc<AtomicBool>);

impl Clock {
    fn start(wasm: &wasmtime::Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (wasm, stopped) = (wasm.weak(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(wasm) = wasm.upgrade() else { return };
                wasm.increment_epoch();
            }
        });
        Self(stop)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A plugin is a function of the request and the answers: nothing in it may depend on the machine or the moment.
fn deterministic() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // A plugin has a few pages of data and runs once or twice: to copy them costs less than a file in memory to map
        // them from, which all cores must hear of when it goes.
        .memory_init_cow(false)
        .max_wasm_stack(STACK);
    config
}
