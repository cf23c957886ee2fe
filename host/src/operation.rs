//! Everything the host can do to the world, as data. One [`Operation`] is one call of a plugin (or one step of the
//! host's own failure path); it passes the gate, is written down, compared and replayed in this form.

mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Expectation, Literal};
use crate::artifact::{Artifact, Pair};
use crate::diagnosis::FarSide;
use crate::identity::Scope;
use crate::inventory::Cursor;
use crate::names::{
    Commit, ComposeService, ConfigName, ContainerName, Digest, EnvKey, ImageName, KubernetesName, LabelKey,
    PlainValue, Pointer, RuntimeName, ServiceName, UrlPath,
};

/// What an operation is; it alone fixes how each pass answers (design: table of kinds and backends).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Looks at what is there before anything changes.
    Read,
    /// Must hold before anything changes.
    Gate,
    /// Changes the world and can be undone: taken back by the host, or, for a removed image, by delivering it again.
    Change,
    /// Holds what is there after a change against what is expected.
    Verify,
}

/// An artifact as operations name it. Its digest is part of what is compared between two passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// The service whose image it is.
    pub service: ServiceName,
    /// Its commit.
    pub commit: Commit,
    /// What the registry served under the commit; nothing where it was not asked.
    pub digest: Option<Digest>,
}

impl From<&Artifact> for ArtifactRef {
    fn from(artifact: &Artifact) -> Self {
        Self {
            service: artifact.service.clone(),
            commit: artifact.commit.clone(),
            digest: artifact.identity.as_ref().map(|identity| identity.served().clone()),
        }
    }
}

/// `registry.resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolve {
    /// The service whose image is asked for.
    pub service: ServiceName,
    /// Its tag.
    pub commit: Commit,
    /// Namespace and service.
    pub repository: ImageName,
    /// Must all stand on the image.
    pub required_labels: Vec<Pair<LabelKey>>,
}

/// `image.deliver`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// What.
    pub artifact: ArtifactRef,
    /// Where to.
    pub runtime: RuntimeName,
    /// Gets the commit as its tag.
    pub name: ImageName,
}

/// `compose.activate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activate {
    /// What.
    pub artifact: ArtifactRef,
    /// Where.
    pub runtime: RuntimeName,
    /// The name under which `image.deliver` left it, without the commit.
    pub delivered: ImageName,
    /// The one service that is recreated.
    pub service: ComposeService,
    /// The container it runs as.
    pub container: ContainerName,
    /// Image names the Compose file refers to.
    pub stable_names: Vec<ImageName>,
    /// Entries of the controlled env file; all keys begin with [`stamp_prefix`].
    pub stamp: Vec<Pair<EnvKey>>,
}

/// `compose.inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectContainer {
    /// Where.
    pub runtime: RuntimeName,
    /// Which.
    pub container: ContainerName,
    /// Image labels that are asked for.
    pub labels: Vec<LabelKey>,
    /// Environment entries that are asked for.
    pub env: Vec<EnvKey>,
}

/// `compose.expect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectContainer {
    /// What the container must run.
    pub artifact: ArtifactRef,
    /// Where.
    pub runtime: RuntimeName,
    /// Which.
    pub container: ContainerName,
    /// On the container's image.
    pub labels: Vec<Pair<LabelKey>>,
    /// In the container's environment, with full keys.
    pub env: Vec<Pair<EnvKey>>,
}

/// A container of a Deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its namespace.
    pub namespace: KubernetesName,
    /// Its name.
    pub name: KubernetesName,
    /// The container in its pod template.
    pub container: KubernetesName,
}

/// `kubernetes.patch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchDeployments {
    /// What.
    pub artifact: ArtifactRef,
    /// Where.
    pub runtime: RuntimeName,
    /// All of them, or none.
    pub deployments: Vec<Deployment>,
    /// Env and annotations, with full keys (`UNIDESK_DEPLOY_*`).
    pub stamp: Vec<Pair<EnvKey>>,
}

