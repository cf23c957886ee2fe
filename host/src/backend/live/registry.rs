//! The artifact registry: a commit looked up and proved. What the registry says about itself is never believed; every
//! document is bounded, hashed here and compared with the digest it was asked for by.

mod content;
mod diagnose;
mod document;
#[cfg(test)]
mod fake;
mod fetch;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod list;
mod names;
mod platform;
mod retry;

use std::time::Duration;

use tokio::time::Instant;

pub use content::Content;
pub use diagnose::diagnose;
pub use document::Descriptor;
use document::{Document, ImageConfig, Manifest};
use fetch::{Reader, Repository};
use platform::{Platform, best};

use super::http;
use crate::answer::CallError;
use crate::artifact::{Artifact, Identity};
use crate::config::{Limits, RegistryConfig};
use crate::names::{Commit, Digest, ImageName};
use crate::operation::Resolve;
use crate::progress::Watcher;
use crate::words::{listed, quoted};

/// Most platform images of one index; each costs two reads.
const IMAGES: usize = 16;
/// Wrong labels that a message names.
const NAMED: usize = 3;
/// Characters of a label that a message repeats.
const SHOWN: usize = 80;

/// Reads artifacts from the registry of the configuration.
#[derive(Debug, Clone)]
pub struct RegistryClient {
    registry: RegistryConfig,
    document_bytes: usize,
    within: Duration,
    platform: Platform,
}

impl RegistryClient {
    /// A client for images of this machine's platform.
    #[must_use]
    pub fn new(registry: &RegistryConfig, limits: &Limits) -> Self {
        Self {
            registry: registry.clone(),
            document_bytes: limits.manifest_bytes,
            within: Duration::from_secs(limits.registry_seconds),
            platform: Platform::of_this_machine(),
        }
    }

    /// Where it is asked: its host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.registry.url.authority
    }

    /// Looks up the image of a commit, checks the required labels on every platform of it, and learns all names by
    /// which an engine may call it. All reads together last no longer than `registry_seconds`.
    ///
    /// # Errors
    /// - [`CallError::NotFound`]: the registry has no such repository or tag;
    /// - [`CallError::Unavailable`]: it cannot be reached, is too slow, busy or failing;
    /// - [`CallError::Mismatch`]: what it holds contradicts its digest, itself, this machine's platform or the labels;
    /// - [`CallError::Other`]: it redirects, asks for credentials or refuses.
    pub async fn resolve(&self, call: &Resolve, watcher: &dyn Watcher) -> Result<Artifact, CallError> {
        let repository = self.repository(&call.repository, http::deadline(self.within), watcher);
        watcher.note(&format!("looking up {}:{}", call.repository, call.commit));
        let served = repository.digest_of(&call.commit).await?;
        let identity = match repository.manifest(&served).await? {
            Document::Manifest(manifest) => self.single(&repository, call, served, manifest).await?,
            Document::Index(entries) => self.chosen(&repository, call, served, entries).await?,
        };
        Ok(Artifact {
            service: call.service.clone(),
            commit: call.commit.clone(),
            repository: call.repository.clone(),
            identity: Some(identity),
            labels: call.required_labels.clone(),
        })
    }

    fn repository<'a>(
        &'a self,
        name: &'a ImageName,
        until: Instant,
        watcher: &'a dyn Watcher,
    ) -> Repository<'a> {
        Repository { reader: self.reader("one image", until, watcher), name }
    }

    fn reader<'a>(&'a self, of: &'static str, until: Instant, watcher: &'a dyn Watcher) -> Reader<'a> {
        Reader { registry: &self.registry, document_bytes: self.document_bytes, until, of, watcher }
    }

    /// A tag that points to one image.
    async fn single(
        &self,
        repository: &Repository<'_>,
        call: &Resolve,
        digest: Digest,
        manifest: Manifest,
    ) -> Result<Identity, CallError> {
        let (identity, platform) = image(repository, call, digest, &manifest).await?;
        if platform.is_like(&self.platform) {
            Ok(identity)
        } else {
            Err(contradiction(call, &format!("it was built for {platform}, and {} is needed", self.platform)))
        }
    }

    /// A tag that points to one image per platform: all must keep the rules, and one of them is this machine's.
    async fn chosen(
        &self,
        repository: &Repository<'_>,
        call: &Resolve,
        index: Digest,
        entries: Vec<Descriptor>,
    ) -> Result<Identity, CallError> {
        let mut images = Vec::new();
        for entry in images_of(entries).map_err(|why| contradiction(call, &why))? {
            images.push(platform_image(repository, call, entry).await?);
        }
        let found: Vec<_> = images.iter().map(|(_, platform)| platform.to_string()).collect();
        if let Some(identity) = best(images, &self.platform) {
            return Ok(Identity { index: Some(index), ..identity });
        }
        let found = if found.is_empty() { "nothing".to_owned() } else { listed(&found, IMAGES) };
        Err(contradiction(call, &format!("it was built for {found}, and {} is needed", self.platform)))
    }
}

