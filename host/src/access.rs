//! What policy is asked about: which action an operation needs on which resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{RuntimeName, ServiceName};
use crate::operation::{
    AwaitRollout, Deployment, ExpectWorkload, HealthTarget, InspectWorkload, Operation, Retain, stamp_prefix,
};

/// What is done. The names are those of the policy schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Look an artifact up in the registry.
    ResolveArtifact,
    /// Bring an image into a runtime under its commit name.
    DeliverImage,
    /// Point a stable image name at another image.
    TagImage,
    /// Write an entry of the controlled env file.
    StampEnv,
    /// Recreate a Compose service, or the container it runs as.
    RecreateService,
    /// Look at a container.
    InspectContainer,
    /// Change image, env and annotations of a Deployment.
    PatchDeployment,
    /// Watch the rollout of a Deployment, or look at it.
    InspectDeployment,
    /// Copy configured values into a Secret or `ConfigMap`.
    SyncObject,
    /// Ask a service for its health.
    CheckHealth,
    /// Learn whether a secret is there, and how long it is.
    RequireSecret,
    /// Take a change back.
    Rollback,
    /// See whether a far side is as it has to be.
    Diagnose,
    /// See how the registry is installed on its machine.
    InspectRegistry,
    /// Install the registry on its machine.
    InstallRegistry,
    /// List what is in the registry.
    ListArtifacts,
    /// Read which deploys a runtime tells of.
    ReadRuns,
    /// Learn which machine, engine or cluster something is.
    Identify,
    /// Take its name from an old image, and with the last one the image.
    RemoveImage,
}

impl Action {
    /// The action that the policy schema calls `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Every action, in the order of a deploy.
    pub const ALL: [Self; 19] = [
        Self::ResolveArtifact,
        Self::DeliverImage,
        Self::TagImage,
        Self::StampEnv,
        Self::RecreateService,
        Self::InspectContainer,
        Self::PatchDeployment,
        Self::InspectDeployment,
        Self::SyncObject,
        Self::CheckHealth,
        Self::RequireSecret,
        Self::Rollback,
        Self::Diagnose,
        Self::InspectRegistry,
        Self::InstallRegistry,
        Self::ListArtifacts,
        Self::ReadRuns,
        Self::Identify,
        Self::RemoveImage,
    ];

    /// The id in the policy schema.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResolveArtifact => "resolveArtifact",
            Self::DeliverImage => "deliverImage",
            Self::TagImage => "tagImage",
            Self::StampEnv => "stampEnv",
            Self::RecreateService => "recreateService",
            Self::InspectContainer => "inspectContainer",
            Self::PatchDeployment => "patchDeployment",
            Self::InspectDeployment => "inspectDeployment",
            Self::SyncObject => "syncObject",
            Self::CheckHealth => "checkHealth",
            Self::RequireSecret => "requireSecret",
            Self::Rollback => "rollback",
            Self::Diagnose => "diagnose",
            Self::InspectRegistry => "inspectRegistry",
            Self::InstallRegistry => "installRegistry",
            Self::ListArtifacts => "listArtifacts",
            Self::ReadRuns => "readRuns",
            Self::Identify => "identify",
            Self::RemoveImage => "removeImage",
        }
    }
}

/// The entity types of the policy schema that stand for something a deploy touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ResourceType {
    /// `unidesk/project-manager`.
    Repository,
    /// `<runtime>/<image name>`.
    Image,
    /// `<runtime>/<key>`.
    EnvKey,
    /// `<runtime>/<Compose service>`.
    ComposeService,
    /// `<runtime>/<container>`.
    Container,
    /// `<runtime>/<namespace>/<name>`.
    Deployment,
    /// `<runtime>/<secret|config-map>/<namespace>/<name>`.
    KubernetesObject,
    /// `<source>/<key or JSON pointer>`.
    SecretKey,
    /// `<endpoint name>` or `<runtime>/<namespace>/<service>`.
    HealthTarget,
    /// As in [`FarSide::id`](crate::diagnosis::FarSide::id).
    FarSide,
}

