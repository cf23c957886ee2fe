//! Forms of entity ids. An id of another form than the host asks for would never match anything.

use serde::{Deserialize, Serialize};

use crate::access::ResourceType;
use crate::names::{
    ComposeService, ConfigName, ContainerName, ImageName, KubernetesName, RuntimeName, ServiceName,
};
use crate::operation::{ObjectKind, stamp_prefix};

/// What can be owned: resources, and the groups that stand for env and secret keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Owned {
    Repository,
    Image,
    EnvPrefix,
    ComposeService,
    Container,
    Deployment,
    KubernetesObject,
    SecretSource,
    HealthTarget,
}

impl Owned {
    /// The entity type in the schema.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "Repository",
            Self::Image => "Image",
            Self::EnvPrefix => "EnvPrefix",
            Self::ComposeService => "ComposeService",
            Self::Container => "Container",
            Self::Deployment => "Deployment",
            Self::KubernetesObject => "KubernetesObject",
            Self::SecretSource => "SecretSource",
            Self::HealthTarget => "HealthTarget",
        }
    }

    /// What has to be owned for a resource of this type to be; nothing where nobody can own one.
    pub(super) fn holding(kind: ResourceType) -> Option<Self> {
        Some(match kind {
            ResourceType::Repository => Self::Repository,
            ResourceType::Image => Self::Image,
            ResourceType::EnvKey => Self::EnvPrefix,
            ResourceType::ComposeService => Self::ComposeService,
            ResourceType::Container => Self::Container,
            ResourceType::Deployment => Self::Deployment,
            ResourceType::KubernetesObject => Self::KubernetesObject,
            ResourceType::SecretKey => Self::SecretSource,
            ResourceType::HealthTarget => Self::HealthTarget,
            ResourceType::FarSide => return None,
        })
    }

    /// Whether this is a group that resources belong to by their id.
    pub(super) fn is_group(self) -> bool {
        matches!(self, Self::EnvPrefix | Self::SecretSource)
    }

    /// Whether the group `group` has the resource `id`: a key begins with its prefix, `<source>/<key>` names its source.
    pub(super) fn has_member(self, group: &str, id: &str) -> bool {
        let rest = id.strip_prefix(group);
        match self {
            Self::EnvPrefix => rest.is_some(),
            Self::SecretSource => rest.is_some_and(|rest| rest.starts_with('/')),
            _ => false,
        }
    }

    /// The id of what stands for all that belongs to `id`: a key of a group, or the thing itself.
    pub(super) fn member(self, id: &str) -> String {
        match self {
            Self::EnvPrefix => format!("{id}COMMIT"),
            Self::SecretSource => format!("{id}/KEY"),
            _ => id.to_owned(),
        }
    }

    /// Whether the host ever asks for such an `id` for `service`; else the form that it asks for.
    ///
    /// # Errors
    /// The form, in words.
    pub(super) fn check(self, id: &str, service: &ServiceName) -> Result<(), String> {
        let on_runtime = |rest: &dyn Fn(&str) -> bool| {
            id.split_once('/')
                .is_some_and(|(runtime, name)| RuntimeName::parse(runtime).is_ok() && rest(name))
        };
        let (fits, form) = match self {
            Self::Repository => {
                (ImageName::parse(id).is_ok(), "<repository>, without registry and tag".to_owned())
            }
            Self::Image => (
                on_runtime(&|name| ImageName::parse(name).is_ok()),
                "<runtime>/<image name>, without registry and tag".to_owned(),
            ),
            Self::EnvPrefix => {
                // A plugin stamps with the prefix of its own service only (specification: `UNIDESK_<SERVICE>_DEPLOY_*`).
                let prefix = stamp_prefix(service);
                (on_runtime(&|name| name == prefix), format!("<runtime>/{prefix}"))
            }
            Self::ComposeService => (
                on_runtime(&|name| ComposeService::parse(name).is_ok()),
                "<runtime>/<Compose service>".to_owned(),
            ),
            Self::Container => {
                (on_runtime(&|name| ContainerName::parse(name).is_ok()), "<runtime>/<container>".to_owned())
            }
            Self::Deployment => (on_runtime(&kubernetes_pair), "<runtime>/<namespace>/<name>".to_owned()),
            Self::KubernetesObject => (
                on_runtime(&|rest| {
                    rest.split_once('/')
                        .is_some_and(|(kind, name)| is_object_kind(kind) && kubernetes_pair(name))
                }),
                "<runtime>/<secret|config-map>/<namespace>/<name>".to_owned(),
            ),
            Self::SecretSource => (ConfigName::parse(id).is_ok(), "<name in host.toml>".to_owned()),
            Self::HealthTarget => (
                ConfigName::parse(id).is_ok() || on_runtime(&kubernetes_pair),
                "<name in host.toml> or <runtime>/<namespace>/<service>".to_owned(),
            ),
        };
        if fits { Ok(()) } else { Err(form) }
    }
}

fn is_object_kind(kind: &str) -> bool {
    [ObjectKind::Secret, ObjectKind::ConfigMap].iter().any(|known| known.as_str() == kind)
}

fn kubernetes_pair(text: &str) -> bool {
    text.split_once('/').is_some_and(|(namespace, name)| {
        KubernetesName::parse(namespace).is_ok() && KubernetesName::parse(name).is_ok()
    })
}
