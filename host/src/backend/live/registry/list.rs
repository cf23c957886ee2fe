//! What is in the registry, one page at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::document::{Document, created};
use super::fetch::{Repository, path};
use super::names::names;
use super::{RegistryClient, contradicts, entry_manifest, images_of};
use crate::answer::CallError;
use crate::backend::live::http;
use crate::inventory::{Cursor, Entry, Found, Page, Shelf, Tags};
use crate::names::{Commit, ImageName};
use crate::operation::ListArtifacts;
use crate::progress::Watcher;

/// How many repositories or artifacts are read at the same time.
const AT_ONCE: usize = 8;
/// Most repositories of one page: a thousand of them may have no artifact.
const REPOSITORIES: usize = 100;

impl RegistryClient {
    /// One page of what is there, by repository and commit. What is wrong with one of them is told with it.
    ///
    /// Tags have to be read to their end and are sorted here: the registry of the specification (2.8) gives all of them in
    /// the order of its disk, whatever it is asked for.
    ///
    /// # Errors
    /// As for [`RegistryClient::resolve`], where nothing can be listed.
    pub async fn list(&self, call: &ListArtifacts, watcher: &dyn Watcher) -> Result<Page, CallError> {
        watcher.note("listing what is in the registry");
        Listing { client: self, watcher, late: AtomicBool::new(false) }.page(call).await
    }
}

struct Listing<'a> {
    client: &'a RegistryClient,
    watcher: &'a dyn Watcher,
    /// Whether some reads took all of their time: others would, too.
    late: AtomicBool,
}

impl Listing<'_> {
    async fn page(&self, call: &ListArtifacts) -> Result<Page, CallError> {
        let (repositories, refused) = match &call.repository {
            Some(one) => (vec![one.clone()], 0),
            None => self.catalogue().await?,
        };
        let mut page = Page { refused, ..Page::default() };
        let after = call.after.as_ref();
        // One more than the page has, so that it is known whether that is all.
        let reads: Vec<BoxFuture<'_, Shelf>> = repositories
            .into_iter()
            .filter(|name| after.is_none_or(|after| after.leaves(name)))
            .take(REPOSITORIES + 1)
            .map(|name| Box::pin(self.shelf(name)) as BoxFuture<'_, Shelf>)
            .collect();
        let mut shelves = stream::iter(reads).buffered(AT_ONCE);
        let mut left = usize::try_from(call.limit).unwrap_or(usize::MAX);
        while let Some(mut shelf) = shelves.next().await {
            if left == 0 || page.repositories.len() == REPOSITORIES {
                page.next = page.repositories.last().map(|last| behind(last, None));
                break;
            }
            let alone = call.repository.is_some();
            match &shelf.tags {
                // Nothing else is asked for: that it is not there is an answer, that it cannot be read is none.
                Err(CallError::NotFound(_)) if alone => break,
                Err(error) if alone || (error.retryable() && self.is_late()) => return Err(error.clone()),
                _ => {}
            }
            let more = shelf.begin(after, left);
            left -= shelf.artifacts.len();
            page.next = more.then(|| behind(&shelf, shelf.artifacts.last()));
            page.repositories.push(shelf);
            if more {
                break;
            }
        }
        drop(shelves);
        self.fill(&mut page).await;
        Ok(page)
    }

    /// The names of all repositories, and how many names are none of one.
    async fn catalogue(&self) -> Result<(Vec<ImageName>, usize), CallError> {
        let reader = self.client.reader("one list", http::deadline(self.client.within), self.watcher);
        let path = format!("{}/v2/_catalog", self.client.registry.url.path.trim_end_matches('/'));
        let found = names(&reader, &path, "repositories").await?.ok_or_else(|| {
            CallError::Other(format!(
                "{} answers 404: is it an image registry, and does it list its repositories?",
                reader.url(&path)
            ))
        })?;
        let all = found.all.len() + found.too_long;
        let mut repositories: Vec<_> =
            found.all.iter().filter_map(|name| ImageName::parse(name).ok()).collect();
        repositories.sort();
        let refused = all - repositories.len();
        Ok((repositories, refused))
    }

    async fn shelf(&self, repository: ImageName) -> Shelf {
        let tags = self.tags(&repository).await;
        Shelf { repository, tags, artifacts: Vec::new() }
    }

    async fn tags(&self, repository: &ImageName) -> Result<Tags, CallError> {
        let reader = self.client.reader("one list", http::deadline(self.client.within), self.watcher);
        let path = path(&self.client.registry, repository, "tags", "list");
        let found = names(&reader, &path, "tags").await;
        self.late.fetch_or(found.is_err() && reader.left().is_zero(), Ordering::Relaxed);
        let found = found?.ok_or_else(|| {
            CallError::NotFound(format!(
                "{} answers 404: nothing is left in {repository}, or it is being removed",
                reader.url(&path)
            ))
        })?;
        let all = found.all.len() + found.too_long;
        let mut commits: Vec<_> = found.all.iter().filter_map(|tag| Commit::parse(tag).ok()).collect();
        commits.sort();
        let others = all - commits.len();
        Ok(Tags { commits, others })
    }

    /// Reads all artifacts of a page.
    async fn fill(&self, page: &mut Page) {
        let mut reads: Vec<BoxFuture<'_, ()>> = Vec::new();
        for Shelf { repository, artifacts, .. } in &mut page.repositories {
            for entry in artifacts {
                reads.push(Box::pin(self.read(repository, entry)));
            }
        }
        stream::iter(reads).for_each_concurrent(AT_ONCE, |read| read).await;
    }

    async fn read(&self, repository: &ImageName, entry: &mut Entry) {
        entry.found = self.found(repository, &entry.commit).await;
    }

    async fn found(&self, name: &ImageName, commit: &Commit) -> Result<Found, CallError> {
        if self.is_late() {
            return Err(CallError::Unavailable(
                "not asked for, because the registry took too long to answer for another one".to_owned(),
            ));
        }
        let repository = self.client.repository(name, http::deadline(self.client.within), self.watcher);
        let found = found(&repository, commit).await;
        self.late.fetch_or(found.is_err() && repository.reader.left().is_zero(), Ordering::Relaxed);
        found
    }

    fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }
}

