//! What must hold of any manifest, index and image configuration.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

use serde_json::Value;

use super::document::{Descriptor, Document, ImageConfig, Manifest};
use super::platform::{Platform, best};
use crate::fuzzing::assert_presentable;
use crate::names::Digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const KINDS: [&str; 4] = [
    INDEX,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8",
];
/// Longest complaint about a document, in characters, when every character of it had to be escaped.
const COMPLAINT: usize = 2500;

/// A document under each content type: it is an index or an image to everybody, every digest is one, sizes add up.
pub fn manifest(body: &[u8]) {
    let read = KINDS.map(|kind| Document::parse(kind, body));
    let is_index = read.iter().any(|read| matches!(read, Ok(Document::Index(_))));
    for (read, kind) in read.into_iter().zip(KINDS) {
        match read {
            Err(why) => assert_presentable(&why, COMPLAINT),
            Ok(Document::Index(entries)) => {
                assert!(kind.contains("index") || kind.contains("list"), "an index served as {kind}");
                assert!(entries.len() <= 64);
                entries.iter().for_each(canonical);
                chosen(&entries);
            }
            Ok(Document::Manifest(manifest)) => {
                assert!(!is_index, "an index and an image");
                assert!(kind.contains("manifest.v"), "an image served as {kind}");
                assert!(manifest.layers.len() <= 200);
                manifest.layers.iter().chain([&manifest.config]).for_each(canonical);
                let sum: u128 = manifest.layers.iter().map(|layer| u128::from(layer.size)).sum();
                assert_eq!(manifest.size().ok(), u64::try_from(sum).ok());
            }
        }
    }
}

fn canonical(descriptor: &Descriptor) {
    is_canonical(&descriptor.digest);
}

fn is_canonical(digest: &Digest) {
    let text = digest.as_str();
    assert_eq!(text.len(), 71, "{text}");
    let (algorithm, hash) = text.split_at(7);
    assert_eq!(algorithm, "sha256:");
    assert!(hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text}");
}

/// What is chosen of an index is for this machine, and for every machine of its architecture where there is such a one.
fn chosen(entries: &[Descriptor]) {
    let ours = Platform::of_this_machine();
    let platforms: Vec<_> = entries.iter().filter_map(|entry| entry.platform.clone()).collect();
    for platform in &platforms {
        assert_presentable(&platform.to_string(), 1300);
        assert_eq!(platform.is_like(&ours), ours.is_like(platform));
        assert!(!(platform.is_unknown() && platform.is_like(&ours)));
    }
    let images: Vec<_> = platforms.iter().cloned().enumerate().collect();
    let like: Vec<_> = (0..images.len()).filter(|&at| platforms[at].is_like(&ours)).collect();
    let baseline = like.iter().copied().find(|&at| platforms[at].is_baseline());
    assert_eq!(best(images, &ours), baseline.or(like.first().copied()));
}

/// An image configuration beside a manifest with as many layers: labels are those that it holds, and nothing else is taken
/// for one.
pub fn image_config(body: &[u8]) {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let layers = value["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
    let read = ImageConfig::parse(body, &manifest_of(layers));
    if let Err(why) = &read {
        assert_presentable(why, COMPLAINT);
    }
    let Ok(config) = read else { return };
    ImageConfig::parse(body, &manifest_of(layers + 1)).expect_err("a layer is missing");
    assert_presentable(&config.platform.to_string(), 1300);
    assert_eq!(value["os"], *config.platform.os);
    assert_eq!(value["architecture"], *config.platform.architecture);
    for key in ["org.opencontainers.image.revision", "a", ""] {
        assert_eq!(config.label(key), value["config"]["Labels"][key].as_str());
    }
    let diff_ids = config.into_diff_ids();
    diff_ids.iter().for_each(is_canonical);
    assert_eq!(diff_ids.len(), layers);
}

fn manifest_of(layers: usize) -> Manifest {
    let descriptor = |media_type: &str| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(b""),
        size: 0,
        platform: None,
    };
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip");
    Manifest { config: descriptor("application/vnd.oci.image.config.v1+json"), layers: vec![layer; layers] }
}
