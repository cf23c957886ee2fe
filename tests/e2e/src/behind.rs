//! A deploy whose registry goes wrong on the way: everything is real but for the one request that is not.

use std::time::{Duration, Instant};

use lab::Bench;
use lab::faulty::{Answer, Asked, Faulty, Step};
use lab::image::digest;
use serde_json::{Value, json};

use crate::table::Table;
use crate::{PushedImage, SERVICE, SampleImage, Settings, Snapshot, Stage, commit};

/// Media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Nothing here may take longer, whatever the registry does: the limits below are three seconds.
const PATIENCE: Duration = Duration::from_secs(30);

const LIMITS: &str = "\n[limits]\nregistry-seconds = 3\ndelivery-seconds = 3\nhealth-seconds = 5\n";

type Steps = Vec<Step>;

/// Which request goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The look at the tag.
    Tag,
    /// The manifest or index by its digest.
    Manifest,
    /// The image configuration.
    Config,
    /// The layer that only this image has.
    Layer,
}
/// An image in the real registry that no other row has.
#[derive(Clone)]
pub struct Image {
    /// Its commit, which is also its tag.
    pub commit: String,
    /// What is in the registry.
    pub pushed: PushedImage,
}

impl Image {
    /// Whether this is what is asked for.
    #[must_use]
    pub fn is(&self, at: At, asked: &Asked) -> bool {
        let blob = asked.path.contains("/blobs/");
        let config = asked.path.ends_with(&self.pushed.config_digest);
        match at {
            At::Tag => asked.path.ends_with(&format!("/manifests/{}", self.commit)),
            At::Manifest => asked.method == "GET" && asked.path.contains("/manifests/sha256:"),
            At::Config => blob && config,
            At::Layer => blob && !config,
        }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> Value {
        serde_json::from_slice(&self.pushed.config).expect("a configuration")
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.pushed.manifest).expect("a manifest")
    }
}

/// Documents of the registry's own making, every digest of them right.
#[derive(Clone, Default)]
pub struct Crafted {
    tag: (String, String),
    stored: Vec<(String, String, Vec<u8>)>,
}

impl Crafted {
    /// Stores a document and gives its descriptor.
    pub fn store(&mut self, media_type: &str, content: &[u8]) -> Value {
        let digest = digest(content);
        self.stored.push((digest.clone(), media_type.to_owned(), content.to_vec()));
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// What was stored last is what the tag points to.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        let (digest, media_type, _) = self.stored.last().expect("a document");
        self.tag = (digest.clone(), media_type.clone());
        self
    }

    /// The image with another configuration.
    #[must_use]
    pub fn config(image: &Image, config: &[u8]) -> Self {
        let mut crafted = Self::default();
        let mut manifest = image.manifest();
        manifest["config"] = crafted.store(CONFIG, config);
        crafted.store(MANIFEST, manifest.to_string().as_bytes());
        crafted.tagged()
    }

    /// The image with another manifest.
    #[must_use]
    pub fn manifest(manifest: &[u8]) -> Self {
        let mut crafted = Self::default();
        crafted.store(MANIFEST, manifest);
        crafted.tagged()
    }

    /// An index of what was stored last.
    #[must_use]
    pub fn in_index(mut self, platform: &Value) -> Self {
        let (digest, media_type, content) = self.stored.last().expect("a document");
        let entry =
            json!({ "mediaType": media_type, "digest": digest, "size": content.len(), "platform": platform });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
        self.store(INDEX, index.to_string().as_bytes());
        self.tagged()
    }

    /// What is answered instead of what the real registry has; nothing where it has it.
    #[must_use]
    pub fn answer(&self, image: &Image, asked: &Asked) -> Option<Steps> {
        if image.is(At::Tag, asked) {
            let (digest, media_type) = &self.tag;
            let answer = Answer::new("200 OK", "").without("content-length").with("Content-Type", media_type);
            return Some(answer.with("Docker-Content-Digest", digest).steps());
        }
        let (_, media_type, content) =
            self.stored.iter().find(|(digest, ..)| asked.path.ends_with(digest.as_str()))?;
        Some(Answer::new("200 OK", content.clone()).with("Content-Type", media_type).steps())
    }
}

/// How a row has to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Not deployed, and everything is as it was.
    Unchanged,
    /// Deployed all the same: exactly the image that the commit names.
    Deployed,
}
/// A first commit runs; the registry is reached through what goes wrong.
pub struct Scene {
    /// The project.
    pub stage: Stage,
    /// The registry that goes wrong.
    pub registry: Faulty,
    /// Where nobody has any business.
    pub elsewhere: Faulty,
    /// What came of every row.
    pub table: Table,
    now: Snapshot,
}