/// `kubernetes.await-rollout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitRollout {
    /// Where.
    pub runtime: RuntimeName,
    /// Which.
    pub deployment: Deployment,
    /// The plugin's deadline.
    pub within_seconds: u32,
}

/// `kubernetes.inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectWorkload {
    /// Where.
    pub runtime: RuntimeName,
    /// Which.
    pub deployment: Deployment,
    /// Environment entries that are asked for.
    pub env: Vec<EnvKey>,
    /// Annotations that are asked for.
    pub annotations: Vec<LabelKey>,
}

/// `kubernetes.expect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectWorkload {
    /// What the pods must run.
    pub artifact: ArtifactRef,
    /// Where.
    pub runtime: RuntimeName,
    /// Whose pods.
    pub deployment: Deployment,
    /// On the image that they run.
    pub labels: Vec<Pair<LabelKey>>,
    /// In the container's environment, and as annotations of the pods, with full keys.
    pub stamp: Vec<Pair<EnvKey>>,
}

/// What a synchronised object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// A Secret.
    Secret,
    /// A `ConfigMap`.
    ConfigMap,
}

impl ObjectKind {
    /// As in a resource id.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "config-map",
        }
    }
}

/// `kubernetes.sync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncObject {
    /// Where.
    pub runtime: RuntimeName,
    /// A Secret or a `ConfigMap`.
    pub kind: ObjectKind,
    /// Its namespace.
    pub namespace: KubernetesName,
    /// Its name.
    pub name: KubernetesName,
    /// A configured secret source.
    pub source: ConfigName,
    /// Pointer in the source → key in the object.
    pub entries: Vec<(Pointer, ConfigName)>,
}

/// Where a health payload comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "through", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HealthTarget {
    /// A URL of the operator's configuration.
    Endpoint {
        /// Its name there.
        name: ConfigName,
    },
    /// The Kubernetes API server's service proxy.
    Service {
        /// Where.
        runtime: RuntimeName,
        /// Namespace of the Service.
        namespace: KubernetesName,
        /// Name of the Service.
        service: KubernetesName,
        /// Name or number of its port.
        port: KubernetesName,
        /// Path of the request.
        path: UrlPath,
    },
    /// The container's own network.
    Container {
        /// Where.
        runtime: RuntimeName,
        /// Which.
        container: ContainerName,
        /// Port inside the container.
        port: u16,
        /// Path of the request.
        path: UrlPath,
        /// Adds a `deploy` object made from the container's stamp.
        with_stamp: bool,
    },
}

/// `health.expect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectHealth {
    /// Whose health; names the env prefix of a synthetic payload.
    pub service: ServiceName,
    /// From where.
    pub target: HealthTarget,
    /// All must hold in one payload.
    pub expectations: Vec<Expectation>,
    /// The plugin's deadline; the operator's may be shorter.
    pub within_seconds: u32,
}

impl ExpectHealth {
    /// Whether its commits come from the container's stamp, since the service does not tell them itself.
    fn is_synthetic(&self) -> bool {
        matches!(self.target, HealthTarget::Container { with_stamp: true, .. })
    }
}

/// `host.retain`: of the images that deploys of one service left in a runtime, the newest stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retain {
    /// Where.
    pub runtime: RuntimeName,
    /// The names that the service's images have there, without the commit.
    pub names: Vec<ImageName>,
    /// How many commits stay, those below among them.
    pub keep: u32,
    /// Stay in any case: what is deployed, and what ran before it.
    pub commits: Vec<Commit>,
    /// What the engine calls the image that ran before, where one did: it may say no commit.
    pub image: Option<String>,
}

/// A Deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedDeployment {
    /// Whose it is.
    pub service: ServiceName,
    /// Where it is.
    pub namespace: KubernetesName,
    /// Its name.
    pub name: KubernetesName,
}

