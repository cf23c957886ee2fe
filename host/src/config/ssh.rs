//! `[ssh.<name>]`: a machine that is reached with the user's own `ssh`. How (keys, ports, jump hosts) is the business of
//! the ssh configuration; this file only says which entry of it is meant.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::words::quoted;

/// Longest destination, in bytes: a name of 253, a user and a scheme fit.
const LONGEST: usize = 400;
/// Longest part of a refused value that a message repeats, in characters.
const SHOWN: usize = 120;

/// A machine behind `ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost {
    /// What `ssh` is told to connect to: `ubuntu@d601`, a `Host` of the ssh configuration, `ssh://ubuntu@d601:2222`.
    pub destination: Destination,
    /// Another file than the user's own `~/.ssh/config`.
    pub config: Option<PathBuf>,
}

/// A destination that `ssh` can read as nothing else: no option, no second word, nothing that a shell of a
/// `ProxyCommand` would obey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(String);

impl Destination {
    /// Takes `text` if it keeps the rule.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-@:/[]%+".contains(c);
        let part = |part: &str| !part.is_empty() && !part.starts_with('-');
        let rule = if text.is_empty() {
            "it is empty"
        } else if text.starts_with('-') {
            "ssh would read it as an option"
        } else if text.len() > LONGEST {
            "it is longer than 400 characters"
        } else if !text.chars().all(allowed) {
            "only letters, digits and `._-@:/[]%+` belong into one"
        } else if !text.strip_prefix("ssh://").unwrap_or(text).rsplitn(2, '@').all(part) {
            "user and host must not be empty or begin with `-`"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!(
            "{} is no destination of ssh: {rule}; write user@host or a Host of the ssh configuration",
            quoted(text, SHOWN)
        ))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SshTable {
    destination: Option<String>,
    config: Option<PathBuf>,
    command: Option<Vec<String>>,
}

/// How a machine is reached.
#[derive(Debug)]
pub(super) enum Reached {
    /// By `ssh`.
    Ssh(SshHost),
    /// By a program that takes a shell command as its last argument, and is there to look and no more (specification, "CLI":
    /// `trans D601 sh -- '<command>'`).
    Gateway(Vec<String>),
}

impl SshTable {
    /// What it names; a relative path is relative to `base`.
    ///
    /// # Errors
    /// In words, with the key.
    pub(super) fn reached(self, base: &Path) -> Result<Reached, String> {
        let destination = match (self.destination, self.command) {
            (Some(destination), None) => destination,
            (None, Some(command)) if self.config.is_none() => {
                if command.first().is_none_or(String::is_empty) {
                    return Err("command: it names no program".to_owned());
                }
                return Ok(Reached::Gateway(command));
            }
            (None, None) => return Err("it has neither a destination nor a command".to_owned()),
            _ => {
                return Err(
                    "command: a machine has a destination, with a config of ssh, or a command".to_owned()
                );
            }
        };
        let destination =
            Destination::parse(&destination).map_err(|error| format!("destination: {error}"))?;
        if self.config.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            return Err("config: it is empty; leave it out for the user's own ssh configuration".to_owned());
        }
        Ok(Reached::Ssh(SshHost { destination, config: self.config.map(|file| base.join(file)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(table: &str) -> Result<Reached, String> {
        toml::from_str::<SshTable>(table)
            .map_err(|error| error.message().to_owned())
            .and_then(|table| table.reached(Path::new("/srv")))
    }

    fn host(table: &str) -> Result<SshHost, String> {
        match reached(table)? {
            Reached::Ssh(host) => Ok(host),
            Reached::Gateway(command) => Err(format!("a gateway: {command:?}")),
        }
    }

    #[test]
    fn a_gateway_is_a_command_and_nothing_else() {
        let found = reached("command = [\"trans\", \"D601\", \"sh\", \"--\"]").expect("a gateway");
        assert!(matches!(found, Reached::Gateway(command) if command[0] == "trans"));
        for table in [
            "command = []",
            "command = [\"\"]",
            "command = [\"trans\"]\ndestination = \"d601\"",
            "command = [\"trans\"]\nconfig = \"ssh_config\"",
        ] {
            assert!(reached(table).expect_err(table).contains("command"), "{table}");
        }
    }

    #[test]
    fn whatever_ssh_understands_is_a_destination() {
        for text in
            ["d601", "ubuntu@d601", "ssh://ubuntu@d601:2222", "ubuntu@10.0.0.1", "::1", "a@fe80::1%eth0"]
        {
            let found = host(&format!("destination = {text:?}")).expect(text);
            assert_eq!((found.destination.as_str(), found.config), (text, None));
        }
        let found = host("destination = \"d601\"\nconfig = \"ssh_config\"").expect("a host");
        assert_eq!(found.config, Some(PathBuf::from("/srv/ssh_config")));
    }

    #[test]
    fn what_ssh_or_a_shell_would_read_otherwise_is_refused() {
        for (text, word) in [
            ("", "it is empty"),
            ("-oProxyCommand=reboot", "as an option"),
            ("ubuntu@-oProxyCommand", "begin with `-`"),
            ("ssh://-l@d601", "begin with `-`"),
            ("-v@d601", "as an option"),
            ("@d601", "must not be empty"),
            ("ubuntu@", "must not be empty"),
            ("ssh://", "must not be empty"),
            ("d601 reboot", "only letters"),
            ("d601\\n", "only letters"),
            ("\\u001b[2J", "only letters"),
            ("d601\\u0000", "only letters"),
            ("$(reboot)", "only letters"),
            ("d601;reboot", "only letters"),
            ("`reboot`", "only letters"),
            (&"x".repeat(401), "longer than"),
        ] {
            let error = host(&format!("destination = \"{text}\"")).expect_err(text);
            assert!(error.starts_with("destination: ") && error.contains(word), "{text}: {error}");
            assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
        }
        for (table, word) in [
            ("", "neither a destination nor a command"),
            ("destination = \"d601\"\nconfig = \"\"", "config: it is empty"),
            ("destination = \"d601\"\nport = 22", "unknown field `port`"),
            ("destination = 1", "invalid type"),
        ] {
            let error = host(table).expect_err(table);
            assert!(error.contains(word), "{table}: {error}");
        }
    }
}
