//! A stage on which a service runs that was deployed for real, to be looked at by the doctor.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{CONTAINER, Run, SERVICE, Settings, Stage};
use serde_json::Value;

/// The stage, and everything on it as it is when all is well.
pub struct Scene {
    pub stage: Stage,
    well: BTreeMap<PathBuf, Saved>,
    /// Where other users may run the program from, and where tests keep what does not belong to the stage.
    pub aside: tempfile::TempDir,
}

#[derive(Clone, PartialEq, Eq)]
struct Saved {
    bytes: Option<Vec<u8>>,
    mode: u32,
}

impl Scene {
    pub fn new() -> Self {
        // Plugins and policies of the test's own, so that it may break them: of this one service only.
        let release = tempfile::tempdir().expect("a folder");
        let (plugins, policies) = (release.path().join("plugins"), release.path().join("policies"));
        fs::create_dir(&plugins).expect("a folder");
        let component = format!("{SERVICE}.wasm");
        fs::copy(lab::paths::plugins().expect("plugins").join(&component), plugins.join(&component))
            .expect("a component");
        e2e::policies(release.path(), |name, content| match name {
            "entities.json" => of_one_service(&content),
            _ => content,
        });
        fs::create_dir(policies.join("tests")).expect("a folder");
        for test in ["doctor.json", "project-manager.json"] {
            let from = lab::paths::policies().join("tests").join(test);
            fs::copy(from, policies.join("tests").join(test)).expect("a policy test");
        }
        let settings = Settings {
            plugins: Some("plugins".into()),
            policies: Some("policies".into()),
            ..Settings::default()
        };
        let stage = Stage::with(settings);
        for folder in ["plugins", "policies"] {
            copy_tree(&release.path().join(folder), &stage.folder().join(folder));
        }
        let commit = stage.published("well");
        let deployed = stage.deploy(&commit, &["--run-now"]);
        assert_eq!(deployed.outcome(), (0, "deployed".to_owned()), "{deployed:?}");
        let health = format!("http://{}/health", address(&stage));
        let mut toml = fs::read_to_string(stage.project().host_toml()).expect("host.toml");
        let _ = write!(toml, "\n[health.{CONTAINER}]\nurl = \"{health}\"\n");
        fs::write(stage.project().host_toml(), toml).expect("host.toml");
        let well = tree(stage.folder());
        let aside = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a folder");
        Self { stage, well, aside }
    }

    /// Runs the doctor, which changes nothing of the stage.
    pub fn doctor(&self, change: impl FnOnce(&mut Command)) -> Run {
        let before = tree(self.stage.folder());
        let mut command = self.stage.command(&["doctor", "--output", "json"]);
        change(&mut command);
        let run = Run::of(&mut command);
        assert!(tree(self.stage.folder()) == before, "the doctor changed something");
        run
    }

    /// Puts back what was broken.
    pub fn mend(&self) {
        let now = tree(self.stage.folder());
        // What is inside of a folder comes after it, so it goes first.
        for path in now.keys().rev().filter(|path| !self.well.contains_key(*path)) {
            if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.expect("removed");
        }
        for (path, saved) in &self.well {
            if now.get(path) == Some(saved) {
                continue;
            }
            match &saved.bytes {
                Some(bytes) => fs::write(path, bytes).expect("a file"),
                None => fs::create_dir_all(path).expect("a folder"),
            }
            fs::set_permissions(path, fs::Permissions::from_mode(saved.mode)).expect("rights");
        }
        assert!(tree(self.stage.folder()) == self.well, "all is as before");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.stage.folder().join(name)
    }

    /// Replaces the one place in a file that says `old`.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).expect("a file");
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {name}:\n{text}");
        fs::write(self.path(name), text.replace(old, new)).expect("a file");
    }

    /// Gives a key of host.toml another value.
    pub fn configure(&self, key: &str, value: &str) {
        let text = fs::read_to_string(self.path("host.toml")).expect("host.toml");
        let line =
            text.lines().rfind(|line| line.starts_with(&format!("{key} = "))).expect("a line").to_owned();
        let at = text.rfind(&line).expect("the line");
        let changed = format!("{}{key} = {value:?}{}", &text[..at], &text[at + line.len()..]);
        fs::write(self.path("host.toml"), changed).expect("host.toml");
    }

    /// A program that stands in for `docker`, found first.
    pub fn docker(&self, script: &str) -> impl FnOnce(&mut Command) + use<> {
        let folder = self.aside.path().join("bin");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("docker");
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("rights");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        move |command| {
            command.env("PATH", path);
        }
    }

    /// Every check that is not well: one line of the list, and what is wrong with what to do.
    pub fn told(&self, run: &Run) -> String {
        let mut told = format!("exit {}, {}\n", run.code, run.text("/decision"));
        for check in run.json()["checks"].as_array().into_iter().flatten() {
            let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
            assert_eq!(check["ok"], Value::Bool(text("severity") != "problem"), "{check}");
            if text("severity") != "ok" {
                let _ = writeln!(told, "{} {}", text("severity"), text("name"));
                for line in text("evidence").lines() {
                    let _ = writeln!(told, "    {line}");
                }
                for line in text("recommendedAction").lines() {
                    let _ = writeln!(told, "  → {line}");
                }
            }
        }
        self.stage.stable(&told).replace(&self.aside.path().display().to_string(), "[aside]")
    }
}

fn address(stage: &Stage) -> String {
    let ip = stage.project().docker().address(CONTAINER).expect("an address");
    format!("{ip}:8080")
}

/// The release's entities without the services that this stage has nothing of.
fn of_one_service(entities: &str) -> String {
    let mut entities: Value = serde_json::from_str(entities).expect("JSON");
    let services = entities["services"].as_object_mut().expect("services");
    services.retain(|name, _| name == SERVICE);
    serde_json::to_string_pretty(&entities).expect("JSON")
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Everything below a folder, byte by byte.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Saved> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            let bytes = metadata.is_file().then(|| fs::read(&path).expect("a file"));
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, Saved { bytes, mode: metadata.mode() & 0o7777 });
        }
    }
    found
}
