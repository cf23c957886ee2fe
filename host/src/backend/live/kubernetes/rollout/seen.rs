//! A Deployment with its revisions and pods, as far as the API server has told of them.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodSpec};
use kube::{Resource, ResourceExt};

use crate::answer::PodView;
use crate::backend::live::kubernetes::revision::{owned, revision};
use crate::names::Digest;
use crate::words::{counted, listed, plain};

/// Longest name of an image that a message repeats, in characters.
const SHOWN: usize = 300;
/// Revisions that a message names.
const NAMED: usize = 3;

/// Everything that says how far a rollout is.
pub struct Seen<'a> {
    /// The Deployment.
    pub deployment: &'a Deployment,
    /// The container whose image is rolled out.
    pub container: &'a str,
    sets: Vec<&'a ReplicaSet>,
    pods: Vec<&'a Pod>,
}

impl<'a> Seen<'a> {
    /// What is the Deployment's own among all that its selector finds.
    pub fn of(
        deployment: &'a Deployment,
        container: &'a str,
        sets: impl Iterator<Item = &'a ReplicaSet>,
        pods: impl Iterator<Item = &'a Pod>,
    ) -> Self {
        let sets: Vec<_> = sets.filter(|set| owned(*set, deployment)).collect();
        let pods = pods.filter(|pod| sets.iter().any(|set| owned(*pod, *set))).collect();
        Self { deployment, container, sets, pods }
    }

    /// How many pods are wanted.
    #[must_use]
    pub fn replicas(&self) -> i32 {
        self.deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    /// What the Deployment's controller says.
    #[must_use]
    pub fn status(&self) -> DeploymentStatus {
        self.deployment.status.clone().unwrap_or_default()
    }

    /// Whether that is about the Deployment as it is now.
    #[must_use]
    pub fn observed(&self) -> bool {
        self.status().observed_generation >= self.deployment.meta().generation
    }

    /// A condition of the Deployment.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&'a DeploymentCondition> {
        let conditions = self.deployment.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// The revision that is rolled out.
    #[must_use]
    pub fn current(&self) -> Option<&'a ReplicaSet> {
        let newest = revision(self.deployment)?;
        self.sets.iter().copied().find(|set| revision(*set) == Some(newest))
    }

    /// Its pods that are to stay.
    #[must_use]
    pub fn new_pods(&self) -> Vec<&'a Pod> {
        let Some(current) = self.current() else { return Vec::new() };
        let stays = |pod: &&Pod| pod.meta().deletion_timestamp.is_none() && owned(*pod, current);
        self.pods.iter().copied().filter(stays).collect()
    }

    /// Whether a pod of any revision is about to go.
    #[must_use]
    pub fn leaving(&self) -> bool {
        self.pods.iter().any(|pod| pod.meta().deletion_timestamp.is_some())
    }

    /// The pods as the contract knows them.
    #[must_use]
    pub fn answer(&self) -> Vec<PodView> {
        let view =
            |pod: &Pod| PodView { name: pod.name_any(), image_digest: self.digest(pod), ready: ready(pod) };
        self.new_pods().into_iter().map(view).collect()
    }

    /// What the pod runs; nothing where the node has it by no digest of a registry.
    fn digest(&self, pod: &Pod) -> Option<String> {
        let status = containers(pod).find(|status| status.name == self.container)?;
        let (_, digest) = status.image_id.rsplit_once('@')?;
        Digest::parse(digest).ok().map(|digest| digest.to_string())
    }

    /// Which revision serves.
    #[must_use]
    pub fn serving(&self) -> String {
        let serves = |set: &&ReplicaSet| {
            let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
            let ready = usize::try_from(ready).ok().filter(|&ready| ready > 0)?;
            let revision = revision(*set).unwrap_or("?");
            let image = plain(self.image(set).unwrap_or("an image without a name"), SHOWN);
            Some(format!("revision {revision} ({image}, {})", counted(ready, "ready pod", "ready pods")))
        };
        let serving: Vec<_> = self.sets.iter().filter_map(serves).collect();
        match serving.as_slice() {
            [] => "nothing serves now: no pod is ready".to_owned(),
            some => format!("what serves now: {}", listed(some, NAMED)),
        }
    }

    fn image(&self, set: &'a ReplicaSet) -> Option<&'a str> {
        let pod: &PodSpec = set.spec.as_ref()?.template.as_ref()?.spec.as_ref()?;
        pod.containers.iter().find(|container| container.name == self.container)?.image.as_deref()
    }
}

/// What the node says of all containers of a pod, those first that must end before the others begin.
pub fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let first = status.and_then(|status| status.init_container_statuses.as_deref());
    let then = status.and_then(|status| status.container_statuses.as_deref());
    first.into_iter().chain(then).flatten()
}

/// Whether requests reach a pod.
#[must_use]
pub fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
