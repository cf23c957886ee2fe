//! Configurations, manifests and indexes.

use std::{collections::BTreeMap, env::consts::ARCH, fmt::Write as _, sync::Arc};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Format, layer::Layer};

/// This machine's architecture in the words of image manifests.
pub(super) const ARCHITECTURE: &str = match ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    _ => ARCH,
};

/// Media types of an image's documents and layers.
struct Types {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
    index: &'static str,
}

const OCI: Types = Types {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
    index: "application/vnd.oci.image.index.v1+json",
};
const OCI_ZSTD: Types = Types { layer: "application/vnd.oci.image.layer.v1.tar+zstd", ..OCI };
const DOCKER: Types = Types {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
};
const STATEMENT: &str = "application/vnd.in-toto+json";

fn types(format: Format) -> &'static Types {
    match format {
        Format::Oci => &OCI,
        Format::OciZstd => &OCI_ZSTD,
        Format::Docker => &DOCKER,
    }
}

/// A JSON document as it is stored in the registry.
pub(super) struct Document {
    pub media_type: &'static str,
    pub digest: String,
    pub data: Vec<u8>,
}

impl Document {
    fn new(media_type: &'static str, value: Value) -> Self {
        let data = sorted(value).to_string().into_bytes();
        Self { media_type, digest: digest(&data), data }
    }

    fn descriptor(&self) -> Value {
        descriptor(self.media_type, &self.digest, self.data.len())
    }
}

/// A manifest with the configuration that it names.
pub(super) struct Manifest {
    pub document: Document,
    pub config: Document,
    architecture: String,
}

impl Manifest {
    /// The manifest of an image with these layers.
    pub fn of(
        layers: &[Arc<Layer>],
        architecture: &str,
        entrypoint: &str,
        env: &BTreeMap<String, String>,
        labels: &BTreeMap<String, String>,
        format: Format,
    ) -> Self {
        let types = types(format);
        let env: Vec<String> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {
                "Entrypoint": [entrypoint],
                "Env": env,
                "Labels": labels,
                // The service runs as PID 1 and has no handlers: SIGTERM would be ignored.
                "StopSignal": "SIGKILL",
            },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let layers = layers.iter().map(|layer| descriptor(types.layer, &layer.digest, layer.data.len()));
        Self::with(Document::new(types.config, config), &layers.collect::<Vec<_>>(), architecture, types)
    }

    /// What build tools add to an index to say how an image was made: a manifest that is no image.
    pub fn attestation(statement: &Layer) -> Self {
        let config = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [statement.diff_id] },
        });
        let layers = [descriptor(STATEMENT, &statement.digest, statement.data.len())];
        Self::with(Document::new(OCI.config, config), &layers, "unknown", &OCI)
    }

    fn with(config: Document, layers: &[Value], architecture: &str, types: &Types) -> Self {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": types.manifest,
            "config": config.descriptor(),
            "layers": layers,
        });
        let document = Document::new(types.manifest, manifest);
        Self { document, config, architecture: architecture.to_owned() }
    }
}

/// An index of images, and of the attestation of the first of them.
pub(super) fn index(images: &[Manifest], attestation: &Manifest, format: Format) -> Document {
    let index = types(format).index;
    let mut entries: Vec<Value> = images.iter().map(|image| entry(image, "linux")).collect();
    let mut last = entry(attestation, "unknown");
    last["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": images.first().map(|image| &image.document.digest),
    });
    entries.push(last);
    Document::new(index, json!({ "schemaVersion": 2, "mediaType": index, "manifests": entries }))
}

/// Whether an object keeps the order of its keys depends on who else uses the JSON library; the bytes must not.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            fields.into_iter().map(|(key, value)| (key, sorted(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn entry(manifest: &Manifest, os: &str) -> Value {
    let mut entry = manifest.document.descriptor();
    entry["platform"] = json!({ "architecture": manifest.architecture, "os": os });
    entry
}

fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// The digest of some bytes, with its algorithm.
pub(super) fn digest(data: &[u8]) -> String {
    shown(Sha256::new_with_prefix(data))
}

/// A hash as a digest, with its algorithm.
pub(super) fn shown(hash: Sha256) -> String {
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        // Writing into a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