impl Shelf {
    /// Takes the first artifacts after a cursor onto the page, and tells whether there are more.
    fn begin(&mut self, after: Option<&Cursor>, most: usize) -> bool {
        let Ok(tags) = &self.tags else { return false };
        let is_ahead = |commit: &&Commit| after.is_none_or(|after| after.is_before(&self.repository, commit));
        let mut ahead = tags.commits.iter().filter(is_ahead);
        let unread = || Err(CallError::Other("it was not read".to_owned()));
        let entry = |commit: &Commit| Entry { commit: commit.clone(), found: unread() };
        let artifacts = ahead.by_ref().take(most).map(entry).collect();
        let more = ahead.next().is_some();
        self.artifacts = artifacts;
        more
    }
}

fn behind(shelf: &Shelf, last: Option<&Entry>) -> Cursor {
    Cursor { repository: shelf.repository.clone(), commit: last.map(|entry| entry.commit.clone()) }
}

/// What is under a commit, with every blob of its images counted once.
async fn found(repository: &Repository<'_>, commit: &Commit) -> Result<Found, CallError> {
    let wrong = |why: &str| contradicts(repository.name, commit, why);
    let digest = repository.digest_of(commit).await?;
    let mut manifests = Vec::new();
    match repository.manifest(&digest).await? {
        Document::Manifest(manifest) => manifests.push(manifest),
        Document::Index(entries) => {
            for entry in images_of(entries).map_err(|why| wrong(&why))? {
                manifests.push(entry_manifest(repository, commit, &entry).await?);
            }
        }
    }
    let mut made = None;
    let mut blobs = BTreeMap::new();
    for manifest in &manifests {
        made = made.max(created(&repository.blob(&manifest.config).await?));
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            if blobs.insert(&blob.digest, blob.size).is_some_and(|other| other != blob.size) {
                return Err(wrong(&format!("it gives its blob {} two sizes", blob.digest)));
            }
        }
    }
    let size = blobs
        .values()
        .try_fold(0_u64, |sum, size| sum.checked_add(*size))
        .ok_or_else(|| wrong("the sizes of its blobs add up to more than 64 bits"))?;
    Ok(Found { digest, size, created: made.map(|made| format!("{made:.0}")) })
}

#[cfg(test)]
mod tests;
