//! A service of a Docker Compose project.

use super::{UNIDESK_URL, environment, flags, live_commit, required_labels, stamp};
use crate::contract::deploy::consumer::compose::{self, Activation, ExpectedContainer};
use crate::contract::deploy::consumer::health::{self, Contained, Target};
use crate::contract::deploy::consumer::{image, registry};
use crate::{Check, Environment, Expectation, Failure, Request, verified};

/// The facts of one Compose service; [`ComposeService::deploy`] does the rest. What most services have in common is filled
/// in by [`ComposeService::on_main_server`] and [`ComposeService::on_d601`].
pub struct ComposeService {
    /// Which of the shapes it is.
    pub shape: &'static str,
    /// Logical runtime.
    pub runtime: &'static str,
    /// Service in the Compose file.
    pub service: &'static str,
    /// The container it runs as.
    pub container: &'static str,
    /// Image name that the Compose file refers to.
    pub stable_name: &'static str,
    /// What CI writes into the image's source label.
    pub source_url: &'static str,
    /// Port of the health endpoint inside the container.
    pub health_port: u16,
    /// Path of the health endpoint.
    pub health_path: &'static str,
    /// Pointers into the health payload that must be `true`, beside the two commits.
    pub health_flags: &'static [&'static str],
    /// The service does not tell its commits itself: they come from the stamp in its container's environment.
    pub health_with_stamp: bool,
    /// How long a healthy start may take, in seconds.
    pub healthy_within_seconds: u32,
}

impl ComposeService {
    /// A service of the main server's project, from the `UniDesk` repository.
    #[must_use]
    pub const fn on_main_server(service: &'static str, container: &'static str) -> Self {
        Self {
            shape: "main-server-compose",
            runtime: "main-server",
            service,
            container,
            stable_name: service,
            source_url: UNIDESK_URL,
            health_port: 8080,
            health_path: "/health",
            health_flags: &["/ok"],
            health_with_stamp: false,
            healthy_within_seconds: 60,
        }
    }

    /// The same in the project on D601.
    #[must_use]
    pub const fn on_d601(service: &'static str, container: &'static str) -> Self {
        Self { shape: "d601-compose", runtime: "d601", ..Self::on_main_server(service, container) }
    }

    /// The environment `name` of this service.
    #[must_use]
    pub fn environment(&self, name: &str) -> Environment {
        environment(name, self.shape, self.runtime)
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
                stable_names: vec![self.stable_name.to_owned()],
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
        let within = self.healthy_within_seconds;
        verified("the health payload", self.ask(self.health_path, self.health_with_stamp, &expected, within)?)
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
        self.ask(path, false, expected, within_seconds)
    }

    fn ask(
        &self,
        path: &str,
        with_stamp: bool,
        expected: &[Expectation],
        within_seconds: u32,
    ) -> Result<Option<Vec<Check>>, Failure> {
        let target = Target::Container(Contained {
            on: self.runtime.to_owned(),
            container: self.container.to_owned(),
            port: self.health_port,
            path: path.to_owned(),
            with_stamp,
        });
        Ok(health::expect(&target, expected, within_seconds)?)
    }
}
