//! What a registry serves, read: manifests, indexes and image configurations (OCI image specification, Docker image
//! manifest version 2 schema 2). Only the fields that something is decided by are read, so that whatever else a builder
//! writes does no harm.
//!
//! The engine reads the same bytes later with a parser of its own. So that it cannot find another image in them than
//! was proved here, a document with a repeated key is refused, and one with a key that another parser takes for a
//! field's name.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;

use super::platform::Platform;
use crate::backend::live::json;
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
/// The fields that something is decided by: of an index or manifest, of a descriptor, of a platform, and of an image
/// configuration, its runtime part and its layers.
const DOCUMENT: [&str; 5] = ["schemaVersion", "mediaType", "manifests", "config", "layers"];
const DESCRIPTOR: [&str; 4] = ["mediaType", "digest", "size", "platform"];
const PLATFORM: [&str; 3] = ["os", "architecture", "variant"];
const CONFIGURATION: [&str; 5] = ["os", "architecture", "variant", "config", "rootfs"];
const RUNTIME: [&str; 1] = ["Labels"];
const ROOTFS: [&str; 1] = ["diff_ids"];
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
        let document = read(body)?;
        spelled_document(&document)?;
        let outline: Outline = field(&document)?;
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
            let Index { manifests } = field(&document)?;
            if manifests.len() > ENTRIES {
                return Err(format!("it has {} entries, and at most {ENTRIES} are read", manifests.len()));
            }
            Ok(Self::Index(manifests))
        } else {
            let manifest: Manifest = field(&document)?;
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
        let document = read(body)?;
        spelled(Some(&document), &CONFIGURATION)?;
        spelled(document.get("config"), &RUNTIME)?;
        spelled(document.get("rootfs"), &ROOTFS)?;
        let config: Self = field(&document)?;
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

/// When an image was made, as its configuration says. Builders leave it out, or write what they like: whatever is no time
/// says nothing.
pub fn created(config: &[u8]) -> Option<jiff::Timestamp> {
    read(config).ok()?.get("created")?.as_str()?.parse().ok()
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

fn read(body: &[u8]) -> Result<Value, String> {
    json::parse(body).map_err(|error| unreadable(&error))
}

fn field<'de, T: Deserialize<'de>>(document: &'de Value) -> Result<T, String> {
    T::deserialize(document).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("it cannot be read: {}", plain(&error.to_string(), SHOWN_ERROR))
}

/// Every object of an index or manifest that something is decided by.
fn spelled_document(document: &Value) -> Result<(), String> {
    spelled(Some(document), &DOCUMENT)?;
    let listed =
        ["layers", "manifests"].into_iter().filter_map(|list| document.get(list)?.as_array()).flatten();
    document.get("config").into_iter().chain(listed).try_for_each(|descriptor| {
        spelled(Some(descriptor), &DESCRIPTOR)?;
        spelled(descriptor.get("platform"), &PLATFORM)
    })
}

/// Engines are written in Go, whose JSON parser takes `Config` for `config`, and the later of the two for the truth.
fn spelled(object: Option<&Value>, fields: &[&str]) -> Result<(), String> {
    let Some(Value::Object(object)) = object else { return Ok(()) };
    let alike = |key: &str, field: &str| key != field && folded(key).eq(folded(field));
    match object.keys().find_map(|key| Some((key, fields.iter().find(|field| alike(key, field))?))) {
        None => Ok(()),
        Some((key, field)) => Err(format!(
            "its key {} is {field:?} to some readers and unknown to others, so that it proves nothing",
            quoted(key, SHOWN)
        )),
    }
}

/// Without case, as Unicode's simple folding: the long s is an s, too.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests;
