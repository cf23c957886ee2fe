//! One image as an archive that an engine loads: a layout of the OCI image specification, so that containerd's store keeps
//! its manifest's digest, and the list that the classic store reads. No name is in it: the image gets its name when it is
//! checked.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;

use crate::answer::CallError;
use crate::artifact::Identity;
use crate::backend::live::registry::{Content, Descriptor};
use crate::names::Digest;

/// What a tar archive is made of, in bytes.
const BLOCK: u64 = 512;
/// What ends an archive: two empty blocks.
const END: [u8; 1024] = [0; 1024];

/// A part of the archive, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// A layer as the registry keeps it.
    Layer(Descriptor),
}

/// The archive of an image, without the content of its lowest `known` layers.
///
/// # Errors
/// `Mismatch` for documents that cannot be packed.
pub fn of(content: &Content, identity: &Identity, known: usize) -> Result<Vec<Part>, CallError> {
    let layers: Vec<String> = content.layers.iter().map(|layer| path(&layer.digest)).collect();
    let list = json!([{ "Config": path(&identity.config), "RepoTags": null, "Layers": layers }]);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": content.media_type,
            "digest": identity.manifest,
            "size": content.manifest.len(),
        }],
    });
    let mut archive = Archive::default();
    archive.file("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().into())?;
    archive.file("index.json", index.to_string().into())?;
    archive.file("manifest.json", list.to_string().into())?;
    archive.file(&path(&identity.manifest), content.manifest.clone())?;
    archive.file(&path(&identity.config), content.config.clone())?;
    let mut packed = BTreeSet::new();
    for layer in content.layers.iter().skip(known) {
        // An image may have one layer twice.
        if packed.insert(layer.digest.as_str()) {
            archive.entry(&path(&layer.digest), layer.size, Part::Layer(layer.clone()))?;
        }
    }
    Ok(archive.end())
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replace(':', "/"))
}

#[derive(Default)]
struct Archive(Vec<Part>);

impl Archive {
    fn file(&mut self, path: &str, bytes: Bytes) -> Result<(), CallError> {
        self.entry(path, bytes.len() as u64, Part::Bytes(bytes))
    }

    fn entry(&mut self, path: &str, size: u64, content: Part) -> Result<(), CallError> {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(|error| {
            CallError::Mismatch(format!("{path} cannot be packed into an archive: {error}"))
        })?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.0.push(Part::Bytes(Bytes::copy_from_slice(header.as_bytes())));
        self.0.push(content);
        self.zeros(size.next_multiple_of(BLOCK) - size);
        Ok(())
    }

    fn end(mut self) -> Vec<Part> {
        self.0.push(Part::Bytes(Bytes::from_static(&END)));
        self.0
    }

    fn zeros(&mut self, count: u64) {
        let zeros = usize::try_from(count).ok().and_then(|count| END.get(..count)).unwrap_or_default();
        if !zeros.is_empty() {
            self.0.push(Part::Bytes(Bytes::from_static(zeros)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn layer(content: &[u8]) -> Descriptor {
        Descriptor {
            media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            platform: None,
        }
    }

    /// Paths and contents of the archive, as a reader of archives finds them.
    fn unpacked(layers: &[&[u8]], known: usize) -> Vec<(String, Vec<u8>)> {
        let content = Content {
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            manifest: Bytes::from_static(b"{the manifest}"),
            config: Bytes::from_static(b"{the config}"),
            layers: layers.iter().map(|bytes| layer(bytes)).collect(),
        };
        let identity = Identity {
            index: None,
            manifest: Digest::of(&content.manifest),
            config: Digest::of(&content.config),
            diff_ids: Vec::new(),
            size: 0,
        };
        let mut bytes = Vec::new();
        for part in of(&content, &identity, known).expect("an archive") {
            match part {
                Part::Bytes(part) => bytes.extend_from_slice(&part),
                Part::Layer(wanted) => {
                    let found = layers.iter().find(|bytes| Digest::of(bytes) == wanted.digest);
                    bytes.extend_from_slice(found.expect("one of them"));
                }
            }
        }
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content");
            (path, content)
        });
        entries.collect()
    }

    fn paths_of_layers(layers: &[&[u8]], known: usize) -> Vec<Vec<u8>> {
        unpacked(layers, known).into_iter().skip(5).map(|(_, content)| content).collect()
    }

    #[test]
    fn an_image_is_a_layout_with_a_list_beside_it() {
        let one = [7_u8; 600];
        let files = unpacked(&[&one, b"two"], 0);
        let path = |bytes: &[u8]| path(&Digest::of(bytes));
        let expected = [
            "oci-layout".to_owned(),
            "index.json".to_owned(),
            "manifest.json".to_owned(),
            path(b"{the manifest}"),
            path(b"{the config}"),
            path(&one),
            path(b"two"),
        ];
        assert_eq!(files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), expected);
        let json = |at: usize| serde_json::from_slice::<serde_json::Value>(&files[at].1).expect("JSON");
        assert_eq!(json(1)["manifests"][0]["digest"], Digest::of(b"{the manifest}").as_str());
        assert_eq!(json(2)[0]["Config"], path(b"{the config}"));
        assert_eq!(json(2)[0]["Layers"], json!([path(&one), path(b"two")]));
        assert!(json(2)[0]["RepoTags"].is_null(), "no name is in it");
        assert_eq!(files[5].1, one);
    }

    #[test]
    fn what_the_engine_has_is_left_out_and_nothing_is_sent_twice() {
        let (a, b) = (b"a".as_slice(), b"b".as_slice());
        assert_eq!(paths_of_layers(&[a, b, a], 0), [a, b]);
        // It is known below, and needed above all the same.
        assert_eq!(paths_of_layers(&[a, b, a], 1), [b, a]);
        assert_eq!(paths_of_layers(&[a, b], 2), [[0; 0]; 0]);
    }
}
