//! The summary of a published artifact, as CI writes it: what was built from what, and which digest the registry gave it
//! (specification: the producer summary contract).

use std::path::Path;

use serde::Deserialize;

use super::file::read;
use super::invalid::without_text;
use crate::fault::Fault;
use crate::names::{Commit, Digest, ImageName, ServiceName};

const FORM: &str = "the form is {serviceId, sourceCommit, sourceRepo, dockerfile, imageRef, tag, digest, digestRef}, as \
                    `ci publish-…` prints it";

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Summary {
    /// The service.
    pub service_id: ServiceName,
    /// What it was built from.
    pub source_commit: Commit,
    /// Where that is.
    pub source_repo: String,
    /// In that repository.
    pub dockerfile: String,
    /// Registry, repository and tag.
    pub image_ref: String,
    /// The full commit.
    pub tag: Commit,
    /// What the registry calls it.
    pub digest: Digest,
    /// Registry, repository and digest.
    pub digest_ref: String,
}

impl Summary {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A usage fault with the place.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        parse(&read(path)?)
            .map_err(|what| Fault::usage("artifact-summary", format!("{}{what}", path.display()), FORM))
    }

    /// What of it does not fit a deploy of `commit` of `service` from `repository`, in words.
    #[must_use]
    pub fn misfit(&self, service: &ServiceName, commit: &Commit, repository: &ImageName) -> Option<String> {
        let says = |field: &str, found: &str, wanted: &str| {
            (found != wanted).then(|| format!("its {field} is {found}, and {wanted} is asked for"))
        };
        let ends = |field: &str, found: &str, wanted: String| {
            let fits =
                found.strip_suffix(&wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'));
            (!fits).then(|| format!("its {field} is {found}, which is not {wanted}"))
        };
        says("serviceId", self.service_id.as_str(), service.as_str())
            .or_else(|| says("sourceCommit", self.source_commit.as_str(), commit.as_str()))
            .or_else(|| says("tag", self.tag.as_str(), commit.as_str()))
            .or_else(|| ends("imageRef", &self.image_ref, format!("{repository}:{commit}")))
            .or_else(|| ends("digestRef", &self.digest_ref, format!("{repository}@{}", self.digest)))
    }
}

fn parse(text: &str) -> Result<Summary, String> {
    serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        format!(":{}:{}: {}", error.line(), error.column(), without_text(what))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn misfit(change: (&str, &str)) -> Option<String> {
        let commit = Commit::parse(&"a".repeat(40)).expect("a commit");
        let digest = Digest::of(b"manifest");
        let mut summary = json!({
            "serviceId": "todo-note",
            "sourceCommit": commit.as_str(),
            "sourceRepo": "https://gitee.com/Lyon1998/todo_note",
            "dockerfile": "Dockerfile",
            "imageRef": format!("127.0.0.1:5000/unidesk/todo-note:{commit}"),
            "tag": commit.as_str(),
            "digest": digest.as_str(),
            "digestRef": format!("127.0.0.1:5000/unidesk/todo-note@{digest}"),
        });
        if !change.0.is_empty() {
            summary[change.0] = Value::from(change.1);
        }
        let summary = parse(&summary.to_string()).expect("a summary");
        let service = ServiceName::parse("todo-note").expect("a service");
        summary.misfit(&service, &commit, &ImageName::parse("unidesk/todo-note").expect("an image"))
    }

    #[test]
    fn a_summary_is_of_one_commit_of_one_service() {
        assert_eq!(misfit(("", "")), None);
        let other = "b".repeat(40);
        let image = format!("127.0.0.1:5000/unidesk/todo-note:{other}");
        for (field, value) in [
            ("serviceId", "findjob"),
            ("sourceCommit", &other),
            ("tag", &other),
            ("imageRef", &image),
            ("digestRef", "127.0.0.1:5000/unidesk/todo-note@sha256:00"),
        ] {
            let told = misfit((field, value)).expect(field);
            assert!(told.contains(field) && told.contains(value), "{told}");
        }
    }

    #[test]
    fn what_is_no_summary_is_told_with_its_place() {
        assert!(parse("{\"tag\": \"latest\"}").expect_err("refused").starts_with(":1:"));
        assert!(parse("[]").is_err());
    }
}
