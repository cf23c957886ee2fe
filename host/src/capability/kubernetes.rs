//! `kubernetes`: patch, watch and look at Deployments, synchronise objects.

use wasmtime::component::Resource;

use super::bindings::deploy::consumer::kubernetes::{
    Check, Deployment as WitDeployment, ExpectedWorkload, Host, ObjectKind as WitKind, Pair, Pod,
    SyncObject as WitSync, Workload,
};
use super::compose::without_prefix;
use super::{Guest, Refusal, few, names, pairs, stamp_keys, stamps};
use crate::answer::{Answer, CallError, PodView};
use crate::artifact::Artifact;
use crate::names::{ConfigName, KubernetesName, Pointer, RuntimeName};
use crate::operation::{
    AwaitRollout, Deployment, ExpectWorkload, InspectWorkload, KUBERNETES_STAMP_PREFIX, ObjectKind,
    Operation, PatchDeployments, SyncObject,
};

impl Host for Guest {
    fn patch(
        &mut self,
        artifact: Resource<Artifact>,
        on: String,
        deployments: Vec<WitDeployment>,
        stamp: Vec<Pair>,
    ) -> Result<(), Refusal> {
        if deployments.is_empty() {
            return Err(Refusal::Told(CallError::Invalid("no Deployment is named".to_owned())));
        }
        let call = PatchDeployments {
            artifact: self.artifact_ref(&artifact)?,
            runtime: RuntimeName::parse(&on)?,
            deployments: few(&deployments)?.iter().map(deployment).collect::<Result<_, _>>()?,
            stamp: stamps(KUBERNETES_STAMP_PREFIX, &stamp)?,
        };
        self.change(Operation::PatchDeployments(call))
    }

    fn await_rollout(
        &mut self,
        on: String,
        awaited: WitDeployment,
        within_seconds: u32,
    ) -> Result<Option<Vec<Pod>>, Refusal> {
        let call = AwaitRollout {
            runtime: RuntimeName::parse(&on)?,
            deployment: deployment(&awaited)?,
            within_seconds,
        };
        Ok(match self.perform(Operation::AwaitRollout(call))? {
            Answer::Pods(pods) => Some(pods.into_iter().map(pod).collect()),
            _ => None,
        })
    }

    fn inspect(
        &mut self,
        on: String,
        inspected: WitDeployment,
        env: Vec<String>,
        annotations: Vec<String>,
    ) -> Result<Option<Workload>, Refusal> {
        let call = InspectWorkload {
            runtime: RuntimeName::parse(&on)?,
            deployment: deployment(&inspected)?,
            // A pod's environment holds secrets too: only the stamp can be asked for.
            env: stamp_keys(KUBERNETES_STAMP_PREFIX, &env)?,
            annotations: names(&annotations)?,
        };
        match self.perform(Operation::InspectWorkload(call))? {
            Answer::Workload(Some(view)) => Ok(Some(Workload {
                image: view.image,
                env: without_prefix(KUBERNETES_STAMP_PREFIX, view.env),
                annotations: view.annotations.into_iter().map(|(key, value)| Pair { key, value }).collect(),
            })),
            _ => Ok(None),
        }
    }

    fn expect(
        &mut self,
        artifact: Resource<Artifact>,
        expected: ExpectedWorkload,
    ) -> Result<Option<Vec<Check>>, Refusal> {
        let call = ExpectWorkload {
            artifact: self.artifact_ref(&artifact)?,
            runtime: RuntimeName::parse(&expected.on)?,
            deployment: deployment(&expected.deployment)?,
            labels: pairs(&expected.labels)?,
            stamp: stamps(KUBERNETES_STAMP_PREFIX, &expected.stamp)?,
        };
        self.verify(Operation::ExpectWorkload(call))
    }

    fn sync(&mut self, object: WitSync) -> Result<(), Refusal> {
        let entries = few(&object.entries)?
            .iter()
            .map(|entry| Ok((Pointer::parse(&entry.from_pointer)?, ConfigName::parse(&entry.to_key)?)));
        let call = SyncObject {
            runtime: RuntimeName::parse(&object.on)?,
            kind: match object.kind {
                WitKind::Secret => ObjectKind::Secret,
                WitKind::ConfigMap => ObjectKind::ConfigMap,
            },
            namespace: KubernetesName::parse(&object.namespace)?,
            name: KubernetesName::parse(&object.name)?,
            source: ConfigName::parse(&object.source)?,
            entries: entries.collect::<Result<_, Refusal>>()?,
        };
        self.change(Operation::SyncObject(call))
    }
}

fn pod(PodView { name, image_digest, ready }: PodView) -> Pod {
    Pod { name, image_digest, ready }
}

fn deployment(text: &WitDeployment) -> Result<Deployment, Refusal> {
    Ok(Deployment {
        namespace: KubernetesName::parse(&text.namespace)?,
        name: KubernetesName::parse(&text.name)?,
        container: KubernetesName::parse(&text.container)?,
    })
}
