//! Is the controlled env file as a deploy needs it? Its values are looked at by nobody here; keys are.

use std::path::PathBuf;

use super::{EnvFile, text};
use crate::backend::live::machine::{Found, Machine};
use crate::config::EnvFileSource;
use crate::diagnosis::Finding;
use crate::lock;
use crate::words::{counted, listed, plain};

/// Most keys that a finding names.
const NAMED: usize = 5;
/// Longest key, or note about a holder, that a finding repeats, in characters.
const SHOWN: usize = 120;
/// Entries with these beginnings are settings of Compose and of the docker command, not of the project's services.
const SETTINGS: [&str; 2] = ["COMPOSE_", "DOCKER_"];

/// What is to be said of the env file that `source` names, on this machine.
pub async fn diagnose(source: &EnvFileSource) -> Vec<Finding> {
    let path = match source.path() {
        Ok(path) => path,
        Err(why) => {
            return vec![Finding::problem(
                format!("it is not known which file it is: {why}"),
                "mend that file, or name the env file itself in host.toml: `env-file` of this runtime",
            )];
        }
    };
    let file = EnvFile { machine: Machine::Here, path, prefix: String::new() };
    let read = file.read().await;
    let first = match &read {
        Ok(found) => file.there(found),
        Err(error) => {
            Finding::told(error.message(), "see who owns the file and its folder, and as whom the host runs")
        }
    };
    let inside = read.ok().into_iter().flat_map(|found| file.inside(&found));
    std::iter::once(first).chain(inside).chain(file.left_behind()).chain(file.held()).collect()
}

/// What is to be said of the env file `path` on another machine: what a deploy would find.
pub async fn diagnose_there(machine: Machine, path: PathBuf) -> Vec<Finding> {
    let file = EnvFile { machine, path, prefix: String::new() };
    vec![match file.read().await {
        Ok(found) => file.there(&found),
        Err(error) => {
            Finding::told(error.message(), "see who owns the file and its folder, and as whom ssh logs in")
        }
    }]
}

impl EnvFile {
    fn there(&self, found: &Found) -> Finding {
        Finding::ok(format!(
            "{}, {}, mode {:o}",
            self.path.display(),
            counted(text::entries(&found.bytes).len(), "entry", "entries"),
            found.facts.mode & 0o7777
        ))
    }

    fn inside(&self, found: &Found) -> Vec<Finding> {
        let shown = self.path.display();
        let unclosed = text::value(&found.bytes, "")
            .err()
            .map(|line| Finding::told(self.unclosed(line).message(), "close it"));
        let user = rustix::process::geteuid().as_raw();
        let owner = found.facts.user;
        let foreign = (owner != user && owner != 0).then(|| {
            Finding::warning(
                format!("{shown} belongs to the user {owner}, who may change what this deploys (this is user {user})"),
                format!("give it to whoever deploys: `chown {user} {shown}`"),
            )
        });
        let open = (found.facts.mode & 0o004 != 0).then(|| {
            Finding::warning(
                format!(
                    "{shown}, which holds secrets, may be read by everybody (mode {:o})",
                    found.facts.mode & 0o7777
                ),
                format!("`chmod 600 {shown}`"),
            )
        });
        let unwritable = rustix::fs::access(self.folder(), rustix::fs::Access::WRITE_OK).err().map(|error| {
            Finding::problem(
                format!(
                    "no stamp can be written: {} may not be written to ({error})",
                    self.folder().display()
                ),
                "run `host` as the owner of that folder, and see whether its disk is mounted read-only",
            )
        });
        let mut settings: Vec<String> = text::entries(&found.bytes)
            .iter()
            .map(|entry| String::from_utf8_lossy(entry.key).into_owned())
            .filter(|key| SETTINGS.iter().any(|beginning| key.starts_with(beginning)))
            .map(|key| plain(&key, SHOWN))
            .collect();
        settings.sort();
        settings.dedup();
        let settings = (!settings.is_empty()).then(|| {
            Finding::warning(
                format!(
                    "{shown} holds settings of Compose itself, which may load other files: {}",
                    listed(&settings, NAMED)
                ),
                "move them out; host.toml says what the project is",
            )
        });
        [unclosed, foreign, open, unwritable, settings].into_iter().flatten().collect()
    }

    /// What a host that was killed while it wrote has left there.
    fn left_behind(&self) -> Option<Finding> {
        let path: PathBuf = self.beside();
        path.symlink_metadata().ok().map(|_| {
            Finding::warning(
                format!(
                    "{} was left by a deploy that was killed; it holds every secret of the env file",
                    path.display()
                ),
                format!(
                    "`rm {}`, unless a deploy is in progress; the next one removes it too",
                    path.display()
                ),
            )
        })
    }

    /// Locks beside the file that somebody holds now.
    fn held(&self) -> Vec<Finding> {
        lock::held(&self.path)
            .into_iter()
            .map(|(path, note)| {
                Finding::warning(
                    format!("{} is held: {}", path.display(), plain(note.trim(), SHOWN)),
                    "a deploy is in progress, and another one of the same service has to wait; if that process hangs, end it",
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use futures_util::FutureExt;

    use super::*;
    use crate::diagnosis::Severity;

    fn found(content: &str, mode: u32) -> Vec<(Severity, String)> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        told(&path)
    }

    fn told(path: &Path) -> Vec<(Severity, String)> {
        let shown = path.parent().expect("a folder").display().to_string();
        diagnose(&EnvFileSource::Path(path.to_path_buf()))
            .now_or_never()
            .expect("a file of this machine")
            .into_iter()
            .map(|finding| {
                let action = finding.recommended_action.unwrap_or_default();
                (finding.severity, format!("{} -> {action}", finding.evidence).replace(&shown, "[folder]"))
            })
            .collect()
    }

    #[test]
    fn an_env_file_is_judged_by_who_may_do_what_and_by_its_keys() {
        let mut all = Vec::new();
        for (content, mode) in [
            ("A=1\nB='x y'\n", 0o600),
            ("A=1\n", 0o644),
            ("A=1\n", 0o660),
            ("COMPOSE_FILE=other.yml\nDOCKER_HOST=hunter2\n", 0o600),
            ("A='hunter2\n", 0o600),
        ] {
            all.extend(
                found(content, mode)
                    .into_iter()
                    .map(|(severity, text)| format!("{}: {text}", severity.as_str())),
            );
            all.push(String::new());
        }
        let all = all.join("\n");
        assert!(!all.contains("hunter2"), "{all}");
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_held_lock_is_named_with_its_holder_and_stays_free_for_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, "").expect("a file");
        let held = lock::TargetLock::project(&path, "ann runs 20261120").expect("free");
        assert!(told(&path).iter().any(|(severity, text)| {
            *severity == Severity::Warning && text.contains(".env.lock is held: ann runs 20261120, process ")
        }));
        drop(held);
        assert!(!told(&path).iter().any(|(_, text)| text.contains("is held")), "{:?}", told(&path));
    }
}
