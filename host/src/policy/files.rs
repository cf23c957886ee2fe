//! Reads a policy folder: only what the host knows, only what nobody else may write, never more than fits.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::problem::{Place, Problem, Problems};

/// Largest sum of all files that are read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The schema's file name.
pub(super) const SCHEMA: &str = "schema.cedarschema";
/// The file that says who owns what.
pub(super) const ENTITIES: &str = "entities.json";
/// The folder of policy tests.
const TESTS: &str = "tests";
/// The folder of what the API servers of clusters decide on, which is applied there and not read here.
const CLUSTERS: &str = "kubernetes";

/// The folder of rules to choose from: none of them applies before it is copied beside the others.
const EXAMPLES: &str = "examples";

/// A file, read.
#[derive(Debug)]
pub(super) struct Text {
    /// Name in the policy folder.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
}

impl Text {
    /// `compose.cedar:3:5` of the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        self.at(line, column)
    }

    fn at(&self, line: usize, column: usize) -> Place {
        Place { file: self.name.clone(), line: Some(line), column: Some(column) }
    }

    /// The file as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, code: &'static str, remedy: &str) -> Result<T, Problem> {
        serde_json::from_str(&self.text).map_err(|error| {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            Problem::at(self.at(error.line(), error.column()), code, what, remedy)
        })
    }

    /// `entities.json:7:3` of the last place where `word` stands in quotes, or the file's name.
    pub(super) fn place_of(&self, word: &str) -> Place {
        self.text.rfind(&format!("{word:?}")).map_or_else(
            || Place { file: self.name.clone(), line: None, column: None },
            |offset| self.place(offset),
        )
    }
}

/// Everything that decides, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) schema: Option<Text>,
    pub(super) policies: Vec<Text>,
    pub(super) entities: Option<Text>,
    /// Over names, sizes and bytes of all of them, in the order of their names.
    pub(super) hash: Sha256,
}

/// Schema, policies and entities of `dir`.
pub(super) fn read(dir: &Path, problems: &mut Problems) -> Sources {
    let mut sources = Sources::default();
    let Some(mut folder) = problems.taken(Folder::open(dir)) else { return sources };
    let names = folder.names(problems);
    for name in &names {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
        if name.starts_with('.')
            || [TESTS, CLUSTERS, EXAMPLES].contains(&name.as_str())
            || extension == Some("md")
        {
            continue;
        }
        if name != SCHEMA && name != ENTITIES && extension != Some("cedar") {
            let remedy = "give rules the ending .cedar and notes the ending .md, or move it elsewhere";
            problems.push(stray(name, remedy));
            continue;
        }
        let Some(text) = problems.taken(folder.read(name)) else { continue };
        sources.hash.update(format!("{name} {}\n", text.text.len()));
        sources.hash.update(&text.text);
        match name.as_str() {
            SCHEMA => sources.schema = Some(text),
            ENTITIES => sources.entities = Some(text),
            _ => sources.policies.push(text),
        }
    }
    // A file that is there and unreadable was already reported.
    for name in [SCHEMA, ENTITIES].into_iter().filter(|name| !names.iter().any(|found| found == name)) {
        problems.push(Problem::new(
            "policy-missing",
            format!("{} has no {name}", dir.display()),
            "point `policies` in host.toml to a complete policy folder",
        ));
    }
    sources
}

/// The policy tests of `dir`; none where it has no folder of tests.
pub(super) fn read_tests(dir: &Path, problems: &mut Problems) -> Vec<Text> {
    if !dir.join(TESTS).exists() {
        return Vec::new();
    }
    let Some(mut folder) = problems.taken(Folder::open(&dir.join(TESTS))) else { return Vec::new() };
    let mut texts = Vec::new();
    for name in folder.names(problems) {
        if name.starts_with('.') {
            continue;
        }
        if Path::new(&name).extension().is_none_or(|extension| extension != "json") {
            problems.push(stray(&name, "give tests the ending .json, or move it elsewhere"));
            continue;
        }
        let text = problems.taken(folder.read(&name));
        texts.extend(text.map(|text| Text { name: format!("{TESTS}/{name}"), ..text }));
    }
    texts
}

