//! `image`: bring the artifact into a runtime.

use wasmtime::component::Resource;

use super::bindings::deploy::consumer::image::Host;
use super::{Guest, Refusal};
use crate::artifact::Artifact;
use crate::names::RuntimeName;
use crate::operation::{Deliver, Operation};

impl Host for Guest {
    fn deliver(&mut self, artifact: Resource<Artifact>, to: String) -> Result<(), Refusal> {
        let call = Deliver {
            artifact: self.artifact_ref(&artifact)?,
            runtime: RuntimeName::parse(&to)?,
            name: self.artifact(&artifact)?.repository.clone(),
        };
        self.change(Operation::Deliver(call))
    }
}
