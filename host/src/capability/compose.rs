//! `compose`: activate, inspect and verify a service of a Compose project.

use wasmtime::component::Resource;

use super::bindings::deploy::consumer::compose::{
    Activation, Check, Container, ExpectedContainer, Host, Pair,
};
use super::{Guest, Refusal, names, pairs, stamps};
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
        let call = InspectContainer {
            runtime: RuntimeName::parse(&on)?,
            container: ContainerName::parse(&container)?,
            labels: names(&labels)?,
            env: names(&env)?,
        };
        let pairs = |pairs: Vec<(String, String)>| {
            pairs.into_iter().map(|(key, value)| Pair { key, value }).collect()
        };
        match self.perform(Operation::InspectContainer(call))? {
            Answer::Container(Some(view)) => Ok(Some(Container {
                image_digest: view.image_digest,
                labels: pairs(view.labels),
                env: pairs(view.env),
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