impl ResourceType {
    /// Every type.
    pub const ALL: [Self; 10] = [
        Self::Repository,
        Self::Image,
        Self::EnvKey,
        Self::ComposeService,
        Self::Container,
        Self::Deployment,
        Self::KubernetesObject,
        Self::SecretKey,
        Self::HealthTarget,
        Self::FarSide,
    ];

    /// The type that the policy schema calls `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The entity type in the policy schema.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "Repository",
            Self::Image => "Image",
            Self::EnvKey => "EnvKey",
            Self::ComposeService => "ComposeService",
            Self::Container => "Container",
            Self::Deployment => "Deployment",
            Self::KubernetesObject => "KubernetesObject",
            Self::SecretKey => "SecretKey",
            Self::HealthTarget => "HealthTarget",
            Self::FarSide => "FarSide",
        }
    }
}

/// One thing that an operation touches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// Which one.
    pub id: String,
    /// The group that policy authors own it by, where single ids would be too many: an env key belongs to the prefix
    /// of its service (`EnvPrefix`), a secret key to its source (`SecretSource`).
    pub group: Option<String>,
}

impl Resource {
    /// The resource as an operation of the plugin of `service`, or of the host itself, names it, with the group that follows
    /// from its id.
    #[must_use]
    pub fn asked_by(service: Option<&ServiceName>, kind: ResourceType, id: &str) -> Self {
        let first = id.split_once('/').map(|(first, _)| first);
        let group = match kind {
            ResourceType::EnvKey => {
                first.zip(service).map(|(runtime, service)| format!("{runtime}/{}", stamp_prefix(service)))
            }
            ResourceType::SecretKey => first.map(str::to_owned),
            _ => None,
        };
        Self { kind, id: id.to_owned(), group }
    }

    /// The namespace of a cluster that it is in, as `<runtime>/<namespace>`.
    #[must_use]
    pub fn namespace(&self) -> Option<String> {
        let parts: Vec<&str> = self.id.split('/').collect();
        match (self.kind, parts.as_slice()) {
            (ResourceType::Deployment | ResourceType::HealthTarget, [runtime, namespace, _])
            | (ResourceType::KubernetesObject, [runtime, _, namespace, _]) => {
                Some(format!("{runtime}/{namespace}"))
            }
            _ => None,
        }
    }

    fn new(kind: ResourceType, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), group: None }
    }

    fn on(kind: ResourceType, runtime: &RuntimeName, id: impl std::fmt::Display) -> Self {
        Self::new(kind, format!("{runtime}/{id}"))
    }

    fn deployment(runtime: &RuntimeName, named: &Deployment) -> Self {
        Self::on(ResourceType::Deployment, runtime, format_args!("{}/{}", named.namespace, named.name))
    }

    fn env_key(runtime: &RuntimeName, service: &ServiceName, key: impl std::fmt::Display) -> Self {
        let mut resource = Self::on(ResourceType::EnvKey, runtime, key);
        resource.group = Some(format!("{runtime}/{}", stamp_prefix(service)));
        resource
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{:?}", self.kind.as_str(), self.id)
    }
}

/// One question to the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What is done.
    pub action: Action,
    /// To what.
    pub resource: Resource,
}

