//! What the artifact registry holds, one page at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answer::CallError;
use crate::names::{Commit, Digest, ImageName, NameError};

/// A place in the order of all artifacts, by repository and commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// In this repository.
    pub repository: ImageName,
    /// Behind this commit; behind all of the repository where there is none.
    pub commit: Option<Commit>,
}

impl Cursor {
    /// Reads `REPOSITORY` or `REPOSITORY:COMMIT`.
    ///
    /// # Errors
    /// [`NameError`] for what is neither.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (repository, commit) = match text.split_once(':') {
            None => (text, None),
            Some((repository, commit)) => (repository, Some(Commit::parse(commit)?)),
        };
        Ok(Self { repository: ImageName::parse(repository)?, commit })
    }

    /// Whether something of `repository` comes after it.
    #[must_use]
    pub fn leaves(&self, repository: &ImageName) -> bool {
        *repository > self.repository || (*repository == self.repository && self.commit.is_some())
    }

    /// Whether this artifact comes after it.
    #[must_use]
    pub fn is_before(&self, repository: &ImageName, commit: &Commit) -> bool {
        *repository > self.repository
            || (*repository == self.repository && self.commit.as_ref().is_some_and(|own| commit > own))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.commit {
            None => self.repository.fmt(f),
            Some(commit) => write!(f, "{}:{commit}", self.repository),
        }
    }
}

/// A page of artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Those that were looked into, by name.
    pub repositories: Vec<Shelf>,
    /// Names in the registry's catalogue that are none of a repository.
    pub refused: usize,
    /// Where it goes on; nothing where all was listed.
    pub next: Option<Cursor>,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// Its name.
    pub repository: ImageName,
    /// All of its tags, or why they could not be read; `NotFound` where the registry knows of none.
    pub tags: Result<Tags, CallError>,
    /// Those artifacts of it that are on this page, by commit.
    pub artifacts: Vec<Entry>,
}

/// All tags of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// Sorted.
    pub commits: Vec<Commit>,
    /// How many of its tags are no commit.
    pub others: usize,
}

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its tag.
    pub commit: Commit,
    /// What is there, or why that could not be read.
    pub found: Result<Found, CallError>,
}

/// What the registry serves under a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Of the index, or of the one image.
    pub digest: Digest,
    /// Bytes of configurations and layers as they are served, each counted once.
    pub size: u64,
    /// When its newest image was made, as that says itself (RFC 3339, UTC).
    pub created: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).expect("a name")
    }

    fn commit(digit: &str) -> Commit {
        Commit::parse(&digit.repeat(40)).expect("a commit")
    }

    #[test]
    fn a_cursor_is_read_as_it_is_shown() {
        for text in ["unidesk/shop".to_owned(), format!("unidesk/shop:{}", "a".repeat(40))] {
            assert_eq!(Cursor::parse(&text).expect("a cursor").to_string(), text);
        }
        for bad in ["", ":", "unidesk/shop:", "unidesk/shop:latest", "../shop", "unidesk/shop?n=1"] {
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_comes_after_a_cursor_is_what_was_not_listed_before_it() {
        let within = Cursor { repository: name("unidesk/m"), commit: Some(commit("5")) };
        assert!(within.leaves(&name("unidesk/m")) && within.leaves(&name("unidesk/n")));
        assert!(!within.leaves(&name("unidesk/l")));
        assert!(within.is_before(&name("unidesk/m"), &commit("6")));
        assert!(!within.is_before(&name("unidesk/m"), &commit("5")));
        assert!(within.is_before(&name("unidesk/n"), &commit("0")));
        assert!(!within.is_before(&name("unidesk/l"), &commit("9")));

        let behind = Cursor { commit: None, ..within };
        assert!(!behind.leaves(&name("unidesk/m")) && behind.leaves(&name("unidesk/n")));
        assert!(!behind.is_before(&name("unidesk/m"), &commit("f")));
    }
}