/// The entries of an index that are images, and no statements about one.
fn images_of(entries: Vec<Descriptor>) -> Result<Vec<Descriptor>, String> {
    let is_image = |entry: &Descriptor| !entry.platform.as_ref().is_some_and(Platform::is_unknown);
    let entries: Vec<_> = entries.into_iter().filter(is_image).collect();
    match entries.len() {
        count if count > IMAGES => Err(format!("it has {count} platforms; at most {IMAGES} are read")),
        _ => Ok(entries),
    }
}

/// The manifest that an entry of the index under `commit` leads to.
async fn entry_manifest(
    repository: &Repository<'_>,
    commit: &Commit,
    entry: &Descriptor,
) -> Result<Manifest, CallError> {
    let Descriptor { digest, media_type, .. } = entry;
    let wrong = |why: String| contradicts(repository.name, commit, &why);
    if !entry.is_manifest() {
        let found = quoted(media_type, SHOWN);
        return Err(wrong(format!("the entry {digest} of its index is no image but {found}")));
    }
    match repository.manifest(digest).await? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Err(wrong(format!("the entry {digest} of its index is another index"))),
    }
}

/// One entry of an index, read and checked.
async fn platform_image(
    repository: &Repository<'_>,
    call: &Resolve,
    entry: Descriptor,
) -> Result<(Identity, Platform), CallError> {
    let Descriptor { digest, platform: said, .. } = &entry;
    let manifest = entry_manifest(repository, &call.commit, &entry).await?;
    let (identity, mut platform) = image(repository, call, digest.clone(), &manifest).await?;
    if let Some(said) = said {
        if !platform.is_like(said) {
            return Err(contradiction(
                call,
                &format!(
                    "the index says that {digest} was built for {said}, and the image itself {platform}"
                ),
            ));
        }
        platform.variant = said.variant.clone().or(platform.variant);
    }
    Ok((identity, platform))
}

/// One image by its manifest: its configuration read, its labels checked.
async fn image(
    repository: &Repository<'_>,
    call: &Resolve,
    digest: Digest,
    manifest: &Manifest,
) -> Result<(Identity, Platform), CallError> {
    let body = repository.blob(&manifest.config).await?;
    let config = ImageConfig::parse(&body, manifest).map_err(|why| {
        contradiction(call, &format!("its image configuration {}: {why}", manifest.config.digest))
    })?;
    labels(call, &config)?;
    let size = manifest.size().map_err(|why| contradiction(call, &why))?;
    let platform = config.platform.clone();
    let config_digest = manifest.config.digest.clone();
    let diff_ids = config.into_diff_ids();
    Ok((Identity { index: None, manifest: digest, config: config_digest, diff_ids, size }, platform))
}

/// The image must say itself that it is what was asked for (specification: required labels).
fn labels(call: &Resolve, config: &ImageConfig) -> Result<(), CallError> {
    let wrong: Vec<_> = call
        .required_labels
        .iter()
        .filter_map(|pair| {
            let found = config.label(pair.key.as_str());
            let expected = pair.value.as_str();
            (found != Some(expected)).then(|| match found {
                Some(found) => format!("{} is {}, not {expected:?}", pair.key, quoted(found, SHOWN)),
                None => format!("{} is missing, expected {expected:?}", pair.key),
            })
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let platform = &config.platform;
    let wrong = listed(&wrong, NAMED);
    Err(contradiction(
        call,
        &format!("labels of its {platform} image are wrong: {wrong}; publish it again with CI"),
    ))
}

fn contradiction(call: &Resolve, why: &str) -> CallError {
    contradicts(&call.repository, &call.commit, why)
}

fn contradicts(repository: &ImageName, commit: &Commit, why: &str) -> CallError {
    CallError::Mismatch(format!("{repository}:{commit}: {why}"))
}

#[cfg(test)]
mod tests;
