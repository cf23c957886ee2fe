//! What an install finds, what it wants, and what it would do about the difference.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::difference;
use super::query::{Kept, Observed};
use super::render::{File, Rendered};
use super::standing::{Scope, Standing};
use crate::config::Installation;

/// What stands where an install writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct State {
    /// The managed files, in the order in which they are written.
    pub files: Vec<Found>,
    /// Whether the folder of the artifacts is there.
    pub storage: bool,
    /// Whether systemd has read the unit as it is on disk.
    pub read: bool,
    /// Whether the unit starts with its machine.
    pub enabled: bool,
    /// Whether the unit is active.
    pub active: bool,
    /// Whether the container runs, and was made from what is rendered.
    pub runs: bool,
}

/// A managed file as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// SHA-256 of its content; nothing where there is none.
    pub sha256: Option<String>,
    /// Whether the folder that it belongs into is there.
    pub folder: bool,
    /// Where it is not as rendered: what an install changes, line by line.
    pub difference: Vec<String>,
}

/// What an install does on the registry's machine, or would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A folder for managed files, owned as the one that it is made in.
    CreateFolder,
    /// The folder of the artifacts.
    CreateStorage,
    /// A managed file that is not there.
    WriteFile,
    /// A managed file that is not as rendered.
    OverwriteFile,
    /// Have systemd read its units again.
    ReloadSystemd,
    /// Have the unit start with its machine.
    EnableUnit,
    /// Start the unit.
    StartUnit,
    /// Restart the unit: whatever the container was started with, it reads its configuration again.
    RestartUnit,
    /// Bring the container to what the files say; one that is so is left alone.
    ReloadUnit,
}

/// One action of an install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Action {
    /// What is done.
    pub action: Verb,
    /// To which path or unit.
    pub target: String,
    /// What an administrator would type for it.
    pub command: String,
    /// Of a file that is overwritten: what changes, line by line. Values that host does not write itself are not shown.
    pub difference: Vec<String>,
}

impl State {
    /// Of an installation on whose machine this was found.
    ///
    /// # Errors
    /// In words, what an install would have to destroy, or cannot be made on.
    pub fn found(installation: &Installation, observed: &Observed) -> Result<Self, String> {
        let rendered = Rendered::new(installation);
        if let Some(why) = foreign(installation, &rendered, observed) {
            return Err(why);
        }
        let files = rendered.files().into_iter().zip(&observed.files);
        let fact = |key: &str, wanted: &str| observed.unit.get(key).is_some_and(|found| found == wanted);
        let standing = Standing::of(installation, observed);
        let holds = |scope: Scope| !standing.scopes(false).contains(&scope);
        Ok(Self {
            files: files.map(|((_, file), kept)| Found::of(file, kept)).collect(),
            storage: observed.storage.as_deref() == Some("folder"),
            read: fact("LoadState", "loaded") && fact("NeedDaemonReload", "no"),
            enabled: fact("UnitFileState", "enabled"),
            active: fact("ActiveState", "active"),
            runs: holds(Scope::Container) && holds(Scope::Listener),
        })
    }

    /// What an install comes to.
    #[must_use]
    pub fn wanted(installation: &Installation) -> Self {
        let file = |(_, file): (&str, &File)| Found {
            sha256: Some(file.sha256()),
            folder: true,
            difference: Vec::new(),
        };
        let files = Rendered::new(installation).files().map(file).into();
        Self { files, storage: true, read: true, enabled: true, active: true, runs: true }
    }