/// `host.artifacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListArtifacts {
    /// This one; all of them where none is named.
    pub repository: Option<ImageName>,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// Most artifacts of the page.
    pub limit: u32,
}

/// One thing that the host does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation")]
pub enum Operation {
    /// Look the artifact up in the registry.
    #[serde(rename = "registry.resolve")]
    Resolve(Resolve),
    /// Bring an image into a runtime.
    #[serde(rename = "image.deliver")]
    Deliver(Deliver),
    /// Retag, stamp and recreate.
    #[serde(rename = "compose.activate")]
    Activate(Activate),
    /// Look at a container.
    #[serde(rename = "compose.inspect")]
    InspectContainer(InspectContainer),
    /// Hold a container against expectations.
    #[serde(rename = "compose.expect")]
    ExpectContainer(ExpectContainer),
    /// Patch Deployments.
    #[serde(rename = "kubernetes.patch")]
    PatchDeployments(PatchDeployments),
    /// Wait for a rollout.
    #[serde(rename = "kubernetes.await-rollout")]
    AwaitRollout(AwaitRollout),
    /// Look at a Deployment.
    #[serde(rename = "kubernetes.inspect")]
    InspectWorkload(InspectWorkload),
    /// Hold the pods of a Deployment against expectations.
    #[serde(rename = "kubernetes.expect")]
    ExpectWorkload(ExpectWorkload),
    /// Synchronise a Secret or `ConfigMap`.
    #[serde(rename = "kubernetes.sync")]
    SyncObject(SyncObject),
    /// Poll a health payload.
    #[serde(rename = "health.expect")]
    ExpectHealth(ExpectHealth),
    /// Secrets must be there.
    #[serde(rename = "guard.require-secrets")]
    RequireSecrets {
        /// A configured secret source.
        source: ConfigName,
        /// Keys that must be there and not empty.
        keys: Vec<EnvKey>,
        /// That is deployed to: where nothing is configured under the source's name, the controlled env file of this
        /// runtime is the source.
        runtime: RuntimeName,
    },
    /// Somebody in one of these roles must have approved.
    #[serde(rename = "guard.require-approval")]
    RequireApproval {
        /// `supervisor`, `operator`.
        roles: Vec<ConfigName>,
    },
    /// The requester must not run inside these workloads.
    #[serde(rename = "guard.require-outside")]
    RequireOutside {
        /// Containers or pods by name.
        workloads: Vec<ConfigName>,
    },
    /// The desired state must name a commit of the service, in the environment that is deployed to.
    #[serde(rename = "guard.require-pinned")]
    RequirePinned,
    /// Live deploys are blocked.
    #[serde(rename = "guard.hold")]
    Hold {
        /// Why.
        reason: String,
    },
    /// See whether a far side is as it has to be; asked by `host doctor`, never by a plugin.
    #[serde(rename = "host.diagnose")]
    Diagnose(FarSide),
    /// See how the registry is installed on its machine; asked by `host registry`, never by a plugin.
    #[serde(rename = "host.registry")]
    InspectRegistry {
        /// As evidence beside a deploy: where none of its files is there, it is kept in another way, and nothing more is asked.
        evidence: bool,
    },
    /// Install the registry on its machine, as the configuration has it; asked by `host registry`, never by a plugin.
    #[serde(rename = "host.registry-install")]
    InstallRegistry,
    /// List what is in the registry; asked by `host registry`, never by a plugin.
    #[serde(rename = "host.artifacts")]
    ListArtifacts(ListArtifacts),
    /// Read which deploys a runtime tells of; asked by `host runs`, never by a plugin.
    #[serde(rename = "host.runs")]
    ReadRuns {
        /// Where.
        runtime: RuntimeName,
        /// Whose.
        services: Vec<ServiceName>,
        /// Where the runtime runs Kubernetes: each of them tells of the deploys to it, and policy knows which they are.
        deployments: Vec<OwnedDeployment>,
    },
    /// Learn which registry, machines, engines and clusters a plan would be applied to; asked when a plan is kept and before it is
    /// applied, never by a plugin.
    #[serde(rename = "host.identify")]
    Identify(Scope),
    /// Remove old images of a service after a deploy of it; a step of the host's own, never of a plugin.
    #[serde(rename = "host.retain")]
    Retain(Retain),
    /// Take a change back; a step of the host's own failure path, never of a plugin.
    #[serde(rename = "host.undo")]
    Undo {
        /// The change.
        change: Box<Operation>,
    },
}

