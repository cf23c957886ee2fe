//! What a deploy that goes wrong leaves: a line under each row of a table, and held against what it must leave.

use std::time::{Duration, Instant};

use crate::table::Table;
use crate::{CONTAINER, Run, Snapshot, Stage};

/// Longer than this no row may take, whatever the far side does. Every deadline that a table configures is a few seconds;
/// the rest is for a busy machine.
const BOUND: Duration = Duration::from_mins(1);

/// What a row must leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// Everything as it was, to the container's start time.
    Nothing,
    /// The same commit in a new container; names and env file as they were.
    NewContainer,
    /// What ran and the env file as they were; the image has its immutable name.
    Image,
    /// The same commit in a new container, the env file as it was; the image has its immutable name.
    NewContainerAndImage,
    /// The requested commit runs.
    Deployed,
    /// Whatever the row's own report says; the table shows it.
    Something,
}

/// A table in which each run is followed by what it left.
#[derive(Default)]
pub struct Aftermath {
    /// What differs between runs is hidden in it.
    pub table: Table,
    wrong: Vec<String>,
}

impl Aftermath {
    /// One row: `act` is the program's run for `commit`, and `leaves` what it must leave on `stage`.
    pub fn row(
        &mut self,
        stage: &Stage,
        name: &str,
        commit: &str,
        leaves: Leaves,
        act: impl FnOnce() -> Run,
    ) -> Run {
        let before = Standing::of(stage);
        let begun = Instant::now();
        let run = act();
        let took = begun.elapsed();
        let after = Standing::of(stage);
        if took > BOUND {
            self.wrong.push(format!("{name}: took {took:?}"));
        }
        let left = before.differences(&after, commit);
        if !leaves.fits(&left, &after, commit) {
            self.wrong.push(format!("{name}: should leave {leaves:?}, left: {}", left.join(", ")));
        }
        self.table.row(name, commit, &run);
        let left = if left.is_empty() { "everything as it was".to_owned() } else { left.join(", ") };
        self.table.remark(commit, &format!("left: {left}"));
        // In the next rows it is somebody else's.
        self.table.hide(commit, "[a commit before]");
        run
    }

    /// All rows as one text.
    ///
    /// # Panics
    /// If a row took too long or did not leave what it must.
    #[must_use]
    pub fn finish(self) -> String {
        assert!(self.wrong.is_empty(), "{}\n\n{}", self.wrong.join("\n"), self.table.text());
        self.table.text().to_owned()
    }
}

/// What stands on a stage.
struct Standing {
    snapshot: Snapshot,
    /// The image of the container.
    image: Option<String>,
    running: Option<String>,
}

impl Standing {
    fn of(stage: &Stage) -> Self {
        let container = stage.project().docker().container(CONTAINER).expect("the engine");
        let image = container.and_then(|container| container["Image"].as_str().map(str::to_owned));
        Self { snapshot: stage.snapshot(), image, running: stage.running() }
    }

    /// What is otherwise in `after`, in words.
    fn differences(&self, after: &Self, commit: &str) -> Vec<String> {
        let mut words = Vec::new();
        let (was, now) = (&self.snapshot, &after.snapshot);
        if was.container != now.container {
            words.push(match (&was.container, &now.container) {
                (None, _) => "a container",
                (_, None) => "no container",
                _ if self.image == after.image => "a new container of the same image",
                _ => "a container of another image",
            });
        }
        if was.neighbour != now.neighbour {
            words.push("THE NEIGHBOUR");
        }
        if was.env_file != now.env_file {
            words.push("the env file");
        }
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        for (name, id) in &now.images {
            match was.images.get(name) {
                None => words.push(format!("+{name}")),
                Some(before) if before != id => words.push(format!("{name} moved")),
                Some(_) => {}
            }
        }
        for name in was.images.keys().filter(|name| !now.images.contains_key(*name)) {
            words.push(format!("-{name}"));
        }
        if after.running.as_deref() == Some(commit) {
            words.push("the requested commit runs".to_owned());
        }
        words
    }
}

impl Leaves {
    fn fits(self, left: &[String], after: &Standing, commit: &str) -> bool {
        let image = format!("+unidesk/{}:{commit}", crate::SERVICE);
        let allowed = match self {
            Self::Nothing => vec![],
            Self::NewContainer => vec!["a new container of the same image"],
            Self::Image => vec![image.as_str()],
            Self::NewContainerAndImage => vec!["a new container of the same image", &image],
            Self::Deployed => return after.running.as_deref() == Some(commit),
            Self::Something => return true,
        };
        left == allowed
    }
}
