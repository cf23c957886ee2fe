//! Where host.toml is, who may write it, and whether its limits let anything through.

use std::os::unix::fs::MetadataExt;

use crate::config::Config;
use crate::diagnosis::Finding;
use crate::policy::other_writer;
use crate::words::counted;

/// A deadline beyond this is none, in seconds.
const A_DAY: u64 = 86_400;

pub fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![match &config.file {
        Some(file) => Finding::ok(format!(
            "{}, {}, {}",
            file.display(),
            counted(config.runtimes.len() + config.clusters.len(), "runtime", "runtimes"),
            counted(config.health.len(), "health endpoint", "health endpoints")
        )),
        None => Finding::ok("no host.toml: the specification's defaults hold"),
    }];
    findings.extend(writable(config));
    if config.runtimes.is_empty() && config.clusters.is_empty() {
        findings.push(Finding::warning(
            "no runtime is configured, so nothing can be deployed from here",
            "say where the runtimes are: [runtimes.main-server] in host.toml",
        ));
    }
    findings.extend(limits(config));
    findings
}

/// It names the folder of the policies: whoever writes it decides what is permitted.
fn writable(config: &Config) -> Option<Finding> {
    let file = config.file.as_ref()?;
    let metadata = std::fs::metadata(file).ok()?;
    let (who, flags) = other_writer(metadata.mode(), metadata.uid(), metadata.gid())?;
    Some(Finding::warning(
        format!("{} may be written by {who}, who so may choose other policies and plugins", file.display()),
        format!("`chmod {flags} {}`", file.display()),
    ))
}

fn limits(config: &Config) -> Vec<Finding> {
    let limits = &config.limits;
    let seconds = [
        ("guest-seconds", limits.guest_seconds),
        ("registry-seconds", limits.registry_seconds),
        ("delivery-seconds", limits.delivery_seconds),
        ("docker-seconds", limits.docker_seconds),
        ("compose-seconds", limits.compose_seconds),
        ("rollout-seconds", limits.rollout_seconds),
        ("health-seconds", limits.health_seconds),
    ];
    let sizes = [
        ("fuel", limits.fuel),
        ("memory-bytes", limits.memory_bytes as u64),
        ("table-elements", limits.table_elements as u64),
        ("instances", limits.instances as u64),
        ("host-calls", limits.host_calls),
        ("call-bytes", limits.call_bytes as u64),
        ("component-bytes", limits.component_bytes),
        ("manifest-bytes", limits.manifest_bytes as u64),
        ("health-bytes", limits.health_bytes as u64),
    ];
    let key =
        |names: Vec<&str>| names.iter().map(|name| format!("limits.{name}")).collect::<Vec<_>>().join(", ");
    let all = seconds.iter().chain(&sizes);
    let none: Vec<_> = all.filter(|(_, value)| *value == 0).map(|(name, _)| *name).collect();
    let endless: Vec<_> = seconds.iter().filter(|(_, value)| *value > A_DAY).map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    if !none.is_empty() {
        findings.push(Finding::problem(
            format!("with nothing allowed, no deploy can work: {} = 0", key(none)),
            "remove it, so that the default holds",
        ));
    }
    if !endless.is_empty() {
        findings.push(Finding::warning(
            format!("a deadline of more than a day is none: {}", key(endless)),
            "remove it, so that the default holds",
        ));
    }
    findings
}
