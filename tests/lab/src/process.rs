//! Running programs, and finding again those that were left running.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Lines of output that are worth repeating in an error.
const TAIL: usize = 15;

/// The command as a person would type it.
#[must_use]
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,#".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Runs it and gives what it printed, without the line end.
pub fn output(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Runs it for its effect; what it prints is shown only when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    finish(command).map(drop)
}

fn finish(command: &mut Command) -> Result<Output> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output().map_err(Error::io(format!("run `{shown}`")))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::Command {
        command: shown,
        status: output.status.to_string(),
        output: tail(&String::from_utf8_lossy(&text)),
    })
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// Starts a server in its own process group, so that a Ctrl-C here does not reach it, and with its output in a file.
pub fn start(command: &mut Command, log: &Path) -> Result<Child> {
    let opened = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (stdout, stderr) = opened.map_err(Error::io(format!("write {}", log.display())))?;
    let command = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
    command.spawn().map_err(Error::io(format!("start `{}`", show(command))))
}

/// Waits until a server that was just started answers; gives up early when it has ended.
pub fn wait_until(
    what: &'static str,
    child: &mut Child,
    log: &Path,
    patience: Duration,
    mut answers: impl FnMut() -> bool,
) -> Result<()> {
    let start = Instant::now();
    while !answers() {
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        if ended || start.elapsed() > patience {
            let text = fs::read_to_string(log).unwrap_or_default();
            return Err(Error::Silent {
                what,
                seconds: start.elapsed().as_secs(),
                log: log.to_owned(),
                tail: tail(&text),
            });
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The running processes that have this path among their arguments.
///
/// The path is in a folder of the lab, so this finds what the lab started and nothing else; unlike a process id in a
/// file it can never name a stranger that got the number later.
#[must_use]
pub fn with_argument(path: &Path) -> Vec<u32> {
    let wanted = path.as_os_str().as_encoded_bytes();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).skip(1).any(|argument| argument == wanted)
    })
    .collect()
}

/// Asks a process to end, waits, and ends it the hard way when it does not.
pub fn stop(id: u32, patience: Duration) -> Result<()> {
    signal(id, "TERM")?;
    if !gone_within(id, patience) {
        signal(id, "KILL")?;
        if !gone_within(id, patience) {
            return Err(Error::unexpected(format!("stop process {id}"), "it is still there after SIGKILL"));
        }
    }
    Ok(())
}

/// Stops a child of this process, and reaps it.
pub fn stop_child(child: &mut Child, patience: Duration) -> io::Result<()> {
    // The child cannot be gone and its number reused: it is not reaped before `wait`.
    let asked = signal(child.id(), "TERM").is_ok();
    let start = Instant::now();
    while asked && child.try_wait()?.is_none() && start.elapsed() < patience {
        thread::sleep(Duration::from_millis(20));
    }
    if child.try_wait()?.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

/// The shell's `kill` is always there; the program of that name is not on a slim Debian.
fn signal(id: u32, name: &str) -> Result<()> {
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -{name} {id}")]);
    match run(&mut kill) {
        Err(_) if !is_running(id) => Ok(()),
        result => result,
    }
}

fn gone_within(id: u32, patience: Duration) -> bool {
    let start = Instant::now();
    while is_running(id) {
        if start.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

/// Whether the process exists and has not ended; one that ended stays in the list until its parent has looked.
fn is_running(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state follows the name in parentheses, which may itself contain parentheses.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("docker");
        command.args(["inspect", "-f", "{{.Id}} it's", "", "127.0.0.1:5000/a:b"]);
        assert_eq!(show(&command), r"docker inspect -f '{{.Id}} it'\''s' '' 127.0.0.1:5000/a:b");
    }

    #[test]
    fn a_process_is_found_by_its_argument_and_stopped() -> Result<()> {
        let marker = Path::new("/nonexistent/host-lab-marker");
        let mut command = Command::new("sh");
        // It waits for input that never comes, and ignores SIGTERM, so that the hard way is shown too.
        command.args(["-c", "trap '' TERM; read -r line", "sh"]).arg(marker).stdin(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io("start sh"))?;
        // Its arguments can be seen a moment after it was started.
        let mut found = Vec::new();
        for _ in 0..250 {
            found = with_argument(marker);
            if !found.is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        stop(child.id(), Duration::from_millis(200))?;
        assert_eq!(found, [child.id()]);
        assert!(!is_running(child.id()));
        child.wait().map_err(Error::io("reap sh"))?;
        assert!(with_argument(marker).is_empty());
        Ok(())
    }
}