/// A misnamed file must not look as if it applied.
fn stray(name: &str, remedy: &str) -> Problem {
    let what = format!("{name} is nothing that the host reads in a policy folder");
    Problem::new("policy-stray-file", what, remedy)
}

struct Folder {
    /// Without symbolic links.
    path: PathBuf,
    left: u64,
}

impl Folder {
    fn open(dir: &Path) -> Result<Self, Problem> {
        let missing = |error| {
            Problem::new(
                "policy-missing",
                format!("there is no policy folder {}: {error}", dir.display()),
                "point `policies` in host.toml to it",
            )
        };
        let path = fs::canonicalize(dir).map_err(missing)?;
        let metadata = fs::metadata(&path).map_err(missing)?;
        guarded(&dir.display().to_string(), &metadata)?;
        Ok(Self { path, left: LARGEST })
    }

    /// Sorted, so that the digest does not depend on the file system.
    fn names(&self, problems: &mut Problems) -> Vec<String> {
        let unreadable = |error: std::io::Error| {
            Problem::new(
                "policy-unreadable",
                format!("{} cannot be listed: {error}", self.path.display()),
                "make it a readable folder",
            )
        };
        let mut names = Vec::new();
        let Some(entries) = problems.taken(fs::read_dir(&self.path).map_err(unreadable)) else {
            return names;
        };
        for entry in entries {
            let Some(entry) = problems.taken(entry.map_err(unreadable)) else { continue };
            match entry.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => problems.push(Problem::new(
                    "policy-unreadable",
                    format!("the file name {} is not UTF-8", name.display()),
                    "rename it",
                )),
            }
        }
        names.sort_unstable();
        names
    }

    fn read(&mut self, name: &str) -> Result<Text, Problem> {
        Ok(Text { name: name.to_owned(), text: self.try_read(name)? })
    }

    fn try_read(&mut self, name: &str) -> Result<String, Problem> {
        let unreadable = |error: std::io::Error| {
            Problem::new("policy-unreadable", format!("{name} cannot be read: {error}"), "make it readable")
        };
        let path = fs::canonicalize(self.path.join(name)).map_err(unreadable)?;
        // Inside the folder a link is harmless (mounted volumes are made of them); one that leads out of it moves a
        // rule to where another may write it.
        if !path.starts_with(&self.path) {
            return Err(Problem::new(
                "policy-link",
                format!("{name} is a link to {}, outside of the policy folder", path.display()),
                "put the file itself here",
            ));
        }
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(Problem::new("policy-unreadable", format!("{name} is no regular file"), "remove it"));
        }
        let mut file = File::open(&path).map_err(unreadable)?;
        guarded(name, &file.metadata().map_err(unreadable)?)?;
        let mut bytes = Vec::new();
        let size = file.by_ref().take(self.left + 1).read_to_end(&mut bytes).map_err(unreadable)? as u64;
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            Problem::new(
                "policy-size",
                format!("with {name} the policies have more than {LARGEST} bytes"),
                "is this the right folder?",
            )
        })?;
        String::from_utf8(bytes).map_err(|_| {
            Problem::new("policy-unreadable", format!("{name} is not UTF-8"), "save it as UTF-8")
        })
    }
}

/// Refuses what others may write.
fn guarded(name: &str, metadata: &Metadata) -> Result<(), Problem> {
    let Some((who, flags)) = other_writer(metadata.mode(), metadata.uid(), metadata.gid()) else {
        return Ok(());
    };
    Err(Problem::new(
        "policy-writable",
        format!("{name} may be written by {who}, so its rules cannot be trusted"),
        format!("chmod {flags} {name}"),
    ))
}

/// Who but the owner may write a file, and what takes that away. A group may write where it is the owner's own (the same
/// number): with the usual umask of systems that give each user a group, every checkout is so.
pub(crate) fn other_writer(mode: u32, uid: u32, gid: u32) -> Option<(&'static str, &'static str)> {
    if mode & 0o002 != 0 {
        Some(("everybody", "o-w"))
    } else if mode & 0o020 != 0 && gid != uid {
        Some(("its group", "g-w"))
    } else {
        None
    }
}