impl Scene {
    /// Sets the stage.
    #[must_use]
    pub fn set() -> Self {
        let bench = Bench::from_environment().expect("the lab");
        let registry = Faulty::before(bench.registry().address()).expect("a proxy");
        let elsewhere = Faulty::alone(|_| Some(Answer::new("200 OK", "{}").steps())).expect("a server");
        let stage = Stage::with(Settings { tables: LIMITS.to_owned(), ..Settings::default() });
        let toml = stage.project().host_toml();
        let content = std::fs::read_to_string(&toml).expect("host.toml");
        let behind = content.replace(&bench.registry().url(), &format!("http://{}", registry.address()));
        assert_ne!(content, behind, "host.toml names the registry");
        std::fs::write(&toml, behind).expect("host.toml");
        let mut table = Table::default();
        table.hide(registry.address(), "[registry]");
        table.hide(elsewhere.address(), "[elsewhere]");
        table.hide(std::env::consts::ARCH.replace("x86_64", "amd64").replace("aarch64", "arm64"), "[ours]");
        let first = stage.published("first");
        let run = stage.deploy(&first, &["--run-now"]);
        assert_eq!(run.code, 0, "faultless, it deploys: {run:?}");
        let now = stage.snapshot();
        Self { stage, registry, elsewhere, table, now }
    }

    /// A good image with a layer of its own, which no engine has yet.
    #[must_use]
    pub fn image(&self, name: &str) -> Image {
        self.image_of(name, |image| image)
    }

    /// The same, changed before it is pushed.
    #[must_use]
    pub fn image_of(&self, name: &str, change: impl Fn(SampleImage) -> SampleImage) -> Image {
        let commit = commit(name);
        let bytes = 1000 + name.bytes().map(usize::from).sum::<usize>();
        let image = change(SampleImage::new(SERVICE, &commit).padding(bytes));
        Image { pushed: self.stage.pushed(&image), commit }
    }

    /// One request goes wrong, whoever asks.
    pub fn wrong(
        &mut self,
        name: &str,
        at: At,
        ends: Ends,
        wrong: impl Fn(Answer, usize) -> Steps + Send + Sync + 'static,
    ) {
        let image = self.image(name);
        let which = image.clone();
        self.row(name, &image, ends, move |asked| {
            which.is(at, asked).then(|| wrong(asked.answered(), asked.before))
        });
    }

    /// One request goes wrong when the engine asks.
    pub fn wrong_for_engine(
        &mut self,
        name: &str,
        at: At,
        ends: Ends,
        wrong: impl Fn(Answer, usize) -> Steps + Send + Sync + 'static,
    ) {
        let image = self.image(name);
        let which = image.clone();
        self.row(name, &image, ends, move |asked| {
            (asked.by_engine() && which.is(at, asked)).then(|| wrong(asked.answered(), asked.before))
        });
    }

    /// The registry has other documents.
    pub fn crafted(&mut self, name: &str, ends: Ends, craft: impl Fn(&Image) -> Crafted) {
        let image = self.image(name);
        let (crafted, which) = (craft(&image), image.clone());
        self.row(name, &image, ends, move |asked| crafted.answer(&which, asked));
    }

    /// One deploy of an image while this goes wrong.
    pub fn row(
        &mut self,
        name: &str,
        image: &Image,
        ends: Ends,
        fault: impl Fn(&Asked) -> Option<Steps> + Send + Sync + 'static,
    ) {
        self.registry.set(fault);
        self.elsewhere.set(|_| Some(Answer::new("200 OK", "{}").steps()));
        let begun = Instant::now();

        let run = self.stage.deploy(&image.commit, &["--run-now"]);

        assert!(begun.elapsed() < PATIENCE, "{name} took {:?}", begun.elapsed());
        let after = self.stage.snapshot();
        let before = std::mem::replace(&mut self.now, after);
        match ends {
            Ends::Unchanged => {
                assert_ne!(run.code, 0, "{name}: {run:?}");
                assert_eq!(before.differences(&self.now), [""; 0], "{name}: {run:?}");
            }
            Ends::Deployed => {
                assert_eq!(run.code, 0, "{name}: {run:?}");
                assert_eq!(self.stage.running().as_ref(), Some(&image.commit), "{name}: {run:?}");
            }
        }
        let resolving = run.text("/error/step") == "registry.resolve";
        if resolving {
            assert_eq!(self.elsewhere.seen().connections, 0, "{name}: the host asked somebody else");
            let engines = run.text("/error/message").contains("the Docker engine");
            assert!(!engines, "{name}: {run:?}");
        }
        self.table.row(name, &image.commit, &run);
    }
}
