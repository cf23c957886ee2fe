//! The way through the engine's own pull: by digest, under a passing name that says where the image came from.

use futures_util::StreamExt;
use tokio::time::sleep_until;

use super::progress::Progress;
use super::{Delivered, Delivery, SHOWN, also};
use crate::answer::CallError;
use crate::backend::change::Unmade;
use crate::backend::live::docker::Unpulled;
use crate::backend::live::http::deadline;
use crate::progress::{Interrupt, Watcher};
use crate::words::{plain, seconds};

impl Delivery<'_> {
    /// The name by which the engine knows the image while it is pulled from `source`.
    pub(super) fn passing_name(&self, source: &str) -> String {
        format!("{source}@{}", self.identity.served())
    }

    /// Lets the engine pull from `source`.
    pub(super) async fn pull(
        &self,
        source: &str,
        watcher: &dyn Watcher,
        interrupt: &Interrupt,
    ) -> Result<(), Unpulled> {
        let passing = self.passing_name(source);
        let until = deadline(self.within);
        let mut progress = Progress::new(self.identity.size);
        let mut lines = self.engine.pull(source, self.identity.served());
        let ended = |error| Unpulled { error, unreached: false };
        loop {
            let line = tokio::select! {
                biased;
                () = interrupt.raised() => return Err(ended(CallError::Other(format!(
                    "interrupted while pulling {passing}; the engine stops, and nothing got the name {}", self.name()
                )))),
                // An engine that never pauses does not outrun the deadline.
                () = sleep_until(until) => None,
                line = lines.next() => Some(line),
            };
            match line {
                Some(Some(line)) => progress.tell(&line?, watcher),
                Some(None) => break,
                None => {
                    return Err(ended(CallError::Unavailable(format!(
                        "pulling {passing} took longer than {} (limits.delivery-seconds); nothing got the name {}",
                        seconds(self.within),
                        self.name()
                    ))));
                }
            }
        }
        progress.finish(watcher);
        Ok(())
    }

    /// Checks and names what was pulled from `source`, and takes the name away by which it came.
    pub(super) async fn settle(
        &self,
        source: &str,
        pulled: Result<(), CallError>,
        before: Delivered,
        watcher: &dyn Watcher,
    ) -> Result<Delivered, Unmade> {
        let passing = self.passing_name(source);
        // The engine gives this name when all of the image is there.
        let passed = pulled.is_ok();
        let brought = match pulled {
            Ok(()) => match self.arrived(&passing).await {
                Ok(image) => self.name_it(&image).await,
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        };
        let removed = if before.passing { Ok(()) } else { self.engine.untag(&passing).await };
        let Err(error) = removed else {
            return brought.map(|image| Delivered { image, ..before });
        };
        let more = format!("the name {passing} may be left behind: {error}");
        match brought {
            // The image is delivered all the same; a second name for it does no harm.
            Ok(image) => {
                watcher.note(&more);
                Ok(Delivered { image, passing: true, ..before })
            }
            Err(cause) => Err(Unmade { error: also(cause.error, &more), left: cause.left || passed }),
        }
    }

    /// The image called `passing` by what the engine calls it, once it is known to be the registry's.
    async fn arrived(&self, passing: &str) -> Result<String, CallError> {
        let arrived = self.engine.image(passing).await?.ok_or_else(|| {
            CallError::Other(format!(
                "the Docker engine said that {passing} was pulled, but has no such image; look at the engine's log"
            ))
        })?;
        if self.identity.is_called(&arrived.id) {
            return Ok(arrived.id);
        }
        Err(CallError::Mismatch(format!(
            "the Docker engine pulled {passing}, but calls it {}, where the registry's image is {}; something between the \
             registry and the engine changes images: nothing got the name {}",
            plain(&arrived.id, SHOWN),
            self.engine.id_of(self.identity),
            self.name()
        )))
    }
}
