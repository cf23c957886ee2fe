//! A service of a Docker Compose project.

use super::{flags, live_commit, required_labels, stamp};
use crate::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use crate::contract::deploy::consumer::health::{self, Contained, Target};
use crate::contract::deploy::consumer::{image, registry};
use crate::{Check, Environment, Expectation, Failure, Request, verified};

/// The facts of one Compose service; [`ComposeService::deploy`] does the rest.
pub struct ComposeService {
    /// Logical runtime.
    pub runtime: &'static str,
    /// Service in the Compose file.
    pub service: &'static str,
    /// The container it runs as.
    pub container: &'static str,
    /// Image names that the Compose file refers to.
    pub stable_names: &'static [&'static str],
    /// What CI writes into the image's source label.
    pub source_url: &'static str,
    /// Port of the health endpoint inside the container.
    pub health_port: u16,
    /// Path of the health endpoint.
    pub health_path: &'static str,
    /// Pointers into the health payload that must be `true`, beside the two commits.
    pub health_flags: &'static [&'static str],
    /// How long a healthy start may take, in seconds.
    pub healthy_within_seconds: u32,
}

impl ComposeService {
    /// The environment `name` on the main server.
    #[must_use]
    pub fn main_server(&self, name: &str) -> Environment {
        self.environment(name, "main-server-compose")
    }

    /// The environment `name` on D601, in the Compose project there.
    #[must_use]
    pub fn d601(&self, name: &str) -> Environment {
        self.environment(name, "d601-compose")
    }

    fn environment(&self, name: &str, shape: &str) -> Environment {
        Environment {
            name: name.to_owned(),
            shape: shape.to_owned(),
            runtime: self.runtime.to_owned(),
            affects: Vec::new(),
            excludes: Vec::new(),
        }
    }

    /// Resolve, deliver, activate, verify container and health.
    ///
    /// # Errors
    /// The first step that does not go well.
    pub fn deploy(&self, request: &Request) -> Result<(), Failure> {
        let labels = required_labels(request, self.source_url);
        let stamp = stamp(request, self.source_url);
        let artifact = registry::resolve(&request.service, &request.commit, &labels)?;
        image::deliver(&artifact, self.runtime)?;
        compose::activate(
            &artifact,
            &Activation {
                on: self.runtime.to_owned(),
                service: self.service.to_owned(),
                container: self.container.to_owned(),
                stable_names: self.stable_names.iter().map(|&name| name.to_owned()).collect(),
                stamp: stamp.clone(),
            },
        )?;
        let expected = ExpectedContainer {
            on: self.runtime.to_owned(),
            container: self.container.to_owned(),
            labels,
            stamp,
        };
        verified("the container", compose::expect(&artifact, &expected)?)?;
        let expected: Vec<_> = live_commit(request).into_iter().chain(flags(self.health_flags)).collect();
        verified("the health payload", self.expect(self.health_path, &expected, self.healthy_within_seconds)?)
    }

    /// Asks the container at `path` until all is as expected or the time is up; none where nothing was asked. For what a
    /// service must say beside the health that [`ComposeService::deploy`] verifies.
    ///
    /// # Errors
    /// When it gives no readable answer in the end.
    pub fn expect(
        &self,
        path: &str,
        expected: &[Expectation],
        within_seconds: u32,
    ) -> Result<Option<Vec<Check>>, Failure> {
        let target = Target::Container(Contained {
            on: self.runtime.to_owned(),
            container: self.container.to_owned(),
            port: self.health_port,
            path: path.to_owned(),
            with_stamp: false,
        });
        Ok(health::expect(&target, expected, within_seconds)?)
    }
}