    /// The managed files that are not as rendered, with what is there.
    pub fn unlike<'a>(&'a self, rendered: &'a Rendered) -> impl Iterator<Item = (&'a File, &'a Found)> {
        let files = rendered.files().into_iter().map(|(_, file)| file).zip(&self.files);
        files.filter(|(file, found)| found.sha256.as_deref() != Some(file.sha256().as_str()))
    }

    /// What an install does here, in this order; nothing where all is as it should be.
    #[must_use]
    pub fn actions(&self, installation: &Installation) -> Vec<Action> {
        let rendered = Rendered::new(installation);
        let Installation { unit, storage, .. } = installation;
        let mut actions: Vec<Action> = Vec::new();
        let mut act = |action, target: String, command: String, difference: &[String]| {
            let next = Action { action, target, command, difference: difference.to_vec() };
            if !actions.contains(&next) {
                actions.push(next);
            }
        };
        let shown = |path: &Path| path.display().to_string();
        for (file, _) in self.unlike(&rendered).filter(|(_, found)| !found.folder) {
            let folder = shown(file.path.parent().unwrap_or(Path::new("/")));
            act(Verb::CreateFolder, folder.clone(), format!("mkdir -p {folder}"), &[]);
        }
        if !self.storage {
            act(Verb::CreateStorage, shown(storage), format!("mkdir -p {}", storage.display()), &[]);
        }
        for (file, found) in self.unlike(&rendered) {
            let path = shown(&file.path);
            let verb = if found.sha256.is_some() { Verb::OverwriteFile } else { Verb::WriteFile };
            let command = format!("install -m 644 {} {path}", file.name());
            act(verb, path, command, &found.difference);
        }
        if self.must_be_read(&rendered) {
            act(Verb::ReloadSystemd, "systemd".to_owned(), "systemctl daemon-reload".to_owned(), &[]);
        }
        if !self.enabled {
            act(Verb::EnableUnit, unit.clone(), format!("systemctl enable {unit}"), &[]);
        }
        if let Some(verb) = self.must_be_brought(&rendered) {
            act(verb, unit.clone(), format!("systemctl {} {unit}", verb.systemctl()), &[]);
        }
        actions
    }

    /// Whether systemd reads its units again.
    #[must_use]
    pub fn must_be_read(&self, rendered: &Rendered) -> bool {
        !self.read || self.unlike(rendered).any(|(file, _)| *file == rendered.unit)
    }

    /// How the container is brought to what the files say, where it is not so. A new unit alone changes nothing of it.
    #[must_use]
    pub fn must_be_brought(&self, rendered: &Rendered) -> Option<Verb> {
        if !self.active {
            return Some(Verb::StartUnit);
        }
        // Nobody knows whether the container was started when it was as it is now: it has no other name for what it reads.
        if self.unlike(rendered).any(|(file, found)| *file == rendered.config && found.sha256.is_some()) {
            return Some(Verb::RestartUnit);
        }
        let changed = self.unlike(rendered).any(|(file, _)| *file != rendered.unit);
        (changed || !self.runs).then_some(Verb::ReloadUnit)
    }
}

impl Verb {
    /// The word of systemctl(1) for what is done to a unit.
    #[must_use]
    pub fn systemctl(self) -> &'static str {
        match self {
            Self::StartUnit => "start",
            Self::RestartUnit => "restart",
            _ => "reload",
        }
    }
}

impl Found {
    fn of(file: &File, kept: &Kept) -> Self {
        match kept {
            Kept::Present { sha256, text, .. } => {
                let same = *sha256 == file.sha256();
                let difference = if same { Vec::new() } else { difference(text, &file.content) };
                Self { sha256: Some(sha256.clone()), folder: true, difference }
            }
            Kept::Missing { folder_too } => {
                Self { sha256: None, folder: !folder_too, difference: Vec::new() }
            }
            Kept::Unreadable => Self { sha256: None, folder: true, difference: Vec::new() },
        }
    }
}

/// What is not this tool's to overwrite, and what an install would only hide.
fn foreign(installation: &Installation, rendered: &Rendered, observed: &Observed) -> Option<String> {
    let Installation { container, project, storage, .. } = installation;
    if observed.unit.is_empty() {
        return Some("systemd does not answer there, and it is what keeps the registry running".to_owned());
    }
    if observed.docker.is_none() {
        let why = observed.docker_error.as_deref().unwrap_or("it said nothing");
        return Some(format!(
            "Docker does not answer there ({why}): see what it is doing, and start it first"
        ));
    }
    for ((_, file), kept) in rendered.files().into_iter().zip(&observed.files) {
        let path = file.path.display();
        match kept {
            Kept::Present { managed: false, sha256, .. } if *sha256 != file.sha256() => {
                return Some(format!(
                    "{path} is not managed by host: it lacks the first line of managed files, or is a link; find out whose it \
                     is, and move it away"
                ));
            }
            Kept::Unreadable => {
                return Some(format!(
                    "{path} is no file that can be read: find out what it is, and move it away"
                ));
            }
            _ => {}
        }
    }
    if let Some(found) = observed.container.as_ref().filter(|found| found.project != *project) {
        let whose = match found.project.as_str() {
            "" => "no Compose project".to_owned(),
            project => format!("the Compose project {project}"),
        };
        return Some(format!(
            "there is a container {container} of {whose}: find out who made it, and remove it first"
        ));
    }
    match observed.storage.as_deref() {
        Some("folder") => None,
        Some("missing") if observed.container.is_none() => None,
        Some("missing") => Some(format!(
            "{} does not exist, and there is a container that had it: if a disk is not mounted, mount it; what was in it is \
             nowhere else. If it is to begin anew, make the folder by hand",
            storage.display()
        )),
        _ => Some(format!("{} is no folder: see what is in its place", storage.display())),
    }
}
