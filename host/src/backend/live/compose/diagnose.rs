//! Can Compose do here what deploys ask of it?

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{Access, access};

use super::{Compose, check};
use crate::backend::live::env_file::Secrets;
use crate::backend::live::machine::Machine;
use crate::backend::live::process::Finished;
use crate::diagnosis::{Finding, Severity};
use crate::names::EnvKey;
use crate::operation::Activate;
use crate::words::{counted, listed, plain};

/// Longest that Compose may take here; reading a project takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// Oldest version: before it, `up --pull never` had no effect, and a missing image would have been pulled from a public
/// registry (docker/compose pull request 10128).
const OLDEST: (u32, u32) = (2, 15);
/// Longest version that a finding repeats, in characters.
const SHOWN: usize = 40;
/// Most variables or services that a finding names.
const NAMED: usize = 5;
/// What to do about the program itself.
const INSTALL: &str =
    "install Docker's Compose plugin, version 2, as a package or into ~/.docker/cli-plugins";
/// What to do about a program that does not end.
const BY_HAND: &str = "see what keeps it: run `docker compose version` by hand";

impl Compose {
    /// The same project under the deadline of somebody who only looks.
    #[must_use]
    pub fn hurried(self) -> Self {
        if self.within <= PATIENCE {
            return self;
        }
        Self { within: PATIENCE, bound: "the longest that `host doctor` waits", ..self }
    }

    /// What is to be said of the program, of the project's files, and of whether they have a place for `services`.
    pub async fn diagnose(&self, has_env_file: bool, services: &[Activate]) -> Vec<Finding> {
        let version = match self.version().await {
            Ok(version) => version,
            Err(problem) => return vec![problem],
        };
        let mut findings: Vec<_> = self.misplaced().into_iter().chain(old(&version)).collect();
        let shown = format!("Compose {version}, project {}", self.project);
        if findings.iter().any(|finding| finding.severity == Severity::Problem) {
            findings.insert(0, Finding::ok(shown));
            return findings;
        }
        if !has_env_file {
            findings.push(Finding::warning(
                "whether the project can be resolved is not known: its env file cannot be read",
                "mend the env file first, then run this again",
            ));
            findings.insert(0, Finding::ok(shown));
            return findings;
        }
        let resolved = self.resolved(services).await;
        let fit = if services.is_empty() {
            String::new()
        } else {
            format!(", room for {}", counted(services.len(), "service", "services"))
        };
        findings.insert(0, Finding::ok(shown + &fit));
        findings.extend(resolved);
        findings
    }

    async fn version(&self) -> Result<String, Finding> {
        let argv = ["docker", "compose", "version", "--short"].map(OsString::from);
        let finished = match self.run(&argv, &[], None).await {
            Ok(finished) if finished.success => finished,
            Ok(finished) => {
                let evidence = format!("`docker compose` does not work here: it {}", finished.ending);
                return Err(Finding::problem(evidence, INSTALL));
            }
            Err(error) => return Err(Finding::told(error.message(), BY_HAND)),
        };
        let version = String::from_utf8_lossy(&finished.stdout);
        Ok(plain(version.trim().trim_start_matches('v'), SHOWN))
    }

    /// Files that are not where the configuration says.
    fn misplaced(&self) -> Vec<Finding> {
        if matches!(self.machine, Machine::There(_)) {
            // There Compose itself says it, with the same names.
            return Vec::new();
        }
        let key = |key: &str| format!("correct `{key}` of this runtime in host.toml, or put it there");
        if !self.directory.is_dir() {
            let evidence = format!("there is no project directory {}", self.directory.display());
            return vec![Finding::problem(evidence, key("project-directory"))];
        }
        let unreadable = |file: &PathBuf| {
            let readable = std::fs::metadata(file).and_then(|metadata| {
                access(file, Access::READ_OK)?;
                if metadata.is_file() { Ok(()) } else { Err(std::io::Error::other("it is no regular file")) }
            });
            readable.err().map(|error| {
                let evidence = format!("the Compose file {} cannot be read: {error}", file.display());
                Finding::problem(evidence, key("files"))
            })
        };
        self.files.iter().filter_map(unreadable).collect()
    }

