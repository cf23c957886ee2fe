//! Reads a policy folder: only what the host knows, only what nobody else may write, never more than fits.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::problem::{Problem, Problems};
use crate::names::Digest;

/// Largest sum of all files that are read, in bytes.
const LARGEST: u64 = 4 << 20;

/// The schema's file name.
pub(super) const SCHEMA: &str = "schema.cedarschema";
/// The file that says who owns what.
pub(super) const ENTITIES: &str = "entities.json";
/// The folder of policy tests.
const TESTS: &str = "tests";

/// A file, read.
#[derive(Debug)]
pub(super) struct Text {
    /// Name in the folder.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
}

impl Text {
    /// `compose.cedar:3:5` of the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }

    /// The file as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, code: &'static str, remedy: &str) -> Result<T, Problem> {
        serde_json::from_str(&self.text).map_err(|error| {
            let text = error.to_string();
            let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
            Problem::new(code, format!("{}:{}:{}: {what}", self.name, error.line(), error.column()), remedy)
        })
    }

    /// `entities.json:7:3` of the last place where `word` stands in quotes, or the file's name.
    pub(super) fn place_of(&self, word: &str) -> String {
        self.text.rfind(&format!("{word:?}")).map_or_else(|| self.name.clone(), |offset| self.place(offset))
    }
}

/// Everything that decides.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) schema: Text,
    pub(super) policies: Vec<Text>,
    pub(super) entities: Text,
    /// Over names, sizes and bytes of all of them, in the order of their names.
    pub(super) digest: Digest,
}

/// Schema, policies and entities of `dir`.
pub(super) fn read(dir: &Path) -> Result<Sources, Problems> {
    let mut folder = Folder::open(dir)?;
    let mut policies = Vec::new();
    let (mut schema, mut entities) = (None, None);
    let mut hash = Sha256::new();
    for name in folder.names()? {
        let known = Path::new(&name);
        let extension = known.extension().and_then(|extension| extension.to_str());
        if name.starts_with('.') || name == TESTS || extension == Some("md") {
            continue;
        }
        if name != SCHEMA && name != ENTITIES && extension != Some("cedar") {
            folder
                .stray(&name, "give rules the ending .cedar and notes the ending .md, or move it elsewhere");
            continue;
        }
        let Some(text) = folder.read(&name) else { continue };
        hash.update(format!("{name} {}\n", text.text.len()));
        hash.update(&text.text);
        match name.as_str() {
            SCHEMA => schema = Some(text),
            ENTITIES => entities = Some(text),
            _ => policies.push(text),
        }
    }
    // A file that is there and unreadable was already reported.
    for (name, found) in [(SCHEMA, schema.is_some()), (ENTITIES, entities.is_some())] {
        if !found && !folder.path.join(name).exists() {
            folder.problems.push(Problem::new(
                "policy-missing",
                format!("{} has no {name}", dir.display()),
                "point `policies` in host.toml to a complete policy folder",
            ));
        }
    }
    folder.problems.or(())?;
    match (schema, entities) {
        (Some(schema), Some(entities)) => {
            Ok(Sources { schema, policies, entities, digest: Digest::from_hash(hash) })
        }
        _ => Err(Problem::new(
            "policy-missing",
            format!("{} changed while it was read", dir.display()),
            "run this again",
        )
        .into()),
    }
}

/// The policy tests of `dir`; none where it has no folder of tests.
pub(super) fn read_tests(dir: &Path) -> Result<Vec<Text>, Problems> {
    if !dir.join(TESTS).exists() {
        return Ok(Vec::new());
    }
    let mut folder = Folder::open(&dir.join(TESTS))?;
    let mut texts = Vec::new();
    for name in folder.names()? {
        if name.starts_with('.') {
            continue;
        }
        if Path::new(&name).extension().is_none_or(|extension| extension != "json") {
            folder.stray(&name, "give tests the ending .json, or move it elsewhere");
            continue;
        }
        texts.extend(folder.read(&name));
    }
    folder.problems.or(texts)
}

struct Folder {
    /// Without symbolic links.
    path: PathBuf,
    left: u64,
    problems: Problems,
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
        Ok(Self { path, left: LARGEST, problems: Problems::default() })
    }

    /// Sorted, so that the digest does not depend on the file system.
    fn names(&mut self) -> Result<Vec<String>, Problem> {
        let unreadable = |error| {
            Problem::new(
                "policy-unreadable",
                format!("{} cannot be listed: {error}", self.path.display()),
                "make it a readable folder",
            )
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unreadable)? {
            match entry.map_err(unreadable)?.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => self.problems.push(Problem::new(
                    "policy-unreadable",
                    format!("the file name {} is not UTF-8", name.display()),
                    "rename it",
                )),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A misnamed file must not look as if it applied.
    fn stray(&mut self, name: &str, remedy: &str) {
        self.problems.push(Problem::new(
            "policy-stray-file",
            format!("{name} is nothing that the host reads in a policy folder"),
            remedy,
        ));
    }

    fn read(&mut self, name: &str) -> Option<Text> {
        match self.try_read(name) {
            Ok(text) => Some(Text { name: name.to_owned(), text }),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
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
pub(super) fn other_writer(mode: u32, uid: u32, gid: u32) -> Option<(&'static str, &'static str)> {
    if mode & 0o002 != 0 {
        Some(("everybody", "o-w"))
    } else if mode & 0o020 != 0 && gid != uid {
        Some(("its group", "g-w"))
    } else {
        None
    }
}
