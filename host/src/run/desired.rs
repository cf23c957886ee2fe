//! The desired state as a guardrail: what runs in prod is what the desired state names, unless somebody says why not
//! (specification: the registry is no replacement for `deploy.json`).

use super::conclude::ended;
use super::{Host, Request};
use crate::config::Desired;
use crate::fault::Fault;
use crate::names::Commit;
use crate::report::{Decision, DesiredPart, Mode, RunResult};

/// The environment that the desired state binds.
const BOUND: &str = "prod";

impl Host {
    /// The desired state, where host.toml names one; read once.
    ///
    /// # Errors
    /// A usage fault that lists everything that is wrong with it.
    pub fn desired(&self) -> Result<Option<&Desired>, Fault> {
        let read = || {
            let Some(file) = &self.config.desired else { return Ok(None) };
            Desired::load(file, &self.service_names()?, self.policy.environments()).map(Some)
        };
        self.desired.get_or_init(read).as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// The commit that it names for what is deployed, whichever environment that is.
    pub(super) fn pinned(&self, request: &Request) -> Result<Option<Commit>, Fault> {
        let desired = self.desired()?;
        Ok(desired.and_then(|desired| desired.commit(&request.environment, &request.service)).cloned())
    }

    /// What the desired state says of a request that it binds.
    pub(super) fn wanted(&self, request: &Request) -> Result<Option<DesiredPart>, Fault> {
        if request.environment.as_str() != BOUND {
            return Ok(None);
        }
        Ok(self.pinned(request)?.map(|commit| DesiredPart {
            matches: commit == request.commit,
            commit,
            reason: request.override_desired.clone(),
        }))
    }

    /// Why a commit is refused that is not the desired one. What only looks shows the difference, and everything else.
    pub(super) fn undesired(&self, request: &Request) -> Result<Option<RunResult>, Fault> {
        let Some(wanted) = self.wanted(request)? else { return Ok(None) };
        if wanted.is_respected() || request.mode != Mode::Live {
            return Ok(None);
        }
        let message = format!(
            "the desired state wants commit {} of {} in {}, and {} was asked for; nothing was changed",
            wanted.commit, request.service, request.environment, request.commit
        );
        let mut result = ended(Decision::Blocked, "undesired", message, None);
        result.recommended_action = Some(
            "deploy the desired commit, change the desired state, or say why not: --override-desired REASON"
                .to_owned(),
        );
        Ok(Some(result))
    }
}