impl Operation {
    /// The kind; an inspection is a read before the first change of a run (`changed` false) and a verification after.
    #[must_use]
    pub fn kind(&self, changed: bool) -> Kind {
        match self {
            Self::Resolve(_)
            | Self::Diagnose(_)
            | Self::ListArtifacts(_)
            | Self::ReadRuns { .. }
            | Self::Identify(_) => Kind::Read,
            Self::InspectContainer(_) | Self::InspectWorkload(_) | Self::InspectRegistry { .. } => {
                if changed { Kind::Verify } else { Kind::Read }
            }
            Self::Deliver(_)
            | Self::Activate(_)
            | Self::PatchDeployments(_)
            | Self::SyncObject(_)
            | Self::InstallRegistry
            | Self::Retain(_)
            | Self::Undo { .. } => Kind::Change,
            Self::ExpectContainer(_)
            | Self::ExpectWorkload(_)
            | Self::ExpectHealth(_)
            | Self::AwaitRollout(_) => Kind::Verify,
            Self::RequireSecrets { .. }
            | Self::RequireApproval { .. }
            | Self::RequireOutside { .. }
            | Self::RequirePinned
            | Self::Hold { .. } => Kind::Gate,
        }
    }

    /// What a verification expects, by JSON pointer. The image of a container is not in it: which of an artifact's
    /// digests an engine answers with depends on the engine.
    #[must_use]
    pub fn expected(&self) -> Vec<(String, Literal)> {
        let text = |value: &PlainValue| Literal::Text(value.to_string());
        match self {
            Self::Resolve(call) => call
                .required_labels
                .iter()
                .map(|pair| (label_pointer(&pair.key), text(&pair.value)))
                .collect(),
            Self::ExpectContainer(call) => {
                let labels = call.labels.iter().map(|pair| (label_pointer(&pair.key), text(&pair.value)));
                let env = call.env.iter().map(|pair| (format!("/env/{}", pair.key), text(&pair.value)));
                labels.chain(env).collect()
            }
            Self::ExpectWorkload(call) => {
                let labels = call.labels.iter().map(|pair| (label_pointer(&pair.key), text(&pair.value)));
                let stamp = ["env", "annotations"].into_iter().flat_map(|place| {
                    call.stamp.iter().map(move |pair| (format!("/{place}/{}", pair.key), text(&pair.value)))
                });
                labels.chain(stamp).collect()
            }
            Self::ExpectHealth(call) => {
                call.expectations.iter().map(|one| (one.pointer.to_string(), one.equals.clone())).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Where a label stands in the JSON form of an image or container (RFC 6901).
#[must_use]
pub fn label_pointer(key: &LabelKey) -> String {
    format!("/labels/{}", key.as_str().replace('~', "~0").replace('/', "~1"))
}

/// Prefix of the stamps of a Compose service (specification: `UNIDESK_<SERVICE>_DEPLOY_*`, upper case, `-` becomes `_`).
#[must_use]
pub fn stamp_prefix(service: &ServiceName) -> String {
    format!("UNIDESK_{}_DEPLOY_", service.as_str().to_ascii_uppercase().replace('-', "_"))
}

/// Prefix of the stamps of a Kubernetes workload (specification: `UNIDESK_DEPLOY_*`).
pub const KUBERNETES_STAMP_PREFIX: &str = "UNIDESK_DEPLOY_";
