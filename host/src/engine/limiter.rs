//! Memory, tables and instances of a guest.

use wasmtime::ResourceLimiter;

use crate::config::Limits;

/// A guest wanted more than its limit; ends it as a trap with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it wanted {wanted} {what}, {key} allows {limit}")]
pub struct Exhausted {
    what: &'static str,
    key: &'static str,
    wanted: usize,
    limit: usize,
}

/// Counts what all memories and all tables of one guest have together.
pub struct Limiter {
    memory: Budget,
    table: Budget,
    instances: usize,
}

struct Budget {
    what: &'static str,
    key: &'static str,
    limit: usize,
    used: usize,
}

impl Budget {
    fn grow(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add(desired.saturating_sub(current));
        if wanted > self.limit {
            return Err(wasmtime::Error::new(Exhausted {
                what: self.what,
                key: self.key,
                wanted,
                limit: self.limit,
            }));
        }
        self.used = wanted;
        Ok(true)
    }
}

impl Limiter {
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: Budget {
                what: "bytes of memory",
                key: "limits.memory-bytes",
                limit: limits.memory_bytes,
                used: 0,
            },
            table: Budget {
                what: "table elements",
                key: "limits.table-elements",
                limit: limits.table_elements,
                used: 0,
            },
            instances: limits.instances,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory.grow(current, desired)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.table.grow(current, desired)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }
}
