//! A registry made by hand for tests: whole images in it, and any answer of it replaced by a wrong one.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::RegistryClient;
use super::platform::Platform;
use crate::answer::CallError;
use crate::artifact::{Artifact, Pair};
use crate::backend::live::testing::{RawServer, Reply, Step, answer, head};
use crate::config::{HttpUrl, Installation, Limits, RegistryConfig};
use crate::names::{Commit, Digest, ImageName, LabelKey, PlainValue, ServiceName};
use crate::operation::Resolve;
use crate::progress::Unwatched;

/// The commit of every test.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The label that is required in every test.
pub const LABEL: &str = "org.opencontainers.image.revision";
/// Media types.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What is in the registry, by request line without version; answers of one request come one after the other, the last
/// one for ever.
#[derive(Default)]
pub struct Fake(HashMap<String, Vec<Reply>>);

/// `sha256:…` of `bytes`.
pub fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// The image configuration of an ordinary image.
pub fn config(architecture: &str, commit: &str) -> Value {
    json!({
        "os": "linux",
        "architecture": architecture,
        "config": { "Env": null, "Labels": { LABEL: commit, "maintainer": "somebody" } },
        "rootfs": { "type": "layers", "diff_ids": [digest(b"one"), digest(b"two")] },
        "history": [],
    })
}

/// Path of a manifest by tag or digest.
pub fn manifest_path(reference: &str) -> String {
    format!("/v2/unidesk/todo-note/manifests/{reference}")
}

/// Path of a blob.
pub fn blob_path(digest: &str) -> String {
    format!("/v2/unidesk/todo-note/blobs/{digest}")
}

impl Fake {
    /// What is answered to `request`, `GET /v2/…`.
    pub fn set(&mut self, request: String, replies: impl Into<Vec<Reply>>) {
        self.0.insert(request, replies.into());
    }

    /// Lets wrong answers to `request` come before the one that is there.
    pub fn put_before(&mut self, request: &str, replies: Vec<Reply>) {
        let queue = self.0.get_mut(request).expect("an answer to put these before");
        queue.splice(0..0, replies);
    }

    /// Stores a manifest or index and returns its descriptor.
    pub fn document(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        let reply = answer("200 OK", &[("Content-Type", media_type)], &bytes);
        self.set(format!("GET {}", manifest_path(&digest)), [reply]);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Stores an image configuration and returns its descriptor.
    pub fn config(&mut self, config: &Value) -> Value {
        let bytes = config.to_string().into_bytes();
        let digest = digest(&bytes);
        self.set(format!("GET {}", blob_path(&digest)), [answer("200 OK", &[], &bytes)]);
        json!({ "mediaType": OCI_CONFIG, "digest": digest, "size": bytes.len() })
    }

    /// Stores an image of two layers with this configuration and returns its descriptor.
    pub fn image(&mut self, config: &Value) -> Value {
        let config = self.config(config);
        let layer =
            |size: u64| json!({ "mediaType": "layer", "digest": digest(b"compressed"), "size": size });
        let layers = [layer(1000), layer(234)];
        self.document(OCI_MANIFEST, &json!({ "schemaVersion": 2, "config": config, "layers": layers }))
    }

    /// Stores an index of `entries`, each with its platform, and returns its descriptor.
    pub fn index(&mut self, entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
        let manifests: Vec<_> = entries
            .into_iter()
            .map(|(mut entry, platform)| {
                entry["platform"] = platform;
                entry
            })
            .collect();
        self.document(
            OCI_INDEX,
            &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests }),
        )
    }

    /// Tags what `descriptor` describes with the commit.
    pub fn tag(&mut self, descriptor: &Value) {
        let text = |key: &str| descriptor[key].as_str().expect("a text");
        let headers = [("Content-Type", text("mediaType")), ("Docker-Content-Digest", text("digest"))];
        self.set(format!("HEAD {}", manifest_path(COMMIT)), [vec![Step::Send(head("200 OK", &headers))]]);
    }

    /// Serves all this; whatever is not here is answered with 404.
    pub async fn start(self) -> RawServer {
        let replies = Mutex::new(self.0);
        RawServer::start(move |request, _| {
            let line = request.lines().next().unwrap_or_default();
            let line = line.strip_suffix(" HTTP/1.1").unwrap_or_default();
            let mut replies = replies.lock().expect("no test panics while it holds this");
            match replies.get_mut(line) {
                None => answer("404 Not Found", &[], "unknown"),
                Some(queue) if queue.len() > 1 => queue.remove(0),
                Some(queue) => queue[0].clone(),
            }
        })
        .await
    }

    /// Serves all this and resolves the commit in it, for amd64.
    pub async fn resolve(self) -> Result<Artifact, CallError> {
        let server = self.start().await;
        resolve(&server.authority, &Limits::default()).await
    }
}

/// The registry at `authority`.
pub fn registry(authority: &str) -> RegistryConfig {
    RegistryConfig {
        via: None,
        url: HttpUrl { authority: authority.to_owned(), path: "/".to_owned() },
        namespace: ImageName::parse("unidesk").expect("a name"),
        installation: Installation::specified(),
    }
}

/// The call of every test.
pub fn call() -> Resolve {
    Resolve {
        service: ServiceName::parse("todo-note").expect("a name"),
        commit: Commit::parse(COMMIT).expect("a commit"),
        repository: ImageName::parse("unidesk/todo-note").expect("a name"),
        required_labels: vec![Pair {
            key: LabelKey::parse(LABEL).expect("a key"),
            value: PlainValue::parse(COMMIT).expect("a value"),
        }],
    }
}

/// Resolves the commit at `authority`, for amd64 whatever this machine is.
pub async fn resolve(authority: &str, limits: &Limits) -> Result<Artifact, CallError> {
    let mut client = RegistryClient::new(&registry(authority), limits);
    client.platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None };
    client.resolve(&call(), &Unwatched).await
}
