//! The commits that are published to be deployed.

use lab::{Behaviour, Result, SampleImage, image, sample};

/// Of one service.
pub struct Commits {
    /// Its name.
    pub service: &'static str,
    /// Well.
    pub first: String,
    /// Well, too.
    pub second: String,
    /// Never gets healthy.
    pub failing: String,
}

impl Commits {
    /// As everywhere, another program is another commit: a deployed commit never changes what it contains.
    pub fn of(service: &'static str) -> Result<Self> {
        let program = sample::bytes()?;
        let commit = |name: &str| image::commit_of(&[service.as_bytes(), name.as_bytes(), &program].concat());
        let (first, second) = (commit("the first"), commit("the second"));
        Ok(Self { service, first, second, failing: commit("never gets healthy") })
    }

    /// What is published of them.
    pub fn images(&self) -> [SampleImage; 3] {
        let image = |commit| SampleImage::new(self.service, commit);
        [image(&self.first), image(&self.second), image(&self.failing).behaviour(Behaviour::NeverReady)]
    }
}
