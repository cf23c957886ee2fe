//! A service in Deployments of a native Kubernetes.

use super::{UNIDESK_URL, environment, flags, live_commit, required_labels, stamp};
use crate::contract::deploy::consumer::health::{self, Proxied, Target};
use crate::contract::deploy::consumer::kubernetes::{
    self, Deployment, ExpectedWorkload, Mapping, ObjectKind, SyncObject,
};
use crate::contract::deploy::consumer::{image, registry};
use crate::{Environment, Failure, Request, verified};

/// The facts of one service in one namespace; [`KubernetesService::deploy`] does the rest. What most services have in
/// common is filled in by [`KubernetesService::dev`] and [`KubernetesService::prod`].
pub struct KubernetesService {
    /// Logical runtime.
    pub runtime: &'static str,
    /// Where all of it is.
    pub namespace: &'static str,
    /// Each Deployment; the container in it has its name. All are patched, or none.
    pub deployments: &'static [&'static str],
    /// What CI writes into the image's source label.
    pub source_url: &'static str,
    /// The Service that is asked for health, through the API server.
    pub service: &'static str,
    /// Name or number of its port.
    pub port: &'static str,
    /// Path of the health endpoint.
    pub health_path: &'static str,
    /// Pointers into the health payload that must be `true`, beside the two commits.
    pub health_flags: &'static [&'static str],
    /// Where a commit is tried before it comes here.
    pub after: Option<&'static str>,
    /// How long a rollout may take, in seconds.
    pub rolled_out_within_seconds: u32,
    /// How long it may take after that until the health payload is good, in seconds.
    pub healthy_within_seconds: u32,
}

/// A Secret or `ConfigMap` of a service, and what of a source of the operator's configuration it has to hold.
pub struct Synced {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, in the namespace of the service.
    pub name: &'static str,
    /// The source.
    pub source: &'static str,
    /// JSON pointer in the source, and key in the object. Other keys of the object stay as they are.
    pub entries: &'static [(&'static str, &'static str)],
}

impl KubernetesService {
    /// A service of the `UniDesk` repository where it is tried out on D601's k3s.
    #[must_use]
    pub const fn dev(service: &'static str, deployments: &'static [&'static str]) -> Self {
        Self {
            runtime: "d601-k3s",
            namespace: "unidesk-dev",
            deployments,
            source_url: UNIDESK_URL,
            service,
            port: "http",
            health_path: "/health",
            health_flags: &["/ok"],
            after: None,
            rolled_out_within_seconds: 120,
            healthy_within_seconds: 30,
        }
    }

    /// The same where people use it; commits come there from dev (specification: dev first, then prod).
    #[must_use]
    pub const fn prod(service: &'static str, deployments: &'static [&'static str]) -> Self {
        Self { namespace: "unidesk", after: Some("dev"), ..Self::dev(service, deployments) }
    }

    /// The environment `name` of this service.
    #[must_use]
    pub fn environment(&self, name: &str) -> Environment {
        let after = self.after.map(str::to_owned);
        Environment { after, ..environment(name, "d601-k3s", self.runtime) }
    }

    /// Resolve, deliver, patch, await the rollout, verify pods and health.
    ///
    /// # Errors
    /// The first step that does not go well.
    pub fn deploy(&self, request: &Request) -> Result<(), Failure> {
        self.deploy_after(request, || Ok(()))
    }

    /// The same, with `between` done when the image is there and nothing runs it yet: what the new pods need.
    ///
    /// # Errors
    /// The first step that does not go well.
    pub fn deploy_after(
        &self,
        request: &Request,
        between: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let labels = required_labels(request, self.source_url);
        let stamp = stamp(request, self.source_url);
        let artifact = registry::resolve(&request.service, &request.commit, &labels)?;
        image::deliver(&artifact, self.runtime)?;
        between()?;
        let deployments: Vec<_> = self.deployments.iter().map(|&name| self.deployment(name)).collect();
        kubernetes::patch(&artifact, self.runtime, &deployments, &stamp)?;
        for deployment in deployments {
            kubernetes::await_rollout(self.runtime, &deployment, self.rolled_out_within_seconds)?;
            let expected = ExpectedWorkload {
                on: self.runtime.to_owned(),
                deployment,
                labels: labels.clone(),
                stamp: stamp.clone(),
            };
            verified("the pods", kubernetes::expect(&artifact, &expected)?)?;
        }
        let target = Target::Service(Proxied {
            on: self.runtime.to_owned(),
            namespace: self.namespace.to_owned(),
            service: self.service.to_owned(),
            port: self.port.to_owned(),
            path: self.health_path.to_owned(),
        });
        let expected: Vec<_> = live_commit(request).into_iter().chain(flags(self.health_flags)).collect();
        verified("the health payload", health::expect(&target, &expected, self.healthy_within_seconds)?)
    }

    /// Brings an object up to date that the pods read; they start again where it has something new. The values pass by the
    /// plugin.
    ///
    /// # Errors
    /// Why it could not be read or written.
    pub fn sync(&self, object: &Synced) -> Result<(), Failure> {
        let mapping = |&(pointer, key): &(&str, &str)| Mapping {
            from_pointer: pointer.to_owned(),
            to_key: key.to_owned(),
        };
        Ok(kubernetes::sync(&SyncObject {
            on: self.runtime.to_owned(),
            kind: object.kind,
            namespace: self.namespace.to_owned(),
            name: object.name.to_owned(),
            source: object.source.to_owned(),
            entries: object.entries.iter().map(mapping).collect(),
        })?)
    }

    fn deployment(&self, name: &str) -> Deployment {
        Deployment { namespace: self.namespace.to_owned(), name: name.to_owned(), container: name.to_owned() }
    }
}
