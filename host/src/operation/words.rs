//! Operations in words: what is done, and to what.

use super::{AwaitRollout, ExpectWorkload, HealthTarget, InspectWorkload, Operation, stamp_prefix};
use crate::diagnosis::FarSide;
use crate::names::ConfigName;

impl Operation {
    /// As in reports, the journal and error messages: interface and function of the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "registry.resolve",
            Self::Deliver(_) => "image.deliver",
            Self::Activate(_) => "compose.activate",
            Self::InspectContainer(_) => "compose.inspect",
            Self::ExpectContainer(_) => "compose.expect",
            Self::PatchDeployments(_) => "kubernetes.patch",
            Self::AwaitRollout(_) => "kubernetes.await-rollout",
            Self::InspectWorkload(_) => "kubernetes.inspect",
            Self::ExpectWorkload(_) => "kubernetes.expect",
            Self::SyncObject(_) => "kubernetes.sync",
            Self::ExpectHealth(_) => "health.expect",
            Self::RequireSecrets { .. } => "guard.require-secrets",
            Self::RequireApproval { .. } => "guard.require-approval",
            Self::RequireOutside { .. } => "guard.require-outside",
            Self::RequirePinned => "guard.require-pinned",
            Self::Hold { .. } => "guard.hold",
            Self::Diagnose(_) => "host.diagnose",
            Self::InspectRegistry { .. } => "host.registry",
            Self::InstallRegistry => "host.registry-install",
            Self::ListArtifacts(_) => "host.artifacts",
            Self::ReadRuns { .. } => "host.runs",
            Self::Identify(_) => "host.identify",
            Self::Retain(_) => "host.retain",
            Self::Undo { .. } => "host.undo",
        }
    }

    /// What it is done to, in few words.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Resolve(call) => format!("{}:{}", call.repository, call.commit),
            Self::Deliver(call) => format!("{}/{}:{}", call.runtime, call.name, call.artifact.commit),
            Self::Activate(call) => format!("{}/{}", call.runtime, call.service),
            Self::InspectContainer(call) => format!("{}/{}", call.runtime, call.container),
            Self::ExpectContainer(call) => format!("{}/{}", call.runtime, call.container),
            Self::PatchDeployments(call) => {
                let names: Vec<_> = call
                    .deployments
                    .iter()
                    .map(|one| format!("{}/{}/{}", call.runtime, one.namespace, one.name))
                    .collect();
                names.join(", ")
            }
            Self::AwaitRollout(AwaitRollout { runtime, deployment, .. })
            | Self::ExpectWorkload(ExpectWorkload { runtime, deployment, .. })
            | Self::InspectWorkload(InspectWorkload { runtime, deployment, .. }) => {
                format!("{runtime}/{}/{}", deployment.namespace, deployment.name)
            }
            Self::SyncObject(call) => {
                format!("{}/{}/{}/{}", call.runtime, call.kind.as_str(), call.namespace, call.name)
            }
            Self::ExpectHealth(call) if call.is_synthetic() => {
                format!("{} with {}*", call.target, stamp_prefix(&call.service))
            }
            Self::ExpectHealth(call) => call.target.to_string(),
            Self::RequireSecrets { source, .. } => source.to_string(),
            Self::RequireApproval { roles: names } | Self::RequireOutside { workloads: names } => {
                names.iter().map(ConfigName::as_str).collect::<Vec<_>>().join(", ")
            }
            Self::RequirePinned => "the desired state".to_owned(),
            Self::Hold { .. } => "live".to_owned(),
            Self::Diagnose(far_side) => far_side.id(),
            Self::InspectRegistry { .. } | Self::InstallRegistry | Self::ListArtifacts(_) => {
                FarSide::Registry.id()
            }
            Self::ReadRuns { runtime, .. } => format!("runs/{runtime}"),
            Self::Identify(scope) => scope.far_sides().join(", "),
            Self::Retain(call) => {
                let names: Vec<_> =
                    call.names.iter().map(|name| format!("{}/{name}", call.runtime)).collect();
                names.join(", ")
            }
            Self::Undo { change } => format!("{} {}", change.name(), change.target()),
        }
    }
}

impl std::fmt::Display for HealthTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Endpoint { name } => write!(f, "endpoint {name}"),
            Self::Service { runtime, namespace, service, port, path } => {
                write!(f, "{runtime}/{namespace}/{service}:{port}{path}")
            }
            Self::Container { runtime, container, port, path, .. } => {
                write!(f, "{runtime}/{container}:{port}{path}")
            }
        }
    }
}
