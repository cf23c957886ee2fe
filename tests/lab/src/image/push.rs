//! Sending an image to the registry with the OCI client, as a CI does.

use std::{
    sync::{Arc, Once},
    thread,
};

use http::HeaderValue;
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    errors::OciDistributionError,
};

use super::{
    Format, NAMESPACE, PushedImage, SampleImage,
    layer::Layer,
    manifest::{self, Document, Manifest},
};
use crate::{Error, Registry, Result};

impl SampleImage {
    /// Pushes the image, with everything that it consists of.
    pub fn push(&self, registry: &Registry) -> Result<PushedImage> {
        // On a thread of its own, because the client needs a runtime and a caller may be in one already.
        let sent = thread::scope(|scope| scope.spawn(|| self.send(registry)).join());
        sent.unwrap_or_else(|_| Err(Error::unexpected("push", "its thread ended early")))
    }

    fn send(&self, registry: &Registry) -> Result<PushedImage> {
        let repository = format!("{NAMESPACE}/{}", self.service);
        let target = Target::new(registry.address(), &repository)?;

        let (layers, own) = self.manifest()?;
        target.send_image(&layers, &own)?;
        let pushed = PushedImage {
            reference: format!("{}/{repository}:{}", registry.address(), self.tag),
            digest: own.document.digest.clone(),
            manifest_digest: own.document.digest.clone(),
            config_digest: own.config.digest.clone(),
            manifest: own.document.data.clone(),
            config: own.config.data.clone(),
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
        let statement = Layer::program("statement.json", b"{}", Format::Oci)?;
        let attestation = Manifest::attestation(&statement);
        target.send_image(&[Arc::new(statement)], &attestation)?;

        let index = manifest::index(&images, &attestation, self.format);
        target.send_manifest(&self.tag, &index)?;
        Ok(PushedImage { digest: index.digest, ..pushed })
    }
}

/// Where an image goes.
struct Target<'a> {
    client: Client,
    runtime: tokio::runtime::Runtime,
    address: &'a str,
    repository: &'a str,
}

impl<'a> Target<'a> {
    fn new(address: &'a str, repository: &'a str) -> Result<Self> {
        // The client's HTTP library wants a TLS provider even where nothing is encrypted; a second one is refused, which
        // is as good.
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let config = ClientConfig {
            protocol: ClientProtocol::Http,
            use_monolithic_push: true,
            ..ClientConfig::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::io("start a runtime for the OCI client"))?;
        Ok(Self { client: Client::new(config), runtime, address, repository })
    }

    /// Sends layers, configuration and manifest; no name points at them yet.
    fn send_image(&self, layers: &[Arc<Layer>], manifest: &Manifest) -> Result<()> {
        for layer in layers {
            self.send_blob(&layer.data, &layer.digest)?;
        }
        self.send_blob(&manifest.config.data, &manifest.config.digest)?;
        let digest = &manifest.document.digest;
        let reference =
            Reference::with_digest(self.address.to_owned(), self.repository.to_owned(), digest.clone());
        self.send_document(&reference, &manifest.document)
    }

    fn send_blob(&self, data: &[u8], digest: &str) -> Result<()> {
        let reference = self.tagged("blob");
        let sent = self.runtime.block_on(async {
            if self.client.blob_exists(&reference, digest).await? {
                return Ok(());
            }
            self.client.push_blob(&reference, data.to_vec(), digest).await.map(drop)
        });
        sent.map_err(|error| self.failed(&error))
    }

    /// Sends a manifest or an index under a tag.
    fn send_manifest(&self, tag: &str, document: &Document) -> Result<()> {
        self.send_document(&self.tagged(tag), document)
    }

    fn send_document(&self, reference: &Reference, document: &Document) -> Result<()> {
        let kind = HeaderValue::from_static(document.media_type);
        let sent = self.client.push_manifest_raw(reference, document.data.clone(), kind);
        self.runtime.block_on(sent).map(drop).map_err(|error| self.failed(&error))
    }

    fn tagged(&self, tag: &str) -> Reference {
        Reference::with_tag(self.address.to_owned(), self.repository.to_owned(), tag.to_owned())
    }

    fn failed(&self, error: &OciDistributionError) -> Error {
        Error::unexpected(format!("push to {}/{}", self.address, self.repository), error)
    }
}