impl Operation {
    /// Everything that must be permitted for this operation, one entry per thing touched (Cedar has no quantifier over
    /// a set). Empty for the gates that only hold the plugin itself back.
    #[must_use]
    pub fn accesses(&self) -> Vec<Access> {
        let one = |action, resource| vec![Access { action, resource }];
        let far_side = |action| one(action, Resource::new(ResourceType::FarSide, self.target()));
        match self {
            Self::Resolve(call) => one(
                Action::ResolveArtifact,
                Resource::new(ResourceType::Repository, call.repository.as_str()),
            ),
            Self::Deliver(call) => {
                one(Action::DeliverImage, Resource::on(ResourceType::Image, &call.runtime, &call.name))
            }
            Self::Activate(call) => {
                let on = &call.runtime;
                let tags = call
                    .stable_names
                    .iter()
                    .map(|name| (Action::TagImage, Resource::on(ResourceType::Image, on, name)));
                let stamps = call
                    .stamp
                    .iter()
                    .map(|pair| (Action::StampEnv, Resource::env_key(on, &call.artifact.service, &pair.key)));
                let recreated = [
                    Resource::on(ResourceType::ComposeService, on, &call.service),
                    Resource::on(ResourceType::Container, on, &call.container),
                ]
                .map(|resource| (Action::RecreateService, resource));
                tags.chain(stamps)
                    .chain(recreated)
                    .map(|(action, resource)| Access { action, resource })
                    .collect()
            }
            Self::InspectContainer(call) => one(
                Action::InspectContainer,
                Resource::on(ResourceType::Container, &call.runtime, &call.container),
            ),
            Self::ExpectContainer(call) => one(
                Action::InspectContainer,
                Resource::on(ResourceType::Container, &call.runtime, &call.container),
            ),
            Self::PatchDeployments(call) => call
                .deployments
                .iter()
                .map(|one| Access {
                    action: Action::PatchDeployment,
                    resource: Resource::deployment(&call.runtime, one),
                })
                .collect(),
            Self::AwaitRollout(AwaitRollout { runtime, deployment, .. })
            | Self::ExpectWorkload(ExpectWorkload { runtime, deployment, .. })
            | Self::InspectWorkload(InspectWorkload { runtime, deployment, .. }) => {
                one(Action::InspectDeployment, Resource::deployment(runtime, deployment))
            }
            Self::SyncObject(call) => {
                let object = Resource::on(
                    ResourceType::KubernetesObject,
                    &call.runtime,
                    format_args!("{}/{}/{}", call.kind.as_str(), call.namespace, call.name),
                );
                let read = call.entries.iter().map(|(pointer, _)| Resource {
                    kind: ResourceType::SecretKey,
                    id: format!("{}/{pointer}", call.source),
                    group: Some(call.source.to_string()),
                });
                std::iter::once(object)
                    .chain(read)
                    .map(|resource| Access { action: Action::SyncObject, resource })
                    .collect()
            }
            Self::ExpectHealth(call) => one(Action::CheckHealth, call.target.resource()),
            Self::RequireSecrets { source, keys, .. } => keys
                .iter()
                .map(|key| Access {
                    action: Action::RequireSecret,
                    resource: Resource {
                        kind: ResourceType::SecretKey,
                        id: format!("{source}/{key}"),
                        group: Some(source.to_string()),
                    },
                })
                .collect(),
            Self::RequireApproval { .. }
            | Self::RequireOutside { .. }
            | Self::RequirePinned
            | Self::Hold { .. } => Vec::new(),
            Self::Diagnose(_) => far_side(Action::Diagnose),
            Self::InspectRegistry { .. } => far_side(Action::InspectRegistry),
            Self::InstallRegistry => far_side(Action::InstallRegistry),
            Self::ListArtifacts(_) => far_side(Action::ListArtifacts),
            Self::ReadRuns { .. } => far_side(Action::ReadRuns),
            Self::Identify(scope) => {
                let far_side = |id| Resource::new(ResourceType::FarSide, id);
                let access = |id| Access { action: Action::Identify, resource: far_side(id) };
                scope.far_sides().into_iter().map(access).collect()
            }
            Self::Retain(call) => call.accesses(),
            // Taking back is a right of its own on whatever the change touched.
            Self::Undo { change } => change
                .accesses()
                .into_iter()
                .map(|access| Access { action: Action::Rollback, ..access })
                .collect(),
        }
    }
}

impl Retain {
    fn accesses(&self) -> Vec<Access> {
        let image = |name| Resource::on(ResourceType::Image, &self.runtime, name);
        let access = |name| Access { action: Action::RemoveImage, resource: image(name) };
        self.names.iter().map(access).collect()
    }
}

impl HealthTarget {
    fn resource(&self) -> Resource {
        match self {
            Self::Endpoint { name } => Resource::new(ResourceType::HealthTarget, name.as_str()),
            Self::Service { runtime, namespace, service, .. } => {
                Resource::on(ResourceType::HealthTarget, runtime, format_args!("{namespace}/{service}"))
            }
            Self::Container { runtime, container, .. } => {
                Resource::on(ResourceType::Container, runtime, container)
            }
        }
    }
}
