//! Which images an engine has under a name, since when, and what its containers hold on to.

use std::collections::{BTreeSet, HashMap};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder};
use jiff::Timestamp;

use super::Engine;
use crate::answer::CallError;
use crate::names::ImageName;

impl Engine {
    /// Every name `repository:tag` in this one repository, and what the engine calls its image.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn names_in(&self, repository: &ImageName) -> Result<Vec<(String, String)>, CallError> {
        let filters = HashMap::from([("reference", vec![repository.to_string()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let what = format!("listing the images called {repository}");
        let found = self.call(&what, self.docker.list_images(Some(options))).await?;
        let names = found.into_iter().flat_map(|image| {
            let id = image.id;
            image.repo_tags.into_iter().map(move |name| (name, id.clone()))
        });
        // An image that has a name there is listed with all of its names.
        let prefix = format!("{repository}:");
        Ok(names.filter(|(name, _)| name.starts_with(&prefix)).collect())
    }

    /// When the image called `name` last got a name in this engine, or, where nobody knows, when it was made; nothing where
    /// nobody knows that either, or there is no such image.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn named_at(&self, name: &str) -> Result<Option<Timestamp>, CallError> {
        let what = format!("looking at image {name}");
        let Some(found) = self.found(&what, self.docker.inspect_image(name)).await? else { return Ok(None) };
        let time = |text: Option<String>| {
            // The year 1 is how an engine writes that it does not know.
            text?.parse::<Timestamp>().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
        };
        Ok(time(found.metadata.and_then(|metadata| metadata.last_tag_time)).or_else(|| time(found.created)))
    }

    /// By what the containers here, running or not, know their images: names and ids.
    ///
    /// # Errors
    /// `Unavailable`, or what the engine answered.
    pub async fn images_in_use(&self) -> Result<BTreeSet<String>, CallError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let found = self.call("listing the containers", self.docker.list_containers(Some(options))).await?;
        Ok(found.into_iter().flat_map(|one| [one.image, one.image_id]).flatten().collect())
    }
}
