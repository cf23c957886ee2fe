//! The machine, without its name.

use std::fs;
use std::process::Command;

/// `2 cores, AMD EPYC, Linux 6.12, Docker version 28.2.2`.
pub fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unknown processor", |(_, model)| model.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let docker = Command::new("docker").arg("--version").output();
    let docker = docker.map_or_else(
        |_| "no docker command".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!("{cores} cores, {model}, Linux {}, {docker}", kernel.trim())
}
