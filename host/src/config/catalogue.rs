//! The artifact catalogue, `CI.json`: what CI produces, from what, and under which name. It describes producers only: the
//! registry's manifest and labels are held against every deploy all the same (specification: the CI-side artifact catalog).
//!
//! ```json
//! { "artifacts": {
//!     "project-manager": {
//!       "kind": "source-build", "repository": "UniDesk", "dockerfile": "src/components/…/Dockerfile",
//!       "producer": "ci publish-user-service", "image": "unidesk/project-manager" },
//!     "searxng": {
//!       "kind": "upstream-image", "upstream": "docker.io/searxng/searxng@sha256:…", "mirror": "unidesk/searxng" } } }
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::file::read;
use super::invalid::without_text;
use crate::fault::Fault;
use crate::names::{Digest, ImageName, ServiceName};
use crate::unique::Unique;

const FORM: &str = "the form is {\"artifacts\": {<service>: {kind: \"source-build\", repository, dockerfile?, producer, image} \
                    or {kind: \"upstream-image\", upstream: \"NAME@sha256:…\", mirror}}}, each key once";

/// What CI says of each service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<ServiceName, CatalogueEntry>);

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CatalogueEntry {
    /// CI builds it.
    SourceBuild {
        /// As people name it.
        repository: String,
        /// In that repository.
        dockerfile: Option<String>,
        /// The CI command that publishes it.
        producer: String,
        /// Its repository in the registry, without the registry.
        image: ImageName,
    },
    /// Somebody else builds it; in the registry it is only where a mirror was made.
    UpstreamImage {
        /// Its name with the digest that was reviewed.
        upstream: Upstream,
        /// Its repository in the registry, once it is mirrored.
        mirror: ImageName,
    },
}

/// `docker.io/searxng/searxng@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Upstream {
    /// With its registry, without a tag.
    pub name: String,
    /// What it was when it was reviewed.
    pub digest: Digest,
}

impl TryFrom<String> for Upstream {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('@').and_then(|(name, digest)| Some((name, Digest::parse(digest).ok()?)));
        match parts {
            Some((name, digest)) if !name.is_empty() => Ok(Self { name: name.to_owned(), digest }),
            _ => Err("upstream is a name with a digest, NAME@sha256:…, and never a tag".to_owned()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    artifacts: Unique<ServiceName, CatalogueEntry>,
}

impl Catalogue {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A usage fault with the place.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        parse(&read(path)?)
            .map_err(|what| Fault::usage("catalogue", format!("{}{what}", path.display()), FORM))
    }

    /// What it says of a service.
    #[must_use]
    pub fn entry(&self, service: &ServiceName) -> Option<&CatalogueEntry> {
        self.0.get(service)
    }

    /// Everything, by service.
    pub fn entries(&self) -> impl Iterator<Item = (&ServiceName, &CatalogueEntry)> {
        self.0.iter()
    }
}

fn parse(text: &str) -> Result<Catalogue, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        format!(":{}:{}: {}", error.line(), error.column(), without_text(what))
    })?;
    Ok(Catalogue(file.artifacts.0.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &str) -> Result<Catalogue, String> {
        parse(&format!("{{\"artifacts\": {{\"searxng\": {{{fields}}}}}}}"))
    }

    #[test]
    fn what_ci_builds_and_what_others_build() {
        let digest = Digest::of(b"reviewed");
        let read = entry(&format!(
            "\"kind\": \"upstream-image\", \"upstream\": \"docker.io/searxng/searxng@{digest}\", \"mirror\": \"unidesk/searxng\""
        ))
        .expect("a catalogue");
        let service = ServiceName::parse("searxng").expect("a service");
        let Some(CatalogueEntry::UpstreamImage { upstream, mirror }) = read.entry(&service) else {
            unreachable!("{read:?}")
        };
        assert_eq!((upstream.name.as_str(), &upstream.digest), ("docker.io/searxng/searxng", &digest));
        assert_eq!(mirror.as_str(), "unidesk/searxng");
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place() {
        for (fields, words) in [
            ("\"kind\": \"source-build\"", "missing field `repository`"),
            ("\"kind\": \"built-here\"", "unknown variant"),
            (
                "\"kind\": \"upstream-image\", \"upstream\": \"docker.io/x:latest\", \"mirror\": \"unidesk/x\"",
                "never a tag",
            ),
        ] {
            let error = entry(fields).expect_err(fields);
            assert!(error.starts_with(":1:") && error.contains(words), "{error}");
        }
        assert!(parse("{\"artifacts\": {}, \"artifacts\": {}}").is_err());
    }
}
