//! The main server here, whose engine gets images, and D601, whose registry has them.

use std::collections::BTreeSet;
use std::process::Command;

use lab::project::Settings;
use lab::{Bench, D601, Docker, Error, Project};
use tempfile::TempDir;

use super::images::Published;
use crate::Result;

/// Both of them, and the project that is deployed to.
pub struct Machines {
    /// D601.
    pub d601: D601,
    /// The project here.
    pub project: Project,
    /// What the engine had before any image came: ids, and how much they take.
    empty: (BTreeSet<String>, String),
    _folder: TempDir,
}

impl Machines {
    /// Starts D601; nothing is deployed yet.
    pub fn start(bench: &Bench) -> lab::Result<Self> {
        eprintln!("  starting D601");
        let d601 = D601::start(bench)?;
        let folder = TempDir::with_prefix("host-bench-").map_err(Error::io("make a temporary folder"))?;
        let project = bench.project(folder.path(), "host-bench", &Settings::through_d601(&d601, "none"))?;
        let empty = inventory(bench.docker())?;
        Ok(Self { d601, project, empty, _folder: folder })
    }

    /// Removes from the engine whatever was delivered, and fails where anything is left: a layer that an engine still
    /// has is not delivered at all.
    pub fn make_cold(&self) -> Result<()> {
        let docker = self.project.docker();
        self.project.remove()?;
        let (now, _) = inventory(docker)?;
        let delivered: Vec<_> = now.difference(&self.empty.0).map(String::as_str).collect();
        if !delivered.is_empty() {
            docker.run(&[["image", "rm", "--force"].as_slice(), &delivered].concat())?;
        }
        let left = inventory(docker)?;
        if left != self.empty {
            return Err(
                format!("the engine is not as it was before: {left:?}, and it was {:?}", self.empty).into()
            );
        }
        // What the kernel has not written yet must not slow the next one down.
        Ok(lab::process::run(&mut Command::new("sync"))?)
    }

    /// Has D601's own engine pull the image.
    pub fn bring_to_d601(&self, image: &Published) -> Result<()> {
        self.d601.ssh(&["docker", "pull", "--quiet", &image.pushed.reference])?;
        Ok(())
    }
}

/// Every image of an engine, nameless ones too, and what all of them take on its disk.
fn inventory(docker: &Docker) -> lab::Result<(BTreeSet<String>, String)> {
    let ids = docker.run(&["image", "ls", "--all", "--quiet", "--no-trunc"])?;
    let sizes = docker.run(&["system", "df", "--format", "{{.Type}} {{.Size}}"])?;
    let images = sizes.lines().find(|line| line.starts_with("Images")).unwrap_or_default();
    Ok((ids.lines().map(str::to_owned).collect(), images.to_owned()))
}
