//! Where the time goes: each phase of a run is one line of the trace (`HOST_LOG=trace`), which `cargo xtask bench` adds up.

use std::time::Instant;

/// A phase that is being measured; told when it is dropped.
pub struct Phase {
    name: &'static str,
    begun: Instant,
}

/// Begins a phase. Phases do not contain each other, so that they may be added up.
#[must_use]
pub fn phase(name: &'static str) -> Phase {
    Phase { name, begun: Instant::now() }
}

impl Drop for Phase {
    fn drop(&mut self) {
        let us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::trace!(phase = self.name, us, "spent");
    }
}
