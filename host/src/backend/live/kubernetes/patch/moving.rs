//! The patch of one Deployment as it is sent: again where something else was written meanwhile, never over somebody's change.

use kube::Error;
use kube::api::Patch;
use kube::core::DynamicObject;

use super::found::Found;
use super::state::Stands;
use super::{Patching, as_written, changed, document, params, patching};
use crate::answer::CallError;
use crate::backend::change::Unmade;
use crate::backend::live::kubernetes::cluster::PATIENCE;
use crate::operation::Deployment;
use crate::words::seconds;

/// How often a patch is tried again because something else of the Deployment, such as its status, was written meanwhile.
const TRIES: u32 = 10;

impl Patching<'_> {
    /// Makes a Deployment that was found as it is stand as `wanted`. A write that left its template alone, such as that of
    /// its status, is no conflict; any other one is.
    pub(super) async fn moved(
        &self,
        named: &Deployment,
        from: &Found,
        wanted: &Stands,
    ) -> Result<Found, Unmade> {
        let mut version = from.version.clone();
        let restarts = from.stands.restarts.keys();
        let gone: Vec<String> = restarts.filter(|key| !wanted.restarts.contains_key(*key)).cloned().collect();
        for _ in 0..TRIES {
            let error = match self.patched(named, wanted, &version, &gone).await {
                Ok(object) => return self.written(&object, named, wanted),
                Err(NotPatched::Refused(error)) => return Err(error.into()),
                Err(NotPatched::TooLate) => None,
                Err(NotPatched::Unclear(error)) => Some(error),
            };
            // A patch without an answer may have been made all the same, so what is there decides.
            let now = self.found(named).await.map_err(|unknown| match &error {
                Some(error) => Unmade { error: also_unknown(error, &unknown, named), left: true },
                None => unknown.into(),
            })?;
            match (standing(&now.stands, &from.stands, wanted), error) {
                (Standing::Made, _) => return Ok(now),
                (Standing::Unchanged, None) => version = now.version,
                (Standing::Unchanged, Some(error)) => return Err(error.into()),
                (Standing::Other, _) => return Err(changed(named, &now.stands, &from.stands).into()),
            }
        }
        Err(CallError::Unavailable(format!(
            "{}: something writes to it without end, {TRIES} patches came too late; `kubectl -n {} get deployment {} -w \
             --show-managed-fields -o yaml` shows what",
            patching(named),
            named.namespace,
            named.name
        ))
        .into())
    }

    async fn patched(
        &self,
        named: &Deployment,
        wanted: &Stands,
        version: &str,
        gone: &[String],
    ) -> Result<DynamicObject, NotPatched> {
        let patch = Patch::Strategic(document::patch(wanted, &named.container, Some(version), gone));
        let (api, params) = (self.api(named), params());
        let asked = api.patch(named.name.as_str(), &params, &patch);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) => Err(match &error {
                Error::Api(status) if status.code == 409 => NotPatched::TooLate,
                Error::Api(status) if status.code < 500 => {
                    NotPatched::Refused(self.connected.failed(&patching(named), &error))
                }
                _ => NotPatched::Unclear(self.connected.failed(&patching(named), &error)),
            }),
            Err(_) => Err(NotPatched::Unclear(CallError::Unavailable(format!(
                "{}: the API server at {} gave no answer within {}",
                patching(named),
                self.connected.address,
                seconds(PATIENCE)
            )))),
        }
    }

    fn written(&self, object: &DynamicObject, named: &Deployment, wanted: &Stands) -> Result<Found, Unmade> {
        let found = Found::read(object, named, &self.keys).and_then(|found| as_written(found, wanted, named));
        found.map_err(|error| Unmade { error, left: true })
    }
}

/// Why a patch has no result.
enum NotPatched {
    /// Something was written since the version that it names.
    TooLate,
    /// It was not made.
    Refused(CallError),
    /// Whether it was made is not known.
    Unclear(CallError),
}

/// What a Deployment is found to be after a patch whose fate is not known, or that came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// As before: whatever was written meanwhile is none of a deploy's business.
    Unchanged,
    /// As the patch makes it.
    Made,
    /// Somebody else changed it.
    Other,
}

pub(super) fn standing(now: &Stands, from: &Stands, wanted: &Stands) -> Standing {
    if now == from {
        Standing::Unchanged
    } else if now.uid == wanted.uid && now.is_like(wanted) && now.run == wanted.run {
        Standing::Made
    } else {
        Standing::Other
    }
}

fn also_unknown(cause: &CallError, unknown: &CallError, named: &Deployment) -> CallError {
    CallError::Unavailable(format!(
        "{}; whether it was made is not known ({}); `kubectl -n {} get deployment {} -o yaml` shows it",
        cause.message(),
        unknown.message(),
        named.namespace,
        named.name
    ))
}
