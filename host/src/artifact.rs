//! A commit-pinned image in the registry and what makes it that image.

use serde::{Deserialize, Serialize};

use crate::names::{Commit, Digest, ImageName, LabelKey, PlainValue, ServiceName};

/// The label that names an image's commit (OCI image specification, pre-defined annotation keys).
pub const REVISION_LABEL: &str = "org.opencontainers.image.revision";

/// Everything by which one image is known. A registry, an engine with the classic image store and one with the
/// containerd store each call the same image by another of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The manifest list, where the tag points to one.
    pub index: Option<Digest>,
    /// The manifest of the runtime's platform.
    pub manifest: Digest,
    /// The image configuration: what the classic store calls the image's id.
    pub config: Digest,
    /// The uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// Compressed size of all layers, in bytes.
    pub size: u64,
}

impl Identity {
    /// What the registry serves under the tag: the index if there is one, else the manifest.
    #[must_use]
    pub fn served(&self) -> &Digest {
        self.index.as_ref().unwrap_or(&self.manifest)
    }

    /// Whether an engine that calls an image `id` means this one: the classic store names it by its configuration,
    /// the containerd store by its manifest or index.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        [Some(&self.config), Some(&self.manifest), self.index.as_ref()]
            .into_iter()
            .flatten()
            .any(|digest| digest.as_str() == id)
    }
}

/// An artifact as one run knows it. Plugins hold it as an opaque resource that only `resolve` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The service whose image it is.
    pub service: ServiceName,
    /// The commit it was built from; its tag.
    pub commit: Commit,
    /// `unidesk/project-manager`.
    pub repository: ImageName,
    /// Nothing where the registry was not asked (offline).
    pub identity: Option<Identity>,
    /// What was asked of its labels and is so, on every platform of it.
    #[serde(default)]
    pub labels: Vec<Pair<LabelKey>>,
}

impl Artifact {
    /// The name under which a runtime keeps it: repository and commit, never anything that moves.
    #[must_use]
    pub fn commit_name(&self) -> String {
        format!("{}:{}", self.repository, self.commit)
    }
}

/// One key with its value: a label, an annotation, a stamp.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair<K> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: PlainValue,
}