    /// Resolves the project once for all `services`, as each deploy does for its own.
    async fn resolved(&self, services: &[Activate]) -> Vec<Finding> {
        let mut keys: Vec<&EnvKey> =
            services.iter().flat_map(|call| &call.stamp).map(|pair| &pair.key).collect();
        keys.sort();
        keys.dedup();
        let made_up = check::made_up(&keys);
        let argv = self.argv(&["config", "--format", "json"]);
        let finished = match self.run(&argv, &made_up, None).await {
            Ok(finished) if finished.success => finished,
            Ok(finished) => {
                let said = self
                    .said(&finished, &argv)
                    .await
                    .unwrap_or_else(|| format!("it {} and said nothing", finished.ending));
                return vec![Finding::problem(
                    format!("Compose cannot resolve {}: {said}", self.files_shown()),
                    "mend what it complains of; no deploy of this project works before",
                )];
            }
            Err(error) => return vec![Finding::told(error.message(), BY_HAND)],
        };
        let secrets = self.secrets(&argv).await;
        let mut findings: Vec<_> = unset(&finished, &secrets).into_iter().collect();
        for call in services {
            let own: Vec<_> = made_up
                .iter()
                .filter(|(key, _)| call.stamp.iter().any(|pair| pair.key.as_str() == key))
                .cloned()
                .collect();
            // A service of a profile is not in the whole; named alone it is.
            let fits = match check::service(&finished.stdout, call, &own, &secrets) {
                Ok(()) => Ok(()),
                Err(_) => self.check(call).await,
            };
            if let Err(why) = fits {
                let evidence =
                    format!("the project does not fit {}: {}", call.artifact.service, why.message());
                findings.push(Finding::problem(evidence, "change the Compose file as it says"));
            }
        }
        findings
    }
}

/// Variables that the project uses and nobody sets. Compose takes them for empty. A part of a secret after a `$` is one
/// of them, so the names are told like everything else that Compose says.
fn unset(finished: &Finished, secrets: &Secrets) -> Option<Finding> {
    let said = String::from_utf8_lossy(&finished.stderr);
    let mut names: Vec<String> = said
        .lines()
        .filter(|line| line.contains("variable is not set"))
        .filter_map(|line| line.split("The \\\"").nth(1)?.split("\\\"").next())
        .map(|name| plain(&secrets.hide(name), SHOWN))
        .collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| {
        Finding::warning(
            format!("the project uses variables that are not set, and get no value: {}", listed(&names, NAMED)),
            "set them in the env file, or give them a default in the Compose file: ${NAME:-default}; a `$` that belongs to \
             a value is written `$$`",
        )
    })
}

/// Version 3 and 4 were never released; 5 follows 2.
fn old(version: &str) -> Option<Finding> {
    let mut parts = version.split(['.', '-', '+']);
    let found: Option<(u32, u32)> = parts
        .next()
        .zip(parts.next())
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let (major, minor) = OLDEST;
    match found {
        Some(found) if found >= OLDEST => None,
        Some(_) => Some(Finding::problem(
            format!("Compose {version} is too old: before {major}.{minor}, `up --pull never` was ignored"),
            format!("update Docker's Compose plugin to {major}.{minor} or newer"),
        )),
        None => Some(Finding::warning(
            format!("Compose says that it is version {version:?}, which cannot be read"),
            format!("make sure that it is {major}.{minor} or newer"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let severity = |version: &str| old(version).map(|finding| finding.severity);
        for fine in ["2.15.0", "2.40.3", "2.40.3-desktop.1", "5.0.0", "2.26.1+ds1"] {
            assert_eq!(severity(fine), None, "{fine}");
        }
        for old in ["2.9.0", "2.14.2", "1.29.2"] {
            assert_eq!(severity(old), Some(Severity::Problem), "{old}");
        }
        for strange in ["", "dev", "2"] {
            assert_eq!(severity(strange), Some(Severity::Warning), "{strange}");
        }
    }
}
