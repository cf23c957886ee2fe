//! What the demo made, written down before it is made, so that all of it can be removed even after an interruption.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use lab::{Error, Result, engine::Place, paths};
use serde::{Deserialize, Serialize};

/// Everything that is to be removed by `--clean`, and what is not.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Made {
    /// The folder of the demo, with this record in it.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The engine, if the demo had to start one.
    pub engine: Option<Place>,
    /// The link that makes `docker compose` work.
    pub compose_link: Option<PathBuf>,
    /// Folders that were made for the link.
    pub link_folders: Vec<PathBuf>,
    /// The folder of the registry.
    pub registry: Option<PathBuf>,
    /// The address of the engine that the following are in, ours or not.
    pub docker: Option<String>,
    /// The Compose project.
    pub project: Option<String>,
    /// Whether the registry is a container.
    pub registry_container: bool,
    /// Images, by any of the digests that an engine may know them by.
    pub images: BTreeSet<String>,
    /// What stays because it is not the demo's alone.
    pub stays: BTreeSet<String>,
}

impl Made {
    /// What an earlier demo wrote down, or an empty record.
    pub fn load(folder: &Path) -> Result<Self> {
        let file = file(folder);
        let mut made = if file.exists() {
            let text = fs::read(&file).map_err(Error::io(format!("read {}", file.display())))?;
            serde_json::from_slice(&text)
                .map_err(|error| Error::unexpected(file.display().to_string(), error))?
        } else {
            Self::default()
        };
        folder.clone_into(&mut made.folder);
        Ok(made)
    }

    /// Whether there is a record at all.
    pub fn exists(&self) -> bool {
        file(&self.folder).exists()
    }

    /// Writes down one more thing; it may be made after that.
    pub fn add(&mut self, change: impl FnOnce(&mut Self)) -> Result<()> {
        change(self);
        paths::make_folder(&self.folder)?;
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| Error::unexpected("the demo's record", error))?;
        // Complete or not at all: an interruption must not lose what was there.
        let next = self.folder.join("made.json.next");
        paths::write(&next, text)?;
        let file = file(&self.folder);
        fs::rename(&next, &file).map_err(Error::io(format!("write {}", file.display())))
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("made.json")
}
