//! A Rust plugin: compiled for the first time, and loaded again.

use std::time::Duration;

use host::config::Limits;
use host::engine::Engine;
use host::names::ServiceName;
use lab::project::SERVICE;

use crate::Result;
use crate::sample;
use crate::table::Table;

const SAMPLES: usize = 21;
const COLD: Duration = Duration::from_millis(60);
const WARM: Duration = Duration::from_millis(3);

pub fn measure(table: &mut Table) -> Result<()> {
    let name = ServiceName::parse(SERVICE)?;
    let component = lab::paths::plugins()?.join(format!("{SERVICE}.wasm"));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let folder = tempfile::TempDir::with_prefix("host-bench-")?;
    let limits = Limits::default();

    let mut round = 0;
    let cold = sample::alone(SAMPLES, || {
        round += 1;
        let engine = Engine::new(folder.path(), &folder.path().join(format!("cache-{round}")), &limits)?;
        sample::timed(|| Ok(engine.load(&name, &component)?))
    })?;
    table.within("Rust plugin, compiled for the first time", &cold, COLD);

    let cache = folder.path().join("cache");
    // To the end of its description, which is more than to its first instruction.
    let warm = sample::alone(SAMPLES, || {
        let engine = Engine::new(folder.path(), &cache, &limits)?;
        sample::timed(|| Ok(engine.describe(&engine.load(&name, &component)?, runtime.handle().clone())?))
    })?;
    table.within("Rust plugin, loaded from the cache and described", &warm, WARM);
    Ok(())
}
