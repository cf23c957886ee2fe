//! What CI says of an artifact, held against what the plugin says and what is asked for.

use std::path::Path;

use super::{Host, Request};
use crate::answer::Answer;
use crate::config::{Catalogue, CatalogueEntry};
use crate::engine::Descriptor;
use crate::fault::Fault;
use crate::names::{ImageName, ServiceName};
use crate::report::{Decision, RunResult};
use crate::step::Step;

use super::conclude::ended;

impl Host {
    /// The artifact catalogue, where host.toml names one; read once.
    ///
    /// # Errors
    /// A usage fault with the place.
    pub fn catalogue(&self) -> Result<Option<&Catalogue>, Fault> {
        let read = || self.config.artifacts.as_deref().map(Catalogue::load).transpose();
        self.catalogue.get_or_init(read).as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// Takes the source of an artifact from the catalogue, where there is one.
    ///
    /// # Errors
    /// A usage fault where catalogue and plugin contradict each other, or the catalogue does not know the service.
    pub(super) fn catalogued(&self, service: &ServiceName, descriptor: &mut Descriptor) -> Result<(), Fault> {
        let (Some(catalogue), Some(file)) = (self.catalogue()?, &self.config.artifacts) else {
            return Ok(());
        };
        sourced(catalogue, file, &self.config.registry.namespace, service, descriptor)
    }

    /// Refuses a summary that is of something else than what is asked for.
    ///
    /// # Errors
    /// A usage fault with the field.
    pub(super) fn summarised(&self, request: &Request, descriptor: &Descriptor) -> Result<(), Fault> {
        let Some(summary) = &request.artifact else { return Ok(()) };
        let repository = repository(&self.config.registry.namespace, &request.service)?;
        let source = &descriptor.source;
        let misfit = summary
            .misfit(&request.service, &request.commit, &repository)
            .or_else(|| {
                (summary.source_repo != source.repository).then(|| {
                    format!(
                        "its sourceRepo is {}, and the service is built from {}",
                        summary.source_repo, source.repository
                    )
                })
            })
            .or_else(|| {
                let dockerfile = source.dockerfile.as_ref()?;
                (summary.dockerfile != *dockerfile).then(|| {
                    format!(
                        "its dockerfile is {}, and the service is built by {dockerfile}",
                        summary.dockerfile
                    )
                })
            });
        match misfit {
            None => Ok(()),
            Some(why) => Err(Fault::usage(
                "artifact-summary",
                format!("the artifact summary does not fit this deploy: {why}"),
                "give the summary that CI printed for this commit, or leave --artifact out",
            )),
        }
    }
}

/// The repository of a service.
///
/// # Errors
/// A usage fault where that is no name.
pub fn repository(namespace: &ImageName, service: &ServiceName) -> Result<ImageName, Fault> {
    let name = format!("{namespace}/{service}");
    ImageName::parse(&name).map_err(|error| {
        Fault::usage("registry", format!("{name}: {error}"), "change namespace under [registry] in host.toml")
    })
}

/// Takes the source of an artifact from a catalogue, which was read from `file`.
///
/// # Errors
/// A usage fault where catalogue and plugin contradict each other, or the catalogue does not know the service.
pub fn sourced(
    catalogue: &Catalogue,
    file: &Path,
    namespace: &ImageName,
    service: &ServiceName,
    descriptor: &mut Descriptor,
) -> Result<(), Fault> {
    let file = file.display();
    let wrong = |what: String, help: String| Err(Fault::usage("catalogue", what, help));
    let Some(entry) = catalogue.entry(service) else {
        return wrong(
            format!("{file} has no entry for {service}, which has a plugin"),
            format!("add {service} to {file}, or remove its plugin"),
        );
    };
    let deployed = repository(namespace, service)?;
    let image = match entry {
        CatalogueEntry::SourceBuild { image, .. } => image,
        CatalogueEntry::UpstreamImage { mirror, .. } => mirror,
    };
    if *image != deployed {
        return wrong(
            format!("{file} says that {service} is published as {image}, and it is deployed from {deployed}"),
            format!(
                "change the image of {service} in {file}: the registry's repositories are named <namespace>/<service>"
            ),
        );
    }
    let CatalogueEntry::SourceBuild { repository, dockerfile, producer, .. } = entry else {
        return Ok(());
    };
    let source = &mut descriptor.source;
    if *repository != source.repository {
        return wrong(
            format!(
                "{file} says that {service} is built from {repository}, and its plugin says {}",
                source.repository
            ),
            format!(
                "if the service moved, change the plugin's source and publish it anew; otherwise change the repository of \
                 {service} in {file}"
            ),
        );
    }
    source.dockerfile.clone_from(dockerfile);
    source.producer.clone_from(producer);
    Ok(())
}

/// Refuses an artifact that is not the one which CI published: the registry serves another digest under the commit.
pub(super) fn republished(request: &Request, steps: &[Step]) -> Option<RunResult> {
    let summary = request.artifact.as_ref()?;
    let (step, served) = steps.iter().find_map(|step| match &step.outcome {
        Ok(Answer::Artifact(artifact)) => Some((step, artifact.identity.as_ref()?.served())),
        _ => None,
    })?;
    if *served == summary.digest {
        return None;
    }
    let message = format!(
        "the registry serves {served} under commit {}, and CI published {}; nothing was changed",
        request.commit, summary.digest
    );
    let mut result = ended(Decision::Failed, "artifact", message, Some(step));
    result.recommended_action = Some(
        "find out who pushed that tag again; publish the commit anew, and deploy with its summary".to_owned(),
    );
    Some(result)
}
