//! What a registry serves, read: manifests, indexes and image configurations (OCI image specification, Docker image
//! manifest version 2 schema 2). Only the fields that something is decided by are read, so that whatever else a builder
//! writes does no harm.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

use super::platform::Platform;
use crate::names::Digest;
use crate::words::{plain, quoted};

/// What is asked for, and all that is understood.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Most layers of an image; overlay filesystems end at about half of it.
const LAYERS: usize = 200;
/// Most entries of an index, attestations included.
const ENTRIES: usize = 64;
/// Characters of a media type that a message repeats.
const SHOWN: usize = 120;
/// Characters of a parser's message, which may repeat a value; a refused digest and its rule fit.
const SHOWN_ERROR: usize = 220;

/// A pointer from one document to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it points to.
    pub media_type: String,
    /// Its content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// In an index: what the image was built for.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// An index or a manifest.
#[derive(Debug, PartialEq, Eq)]
pub enum Document {
    /// One entry per platform.
    Index(Vec<Descriptor>),
    /// One image.
    Manifest(Manifest),
}

/// An image's manifest.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// The image configuration.
    pub config: Descriptor,
    /// Compressed layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// An image's configuration.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// What the image was built for.
    #[serde(flatten)]
    pub platform: Platform,
    /// What it runs.
    #[serde(default)]
    config: Option<Runtime>,
    /// Its uncompressed layers.
    rootfs: RootFs,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Runtime {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

/// What a document says of itself, and whether it could be taken for the other kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

impl Document {
    /// Reads a document that was served as `content_type`.
    ///
    /// # Errors
    /// In words, what contradicts the specification or itself.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<Self, String> {
        let served = media_type(content_type);
        let is_index = INDEXES.contains(&served.as_str());
        let outline: Outline = json(body)?;
        if outline.schema_version != Some(2) {
            return Err(match outline.schema_version {
                Some(other) => format!("its schema version is {other}, and only 2 is understood"),
                None => "it has no schema version".to_owned(),
            });
        }
        if let Some(claimed) = &outline.media_type
            && *claimed != served
        {
            return Err(format!("it is served as {served} and calls itself {}", quoted(claimed, SHOWN)));
        }
        // A document with the fields of both kinds is an index to one reader and an image to another (CVE-2021-41190).
        let has_image = outline.config.is_some() || outline.layers.is_some();
        if (is_index && has_image) || (!is_index && outline.manifests.is_some()) {
            return Err("it has the fields of an index and of an image".to_owned());
        }
        if is_index {
            let Index { manifests } = json(body)?;
            if manifests.len() > ENTRIES {
                return Err(format!("it has {} entries, and at most {ENTRIES} are read", manifests.len()));
            }
            Ok(Self::Index(manifests))
        } else {
            let manifest: Manifest = json(body)?;
            manifest.check()?;
            Ok(Self::Manifest(manifest))
        }
    }
}

impl Manifest {
    fn check(&self) -> Result<(), String> {
        if !CONFIGS.contains(&self.config.media_type.as_str()) {
            let found = quoted(&self.config.media_type, SHOWN);
            return Err(format!("it is no container image: its configuration is {found}"));
        }
        if self.layers.len() > LAYERS {
            return Err(format!("it has {} layers, and at most {LAYERS} are read", self.layers.len()));
        }
        Ok(())
    }

    /// Compressed size of all layers, in bytes.
    ///
    /// # Errors
    /// In words, if the sum is no number of bytes any more.
    pub fn size(&self) -> Result<u64, String> {
        self.layers
            .iter()
            .try_fold(0_u64, |sum, layer| sum.checked_add(layer.size))
            .ok_or_else(|| "the sizes of its layers add up to more than 64 bits".to_owned())
    }
}

impl Descriptor {
    /// Whether it points to an image's manifest.
    pub fn is_manifest(&self) -> bool {
        MANIFESTS.contains(&self.media_type.as_str())
    }
}

impl ImageConfig {
    /// Reads the configuration of the image with this `manifest`.
    ///
    /// # Errors
    /// In words, what contradicts the specification or the manifest.
    pub fn parse(body: &[u8], manifest: &Manifest) -> Result<Self, String> {
        let config: Self = json(body)?;
        let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            return Err(format!("it names {diff_ids} layers, and the manifest {layers}"));
        }
        Ok(config)
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.config.as_ref()?.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// The uncompressed layers, lowest first.
    pub fn into_diff_ids(self) -> Vec<Digest> {
        self.rootfs.diff_ids
    }
}

/// Whether a content type is one that [`Document::parse`] understands.
pub fn is_understood(content_type: &str) -> bool {
    let name = media_type(content_type);
    INDEXES.iter().chain(&MANIFESTS).any(|known| *known == name)
}

/// The media type without parameters; its letters' case does not count (RFC 9110, 8.3.1).
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("it cannot be read: {}", plain(&error.to_string(), SHOWN_ERROR)))
}

#[cfg(test)]
mod tests;
