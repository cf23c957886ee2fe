//! Bounds on everything that comes from outside, and on what is kept. The unit is in the name.

use serde::Deserialize;

/// `[limits]` of `host.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Wasm instructions of one guest run, roughly.
    pub fuel: u64,
    /// Linear memory of a guest, in bytes.
    pub memory_bytes: usize,
    /// Elements of a guest's tables.
    pub table_elements: usize,
    /// Core instances inside a component.
    pub instances: usize,
    /// Seconds a guest may compute, host calls not counted: the backstop behind fuel.
    pub guest_seconds: u64,
    /// Capability calls of one guest run.
    pub host_calls: u64,
    /// Bytes of text in one capability call.
    pub call_bytes: usize,
    /// Bytes a guest may log in one run.
    pub log_bytes: usize,
    /// Largest component file, in bytes.
    pub component_bytes: u64,
    /// Functions in all modules of a component together.
    pub functions: u64,
    /// Largest function of a component, in bytes.
    pub function_bytes: usize,
    /// Seconds that compiling a component may take.
    pub compile_seconds: u64,
    /// Deadline of one look-up in the registry, all its requests and retries together, in seconds.
    pub registry_seconds: u64,
    /// Largest manifest or image configuration, in bytes.
    pub manifest_bytes: usize,
    /// Deadline of a whole image delivery, in seconds.
    pub delivery_seconds: u64,
    /// Deadline of one answer of the Docker engine, in seconds.
    pub docker_seconds: u64,
    /// Deadline of `docker compose up`, in seconds.
    pub compose_seconds: u64,
    /// Seconds until a connection to an SSH host must stand, jump hosts and authentication included.
    pub ssh_connect_seconds: u64,
    /// Deadline of a command that gives secrets, in seconds.
    pub secret_seconds: u64,
    /// Deadline of a rollout, in seconds; a plugin may ask for less, never for more.
    pub rollout_seconds: u64,
    /// Deadline of a health verification, in seconds; a plugin may ask for less, never for more.
    pub health_seconds: u64,
    /// Largest health payload, in bytes.
    pub health_bytes: usize,
    /// Commits of one service whose images stay in a runtime after a deploy. What runs and what ran before it always do.
    pub images_kept: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 500_000_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            instances: 20,
            guest_seconds: 5,
            host_calls: 200,
            call_bytes: 256 << 10,
            log_bytes: 64 << 10,
            component_bytes: 4 << 20,
            functions: 20_000,
            function_bytes: 128 << 10,
            compile_seconds: 10,
            registry_seconds: 20,
            manifest_bytes: 4 << 20,
            delivery_seconds: 900,
            docker_seconds: 30,
            compose_seconds: 180,
            ssh_connect_seconds: 5,
            secret_seconds: 20,
            rollout_seconds: 300,
            health_seconds: 120,
            health_bytes: 1 << 20,
            images_kept: 5,
        }
    }
}
