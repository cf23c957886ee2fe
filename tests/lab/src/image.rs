//! Images of the sample service, as a CI would publish them, made without any image build.
//!
//! A [`SampleImage`] starts out truthful; the builder methods make it lie.

mod bulk;
mod layer;
mod manifest;
mod push;

use std::{collections::BTreeMap, sync::Arc};

use sample_service::Behaviour;

pub use self::bulk::{Bulk, Filling};
use self::{
    layer::{Entry, Layer},
    manifest::Manifest,
};
use crate::{Result, sample};

/// The namespace of all images in the registry.
pub const NAMESPACE: &str = "unidesk";

/// The label that names the commit.
pub const REVISION: &str = "org.opencontainers.image.revision";

/// The label that names the repository.
pub const SOURCE: &str = "org.opencontainers.image.source";

/// The label that names the service.
pub const TITLE: &str = "org.opencontainers.image.title";

/// The repository that the sample images claim to come from.
pub const SOURCE_REPOSITORY: &str = "https://github.com/pikasTech/unidesk";

/// A commit for a text: always the same one, and nobody's.
#[must_use]
pub fn commit(text: &str) -> String {
    commit_of(text.as_bytes())
}

/// A commit for some content: another one when the content is another.
#[must_use]
pub fn commit_of(content: &[u8]) -> String {
    manifest::digest(content).chars().skip("sha256:".len()).take(40).collect()
}

/// The digest of some bytes, with its algorithm.
#[must_use]
pub fn digest(data: &[u8]) -> String {
    manifest::digest(data)
}

/// In which media types an image is published, and how its layers are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Those of OCI, with gzip.
    #[default]
    Oci,
    /// Those of OCI, with Zstandard.
    OciZstd,
    /// Docker's own, with gzip.
    Docker,
}

/// An image of the sample service; the same input gives the same bytes.
#[derive(Clone, Debug)]
pub struct SampleImage {
    service: String,
    tag: String,
    architecture: String,
    entrypoint: String,
    labels: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
    padding: usize,
    bulk: Vec<Bulk>,
    entries: Vec<Entry>,
    others: Option<Vec<SampleImage>>,
    format: Format,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedImage {
    /// `host:port/unidesk/<service>:<tag>`.
    pub reference: String,
    /// What the tag points at: the index, if there is one, else the manifest.
    pub digest: String,
    /// The manifest for this machine.
    pub manifest_digest: String,
    /// Its configuration: the image id in an engine with the classic store.
    pub config_digest: String,
    /// The bytes of the manifest for this machine.
    pub manifest: Vec<u8>,
    /// The bytes of its configuration.
    pub config: Vec<u8>,
    /// Bytes of all layers as they are sent.
    pub size: u64,
}

impl SampleImage {
    /// The truthful, well-behaved image of a commit.
    #[must_use]
    pub fn new(service: &str, commit: &str) -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        Self {
            service: service.to_owned(),
            tag: commit.to_owned(),
            architecture: manifest::ARCHITECTURE.to_owned(),
            entrypoint: "/sample-service".to_owned(),
            labels: owned(&[(REVISION, commit), (SOURCE, SOURCE_REPOSITORY), (TITLE, service)]),
            env: owned(&[("PORT", "8080"), ("SAMPLE_COMMIT", commit), ("SAMPLE_SERVICE", service)]),
            padding: 0,
            bulk: Vec::new(),
            entries: Vec::new(),
            others: None,
            format: Format::default(),
        }
    }

    /// Publishes it in other media types.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Makes `/health` behave in this way.
    #[must_use]
    pub fn behaviour(self, behaviour: Behaviour) -> Self {
        self.env("SAMPLE_BEHAVIOUR", behaviour.name())
    }

    /// Starts another program; one that is not there makes a container that cannot be started.
    #[must_use]
    pub fn entrypoint(mut self, program: &str) -> Self {
        program.clone_into(&mut self.entrypoint);
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Leaves a label out.
    #[must_use]
    pub fn without_label(mut self, key: &str) -> Self {
        self.labels.remove(key);
        self
    }

    /// Sets an environment variable of the image.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a layer of this many bytes that cannot be compressed, so that there is something to wait for.
    #[must_use]
    pub fn padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Adds a layer that other images may have too.
    #[must_use]
    pub fn bulk(mut self, layer: &Bulk) -> Self {
        self.bulk.push(layer.clone());
        self
    }

    /// Adds a file under exactly this name, which may lead out of the image.
    #[must_use]
    pub fn file(mut self, name: &str) -> Self {
        self.entries.push(Entry { name: name.to_owned(), target: None });
        self
    }

    /// Adds a symbolic link under exactly this name.
    #[must_use]
    pub fn link(mut self, name: &str, target: &str) -> Self {
        self.entries.push(Entry { name: name.to_owned(), target: Some(target.to_owned()) });
        self
    }

    /// Wraps it in an index, beside an attestation as build tools add it.
    #[must_use]
    pub fn in_index(mut self) -> Self {
        self.others.get_or_insert_default();
        self
    }

    /// Adds an image for another architecture to the index; it may tell other things than this one.
    #[must_use]
    pub fn with_platform(mut self, architecture: &str, mut other: Self) -> Self {
        architecture.clone_into(&mut other.architecture);
        self.others.get_or_insert_default().push(other);
        self
    }

    /// The layers and the manifest of this one image.
    fn manifest(&self) -> Result<(Vec<Arc<Layer>>, Manifest)> {
        let mut layers = vec![Arc::new(Layer::program("sample-service", &sample::bytes()?, self.format)?)];
        layers.extend(self.bulk.iter().map(|layer| Arc::clone(&layer.0)));
        if self.padding > 0 {
            layers.push(Arc::new(Layer::padding(self.padding, self.format)?));
        }
        if !self.entries.is_empty() {
            layers.push(Arc::new(Layer::of_entries(&self.entries, self.format)?));
        }
        let manifest =
            Manifest::of(&layers, &self.architecture, &self.entrypoint, &self.env, &self.labels, self.format);
        Ok((layers, manifest))
    }
}
