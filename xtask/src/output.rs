//! Telling what happens and how long it took.

use std::{
    env,
    io::{BufRead as _, BufReader, IsTerminal as _, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Errors of xtask are sentences for the person who called it.
pub type Result<T> = std::result::Result<T, String>;

/// The root of the checkout.
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The target directory that this program was built into.
pub fn target() -> PathBuf {
    let program = env::current_exe().ok();
    let target = program.as_deref().and_then(|program| program.ancestors().nth(2));
    target.map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// The beginning of something that takes a while.
pub fn begin(title: &str) -> Step {
    println!("\n== {title}");
    Step { start: Instant::now() }
}

/// Something that takes a while.
pub struct Step {
    start: Instant,
}

impl Step {
    /// The end of it.
    pub fn end(&self, result: &str) {
        println!("== {result} ({:.1} s)", self.start.elapsed().as_secs_f64());
    }
}

/// Whether cargo should use colour, which it cannot find out by itself when its output is read by us.
pub fn colour() -> &'static str {
    let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted && std::io::stderr().is_terminal() { "always" } else { "never" }
}

/// Starts a command whose output is to be read.
pub fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))
}

/// Calls `each` for every line that the child prints until it ends.
///
/// The end of its output is not waited for: a process that it has left behind may hold that open for ever.
pub fn follow(child: &mut Child, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || lines(stdout, |line| sender.send(line.to_owned()).unwrap_or_default()));
    }
    loop {
        match receiver.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => each(&line),
            Err(RecvTimeoutError::Timeout) if matches!(child.try_wait(), Ok(None)) => {}
            Err(_) => break,
        }
    }
    child.wait().map_err(|error| error.to_string())
}

/// Calls `each` for every line of a stream; a line that is not UTF-8 is shown as well as it can be.
pub fn lines(stream: impl Read, mut each: impl FnMut(&str)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
}

/// A line without colour.
pub fn plain(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_taken_away() {
        assert_eq!(plain("\x1b[1m\x1b[33mwarning\x1b[0m: unused"), "warning: unused");
        assert_eq!(plain("nothing to do"), "nothing to do");
    }
}
