//! Sending an image to the registry, as the distribution specification has it.

use super::{
    NAMESPACE, PushedImage, SampleImage,
    layer::Layer,
    manifest::{self, Document, Manifest},
};
use crate::{
    Error, Registry, Result,
    http::{self, Answer},
};

const BLOB: &str = "application/octet-stream";

impl SampleImage {
    /// Pushes the image, with everything that it consists of.
    pub fn push(&self, registry: &Registry) -> Result<PushedImage> {
        let repository = format!("{NAMESPACE}/{}", self.service);
        let target = Target { address: registry.address(), repository: &repository };

        let (layers, own) = self.manifest()?;
        target.send_image(&layers, &own)?;
        let pushed = PushedImage {
            reference: format!("{}/{repository}:{}", registry.address(), self.tag),
            digest: own.document.digest.clone(),
            manifest_digest: own.document.digest.clone(),
            config_digest: own.config.digest.clone(),
            size: layers.iter().map(|layer| layer.data.len() as u64).sum(),
        };
        let Some(others) = &self.others else {
            target.send_manifest(&self.tag, &own.document)?;
            return Ok(pushed);
        };

        let mut images = vec![own];
        for other in others {
            let (layers, manifest) = other.manifest()?;
            target.send_image(&layers, &manifest)?;
            images.push(manifest);
        }
        let statement = Layer::program("statement.json", b"{}")?;
        let attestation = Manifest::attestation(&statement);
        target.send_image(&[statement], &attestation)?;

        let index = manifest::index(&images, &attestation);
        target.send_manifest(&self.tag, &index)?;
        Ok(PushedImage { digest: index.digest, ..pushed })
    }
}

/// Where an image goes.
struct Target<'a> {
    address: &'a str,
    repository: &'a str,
}

impl Target<'_> {
    /// Sends layers, configuration and manifest; no name points at them yet.
    fn send_image(&self, layers: &[Layer], manifest: &Manifest) -> Result<()> {
        for layer in layers {
            self.send_blob(&layer.data, &layer.digest)?;
        }
        self.send_blob(&manifest.config.data, &manifest.config.digest)?;
        self.send_manifest(&manifest.document.digest, &manifest.document)
    }

    fn send_blob(&self, data: &[u8], digest: &str) -> Result<()> {
        let blobs = format!("/v2/{}/blobs", self.repository);
        if http::send("HEAD", self.address, &format!("{blobs}/{digest}"), None)?.status == 200 {
            return Ok(());
        }
        let upload = http::send("POST", self.address, &format!("{blobs}/uploads/"), None)?;
        self.expect(&upload, 202)?;
        let location = upload.header("location").unwrap_or_default();
        let path = location.strip_prefix(&format!("http://{}", self.address)).unwrap_or(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}digest={digest}");
        self.expect(&http::send("PUT", self.address, &path, Some((BLOB, data)))?, 201)
    }

    /// Sends a manifest or an index under a tag or its digest.
    fn send_manifest(&self, name: &str, document: &Document) -> Result<()> {
        let path = format!("/v2/{}/manifests/{name}", self.repository);
        let body = Some((document.media_type, document.data.as_slice()));
        self.expect(&http::send("PUT", self.address, &path, body)?, 201)
    }

    fn expect(&self, answer: &Answer, status: u16) -> Result<()> {
        if answer.status == status {
            return Ok(());
        }
        let what = format!("push to {}/{}", self.address, self.repository);
        Err(Error::unexpected(what, format!("status {} and not {status}: {}", answer.status, answer.body)))
    }
}
