//! What is known of an artifact beside what the registry says: who wants it, and where it was deployed last.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::CallError;
use crate::commands::runs::targets::TargetRow;
use crate::config::Desired;
use crate::fault::Fault;
use crate::inventory::{Cursor, Entry, Page, Shelf};
use crate::names::{Commit, Digest, Environment, ImageName, ServiceName};
use crate::operation::ListArtifacts;
use crate::run::repository;

/// One repository, and those artifacts of it that are on this page.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRow {
    /// Its name.
    pub repository: String,
    /// How many commits it has in all; nothing where its tags could not be read.
    pub commits: Option<usize>,
    /// How many of its tags are no commit: nothing is ever deployed by them.
    pub other_tags: Option<usize>,
    /// Why its tags could not be read.
    pub error: Option<String>,
    /// By commit.
    pub artifacts: Vec<ArtifactRow>,
}

/// One artifact.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRow {
    /// Its tag.
    pub commit: Commit,
    /// What the registry serves under it.
    pub digest: Option<Digest>,
    /// Bytes of configurations and layers as they are served: of an index those of all its images, each blob counted once.
    pub size: Option<u64>,
    /// When its newest image was made, as that says itself (RFC 3339, UTC).
    pub created: Option<String>,
    /// Why that could not be read.
    pub error: Option<String>,
    /// The environments for which the desired state names it.
    pub wanted_in: Vec<Environment>,
    /// The targets to which it was deployed last, as they say themselves.
    pub deployed: Vec<TargetRow>,
}

/// A commit that the desired state names and the registry does not have.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingRow {
    /// Where it would be.
    pub repository: String,
    /// Whose it is.
    pub service: ServiceName,
    /// Which.
    pub commit: Commit,
    /// The environments for which it is named.
    pub wanted_in: Vec<Environment>,
}

/// Repository and commit of what somebody named.
type Named = (ImageName, Commit);

/// What the desired state and the targets say.
pub struct Knowledge {
    wanted: BTreeMap<Named, (ServiceName, Vec<Environment>)>,
    deployed: BTreeMap<Named, Vec<TargetRow>>,
}

impl Knowledge {
    /// Of one service, or of all.
    ///
    /// # Errors
    /// A usage fault for a service whose repository has no possible name.
    pub fn new(
        namespace: &ImageName,
        desired: Option<&Desired>,
        rows: Vec<TargetRow>,
        service: Option<&str>,
    ) -> Result<Self, Fault> {
        let mut wanted: BTreeMap<Named, (ServiceName, Vec<Environment>)> = BTreeMap::new();
        let named = desired.into_iter().flat_map(|desired| {
            desired.environments().flat_map(|environment| {
                desired.of(environment).map(move |(service, commit)| (environment, service, commit))
            })
        });
        for (environment, name, commit) in named {
            if service.is_none_or(|one| one == name.as_str()) {
                let named = (repository(namespace, name)?, commit.clone());
                let (_, environments) = wanted.entry(named).or_insert_with(|| (name.clone(), Vec::new()));
                environments.push(environment.clone());
            }
        }
        let mut deployed: BTreeMap<Named, Vec<TargetRow>> = BTreeMap::new();
        for row in rows {
            let named = (repository(namespace, &row.service)?, row.deploy.commit.clone());
            deployed.entry(named).or_default().push(row);
        }
        Ok(Self { wanted, deployed })
    }

    /// A repository with what is known of its artifacts.
    pub fn repository(&self, Shelf { repository, tags, artifacts }: Shelf) -> RepositoryRow {
        let (commits, other_tags, error) = match tags {
            Ok(tags) => (Some(tags.commits.len()), Some(tags.others), None),
            Err(error) => (None, None, Some(error.message().to_owned())),
        };
        let artifacts = artifacts.into_iter().map(|entry| self.artifact(&repository, entry)).collect();
        RepositoryRow { repository: repository.to_string(), commits, other_tags, error, artifacts }
    }

    fn artifact(&self, repository: &ImageName, entry: Entry) -> ArtifactRow {
        let Entry { commit, found } = entry;
        let named = (repository.clone(), commit);
        let wanted_in = self.wanted.get(&named).map(|(_, environments)| environments.clone());
        let deployed = self.deployed.get(&named).cloned();
        let (digest, size, created, error) = match found {
            Ok(found) => (Some(found.digest), Some(found.size), found.created, None),
            Err(error) => (None, None, None, Some(error.message().to_owned())),
        };
        ArtifactRow {
            commit: named.1,
            digest,
            size,
            created,
            error,
            wanted_in: wanted_in.unwrap_or_default(),
            deployed: deployed.unwrap_or_default(),
        }
    }

    /// What is wanted of the repositories that a page covers, and is not there.
    pub fn missing(&self, page: &Page, call: &ListArtifacts) -> Vec<MissingRow> {
        let is_missing = |(repository, commit): &Named| {
            if !covers(page, call, repository) {
                return false;
            }
            match page.repositories.iter().find(|shelf| shelf.repository == *repository) {
                None => true,
                Some(Shelf { tags: Ok(tags), .. }) => tags.commits.binary_search(commit).is_err(),
                Some(Shelf { tags: Err(error), .. }) => matches!(error, CallError::NotFound(_)),
            }
        };
        let missing = self.wanted.iter().filter(|(named, _)| is_missing(named));
        missing
            .map(|((repository, commit), (service, wanted_in))| MissingRow {
                repository: repository.to_string(),
                service: service.clone(),
                commit: commit.clone(),
                wanted_in: wanted_in.clone(),
            })
            .collect()
    }
}

/// Whether a page tells of all tags of a repository, or, by leaving it out, that there is none of that name.
fn covers(page: &Page, call: &ListArtifacts, repository: &ImageName) -> bool {
    let is_begun = call.after.as_ref().is_none_or(|after| after.leaves(repository));
    let is_reached = page.next.as_ref().is_none_or(|Cursor { repository: last, .. }| repository <= last);
    is_begun && is_reached
}
