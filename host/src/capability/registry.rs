//! `registry`: is the commit-pinned artifact there?

use wasmtime::component::Resource;

use super::bindings::deploy::consumer::registry::{Host, HostArtifact, Pair};
use super::{Guest, Refusal, pairs};
use crate::answer::{Answer, CallError};
use crate::artifact::Artifact;
use crate::names::{Commit, ImageName, ServiceName};
use crate::operation::{Operation, Resolve};

impl Host for Guest {
    fn resolve(
        &mut self,
        service: String,
        commit: String,
        required_labels: Vec<Pair>,
    ) -> Result<Resource<Artifact>, Refusal> {
        let service = ServiceName::parse(&service)?;
        let commit = Commit::parse(&commit)?;
        let asked = self.asked()?;
        if commit != asked.commit {
            let why = format!("this run is for commit {}, the plugin asked for {commit}", asked.commit);
            return Err(Refusal::Told(CallError::Invalid(why)));
        }
        let repository = ImageName::parse(&format!("{}/{service}", asked.namespace))?;
        let call = Resolve { service, commit, repository, required_labels: pairs(&required_labels)? };
        match self.perform(Operation::Resolve(call))? {
            Answer::Artifact(artifact) => {
                self.table.push(*artifact).map_err(|error| Refusal::Broken(error.to_string()))
            }
            _ => Err(Refusal::Told(CallError::Other("the registry gave no artifact".to_owned()))),
        }
    }
}

impl HostArtifact for Guest {
    fn digest(&mut self, artifact: Resource<Artifact>) -> wasmtime::Result<Option<String>> {
        let artifact = self.table.get(&artifact)?;
        Ok(artifact.identity.as_ref().map(|identity| identity.served().to_string()))
    }

    fn drop(&mut self, artifact: Resource<Artifact>) -> wasmtime::Result<()> {
        self.table.delete(artifact)?;
        Ok(())
    }
}
