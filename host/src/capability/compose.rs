//! `compose`: activate, inspect and verify a service of a Compose project.

use wasmtime::component::Resource;

use super::bindings::deploy::consumer::compose::{
    Activation, Check, Container, ExpectedContainer, Host, Pair,
};
use super::{Guest, Refusal, names, pairs, stamp_keys, stamps};
use crate::answer::{Answer, CallError};
use crate::artifact::Artifact;
use crate::names::{ComposeService, ContainerName, RuntimeName};
use crate::operation::{Activate, ExpectContainer, InspectContainer, Operation, stamp_prefix};

impl Host for Guest {
    fn activate(&mut self, artifact: Resource<Artifact>, activation: Activation) -> Result<(), Refusal> {
        let delivered = self.artifact(&artifact)?.repository.clone();
        let artifact = self.artifact_ref(&artifact)?;
        let call = Activate {
            runtime: RuntimeName::parse(&activation.on)?,
            delivered,
            service: ComposeService::parse(&activation.service)?,
            container: ContainerName::parse(&activation.container)?,
            stable_names: names(&activation.stable_names)?,
            stamp: stamps(&stamp_prefix(&artifact.service), &activation.stamp)?,
            artifact,
        };
        if call.stable_names.is_empty() {
            return Err(Refusal::Told(CallError::Invalid(
                "an activation needs at least one stable name".to_owned(),
            )));
        }
        self.change(Operation::Activate(call))
    }

    fn inspect(
        &mut self,
        on: String,
        container: String,
        labels: Vec<String>,
        env: Vec<String>,
    ) -> Result<Option<Container>, Refusal> {
        // An environment holds secrets: a plugin sees the stamp of its own service and nothing else of it.
        let prefix = stamp_prefix(&self.asked()?.service);
        let call = InspectContainer {
            runtime: RuntimeName::parse(&on)?,
            container: ContainerName::parse(&container)?,
            labels: names(&labels)?,
            env: stamp_keys(&prefix, &env)?,
        };
        match self.perform(Operation::InspectContainer(call))? {
            Answer::Container(Some(view)) => Ok(Some(Container {
                image_digest: view.image_digest,
                labels: view.labels.into_iter().map(|(key, value)| Pair { key, value }).collect(),
                env: without_prefix(&prefix, view.env),
            })),
            _ => Ok(None),
        }
    }

    fn expect(
        &mut self,
        artifact: Resource<Artifact>,
        expected: ExpectedContainer,
    ) -> Result<Option<Vec<Check>>, Refusal> {
        let artifact = self.artifact_ref(&artifact)?;
        let call = ExpectContainer {
            runtime: RuntimeName::parse(&expected.on)?,
            container: ContainerName::parse(&expected.container)?,
            labels: pairs(&expected.labels)?,
            env: stamps(&stamp_prefix(&artifact.service), &expected.stamp)?,
            artifact,
        };
        self.verify(Operation::ExpectContainer(call))
    }
}

/// What was found, under the keys that were asked for.
pub(super) fn without_prefix(prefix: &str, found: Vec<(String, String)>) -> Vec<Pair> {
    let bare = |key: &str| key.strip_prefix(prefix).map(str::to_owned);
    found.into_iter().filter_map(|(key, value)| Some(Pair { key: bare(&key)?, value })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ServiceName;

    #[test]
    fn only_the_stamp_of_the_own_service_can_be_asked_for() {
        let prefix = stamp_prefix(&ServiceName::parse("project-manager").expect("a service"));
        let asked = ["COMMIT", "CLIENT_SECRET"].map(str::to_owned);
        let keys: Vec<String> =
            stamp_keys(&prefix, &asked).expect("keys").iter().map(ToString::to_string).collect();
        assert_eq!(
            keys,
            ["UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT", "UNIDESK_PROJECT_MANAGER_DEPLOY_CLIENT_SECRET"]
        );
        let found = [(keys[0].clone(), "abc".to_owned()), ("CLIENT_SECRET".to_owned(), "hunter2".to_owned())];
        let told: Vec<(String, String)> =
            without_prefix(&prefix, found.into()).into_iter().map(|pair| (pair.key, pair.value)).collect();
        assert_eq!(told, [("COMMIT".to_owned(), "abc".to_owned())]);
        for bad in ["lower", "B_DEPLOY_COMMIT", "DEPLOY_COMMIT"] {
            assert!(stamp_keys(&prefix, &[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
