//! The way back from a patch, whole or half done.

use super::Patching;
use super::found::place;
use super::state::{PatchState, Stands};
use crate::answer::CallError;
use crate::backend::change::Unmade;
use crate::backend::live::delivery::also;
use crate::operation::Deployment;
use crate::progress::Watcher;

impl Patching<'_> {
    /// Takes back what was patched before `cause` came up; `made` is how those stand, in their order.
    pub(super) async fn retreat(
        &self,
        cause: Unmade,
        before: &PatchState,
        made: &[Stands],
        watcher: &dyn Watcher,
    ) -> Unmade {
        let Unmade { error, left: unclear } = cause;
        // The one that failed is among them where something of it may be there.
        let touched = made.len() + usize::from(unclear);
        if touched == 0 {
            return Unmade { error: also(error, "no Deployment was changed"), left: false };
        }
        let left = self.go_back(before, touched, &|at| made.get(at), watcher).await;
        if left.is_empty() {
            return Unmade { error: also(error, "what was patched was taken back"), left: false };
        }
        let error = also(error, &format!("could not be taken back: {}", left.join("; ")));
        Unmade { error, left: true }
    }

    /// Puts the first `count` of them back, last first, whatever else fails; what could not is returned in words.
    pub(super) async fn go_back<'a>(
        &self,
        before: &PatchState,
        count: usize,
        after: &(dyn Fn(usize) -> Option<&'a Stands> + Sync),
        watcher: &dyn Watcher,
    ) -> Vec<String> {
        let mut left = Vec::new();
        for (at, (named, old)) in
            self.call.deployments.iter().zip(&before.deployments).enumerate().take(count).rev()
        {
            watcher.note(&format!("taking the patch of {} back", place(named)));
            if let Err(error) = self.back(named, old, after(at)).await {
                left.push(error.message().to_owned());
            }
        }
        left
    }

    /// Going back over what somebody else did since would undo their work; being back already is well.
    async fn back(&self, named: &Deployment, old: &Stands, after: Option<&Stands>) -> Result<(), CallError> {
        let found = self.found(named).await?;
        let now = &found.stands;
        if now == old {
            return Ok(());
        }
        let ours = match after {
            Some(after) => now == after,
            None => now.uid == old.uid && now.is_like(&self.wanted(named, old)),
        };
        if !ours {
            let how = now.difference(after.unwrap_or(old)).unwrap_or_default();
            return Err(CallError::Mismatch(format!(
                "{} was changed by somebody else since: {how}; it was left as it is",
                place(named)
            )));
        }
        let back = self.moved(named, &found, old).await.map_err(|unmade| unmade.error)?;
        match back.stands.difference(old) {
            None => Ok(()),
            Some(how) => {
                Err(CallError::Mismatch(format!("{} runs what it ran before, and yet {how}", place(named))))
            }
        }
    }
}
