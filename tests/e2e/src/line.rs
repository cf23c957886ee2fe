//! What a run's way to another machine is on this one: the processes of its SSH connection, and what listens.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here should take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everything that listens for TCP in this network namespace, as the kernel writes addresses.
#[must_use]
pub fn listening() -> Vec<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    assert!(tables[0].contains("local_address"), "the kernel's table");
    let mut listening: Vec<_> = tables
        .iter()
        .flat_map(|table| table.lines())
        .filter(|line| line.split_whitespace().nth(3) == Some("0A"))
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect();
    listening.sort();
    listening
}

/// Whether an address of [`listening`] is `127.0.0.1` or `::1`.
#[must_use]
pub fn is_loopback(address: &str) -> bool {
    address.starts_with("0100007F:") || address.starts_with("00000000000000000000000001000000:")
}

/// The masters of SSH connections that runs have made, as far as they live.
#[must_use]
pub fn masters() -> Vec<Pid> {
    processes(|words| words.starts_with("ssh\0") && words.contains("/host-ssh-") && words.contains("\0-M\0"))
}

/// Waits until a connection has carried that much, so that what goes through it is under way.
pub fn carries(bytes: u64) {
    until("something big comes through SSH", || masters().into_iter().any(|master| read_by(master) > bytes));
}

/// Sends a signal to each; one that ended by itself meanwhile is as good.
pub fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        kill_process(*process, signal).unwrap_or_default();
    }
}

/// Bytes that a process has read so far, from its sockets too.
fn read_by(process: Pid) -> u64 {
    let table = fs::read_to_string(format!("/proc/{}/io", process.as_raw_nonzero())).unwrap_or_default();
    let read = table.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Those with such arguments, each with its end marked by a NUL.
fn processes(with: impl Fn(&str) -> bool) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &i32| {
            let words = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            with(&String::from_utf8_lossy(&words))
        })
        .filter_map(Pid::from_raw)
        .collect()
}
