//! What must hold of any `host.toml`.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

use std::path::Path;

use super::Config;
use super::file::understood;
use super::locate::Chosen;
use crate::fault::Fault;
use crate::fuzzing::assert_presentable;

/// Longest complaint, in characters, when every character of it had to be escaped.
const COMPLAINT: usize = 8000;
/// Nobody's password.
const PASSWORD: &str = "hunter2Wq7";
/// How an env file, or a `host.toml`, would have it.
const SECRETS: [&str; 4] = [
    "PASSWORD=hunter2Wq7",
    "PASSWORD = \"hunter2Wq7\"",
    "DB_PASSWORD='x hunter2Wq7'",
    "export PASSWORD=hunter2Wq7 # x",
];

/// Any text is a `host.toml`, or the wrong file: a complaint about it is short and tells no secret.
pub fn host_toml(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match read(&text) {
        Ok(config) => sound(&config),
        Err(fault) => complaint(&fault),
    }
    // A line inside of a longer text is a part of that one's value.
    if text.contains("\"\"\"") || text.contains("'''") || text.contains(PASSWORD) {
        return;
    }
    // Somewhere, and always at the same place of the same text.
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let at = text.bytes().fold(0, |sum, byte| sum + usize::from(byte)) % (lines.len() + 1);
    let (before, after) = (lines[..at].concat(), lines[at..].concat());
    let before = if before.is_empty() || before.ends_with('\n') { before } else { before + "\n" };
    for secret in SECRETS {
        if let Err(fault) = read(&format!("{before}{secret}\n{after}")) {
            complaint(&fault);
            assert!(!fault.to_string().contains(PASSWORD), "{fault}");
        }
    }
}

fn read(text: &str) -> Result<Config, Fault> {
    let base = Path::new("/srv/unidesk");
    understood(text, &Chosen { file: Some(base.join("host.toml")), base: base.to_path_buf() })
}

fn complaint(fault: &Fault) {
    assert_eq!(fault.exit_code(), 2, "{fault}");
    assert_presentable(&fault.message, COMPLAINT);
    assert_presentable(&fault.help, COMPLAINT);
}

/// What the rest of the program relies on.
fn sound(config: &Config) {
    assert!(config.registry.url.is_loopback());
    for runtime in config.runtimes.values() {
        assert!(runtime.docker.starts_with("unix:///"));
        assert!(runtime.directory.is_absolute());
        assert!(!runtime.files.is_empty() && runtime.files.iter().all(|file| file.is_absolute()));
        assert!(!runtime.project.starts_with('-') && !runtime.project.is_empty());
    }
    for host in config.ssh.values() {
        let text = host.destination.as_str();
        assert!(!text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_graphic()));
        assert!(host.config.as_ref().is_none_or(|file| file.is_absolute()));
    }
    for folder in [&config.plugins, &config.policies, &config.state, &config.cache] {
        assert!(folder.is_absolute(), "{}", folder.display());
    }
}
