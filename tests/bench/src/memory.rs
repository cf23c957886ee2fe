//! How much memory a program takes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;

/// How often it is looked at. The kernel keeps the most that it was, so only what comes last can be missed.
const PAUSE: Duration = Duration::from_millis(2);

/// The most that was resident of a run that succeeds, in kB, without the programs that it calls.
pub fn peak(command: &mut Command) -> Result<u64> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let now = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = now.and_then(|kilobytes| kilobytes.trim().parse().ok()).unwrap_or(peak);
        std::thread::sleep(PAUSE);
    };
    if status.success() { Ok(peak) } else { Err(format!("{command:?} ended with {status}").into()) }
}
