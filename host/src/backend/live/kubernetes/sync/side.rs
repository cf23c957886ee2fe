//! Where the objects of a runtime are, and what its pods have to be told of them.

use std::collections::BTreeMap;

use super::Synchronisation;
use super::object::Object;
use crate::answer::CallError;
use crate::backend::live::FarSides;
use crate::gate::ask::Ask;
use crate::names::{KubernetesName, RuntimeName};
use crate::operation::SyncObject;

impl FarSides {
    /// What `call` asks for.
    pub(in crate::backend::live) async fn synchronisation<'a>(
        &'a self,
        ask: &Ask<'a>,
        call: &'a SyncObject,
    ) -> Result<Synchronisation<'a>, CallError> {
        let connected =
            self.to.cluster(&call.runtime)?.connected(&self.to.channels, &self.to.config.limits).await?;
        let object = Object::new(connected, call);
        Ok(Synchronisation::new(object, &self.to.secrets, &self.synced, call, ask.interrupt))
    }

    /// What a pod template in this namespace has to say of the objects that were brought up to date there, so that pods
    /// start again when one has something new.
    pub(in crate::backend::live) fn restart_annotations(
        &self,
        runtime: &RuntimeName,
        namespace: &KubernetesName,
    ) -> BTreeMap<String, String> {
        self.synced.annotations(runtime, namespace)
    }
}
