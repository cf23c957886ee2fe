//! The lock of a service in a namespace: a Lease that its holder renews. It lives with the target, so it holds between all
//! operators, and is free again soon after a holder was killed.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Error};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::cluster::{Connected, PATIENCE};
use crate::answer::CallError;
use crate::names::{KubernetesName, RuntimeName, ServiceName};
use crate::words::{plain, seconds};

/// How long a Lease holds that nobody renews.
const LASTS: Duration = Duration::from_secs(15);
/// How often its holder renews it.
const RENEWED: Duration = Duration::from_secs(5);
/// How long giving it back may take: without that it is free a little later.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often somebody else may be faster before this one gives up.
const TRIES: u32 = 5;
/// Longest holder that is written or told, in characters.
const SHOWN: usize = 200;

/// A Lease that is held until this value is gone. A dry run takes none.
#[derive(Debug)]
pub struct Lease {
    held: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
    loss: Loss,
}

/// Why a Lease is held no more, though nobody gave it back; empty while all is well.
pub type Loss = Arc<OnceLock<String>>;

impl Lease {
    /// Takes that of `service` in `namespace`; `holder` is what others are told.
    ///
    /// # Errors
    /// `Unavailable` while somebody else holds it, with who; `Unreachable` for an API server that does not answer.
    pub async fn take(
        connected: &Connected,
        runtime: &RuntimeName,
        namespace: &KubernetesName,
        service: &ServiceName,
        holder: &str,
    ) -> Result<Self, CallError> {
        let claim = Claim {
            api: Api::namespaced(connected.client.clone(), namespace.as_str()),
            name: format!("host-{service}"),
            holder: plain(holder, SHOWN),
        };
        let what = format!("taking the Lease {namespace}/{} of {runtime}", claim.name);
        let busy = |who: &str| {
            CallError::Unavailable(format!(
                "another deploy of {service} is in progress ({}); it holds the Lease {namespace}/{} of {runtime}, try again \
                 when it has ended",
                plain(who, SHOWN),
                claim.name
            ))
        };
        let failed = |error: &Error| away(connected.failed(&what, error));
        let mut silent = None;
        for _ in 0..TRIES {
            let found =
                connected.asked(&what, PATIENCE, claim.api.get_opt(&claim.name)).await.map_err(away)?;
            if let Some((object, who)) = found.as_ref().and_then(|object| Some((object, holder_of(object)?)))
            {
                if !seems_dead(object, jiff::Timestamp::now()) {
                    return Err(busy(who));
                }
                let version = object.metadata.resource_version.clone();
                if silent != version {
                    // Clocks differ. A holder that lives renews it while it is watched.
                    silent = version;
                    sleep(RENEWED + Duration::from_secs(1)).await;
                    continue;
                }
            }
            let taken = match found {
                None => timeout(PATIENCE, claim.api.create(&params(), &claim.first())).await,
                Some(object) => timeout(PATIENCE, claim.replace(&claim.next(object))).await,
            };
            match taken {
                Ok(Ok(object)) => return Ok(claim.kept(object)),
                Ok(Err(Error::Api(status))) if status.code == CONFLICT => {}
                Ok(Err(error)) => return Err(failed(&error)),
                Err(_) => return Err(away(connected.silent(&what, PATIENCE))),
            }
        }
        Err(busy("somebody who was faster"))
    }

    /// Why it is lost, as soon as it is.
    pub fn loss(&self) -> Loss {
        Arc::clone(&self.loss)
    }

    /// Gives it back; comes back when others can have it.
    pub async fn release(self) {
        drop(self.held);
        // It is free a little later all the same.
        let _ = timeout(GOODBYE, self.keeper).await;
    }
}

/// The API server's code for an object that is not as it was, or is there already.
const CONFLICT: u16 = 409;
/// Its code for an object that is not there.
const MISSING: u16 = 404;

/// Who wants which Lease.
struct Claim {
    api: Api<Object>,
    name: String,
    holder: String,
}

/// Why a Lease was not renewed.
enum Unrenewed {
    /// It is somebody else's, or gone.
    Lost(String),
    /// Nobody knows.
    Unsure(String),
}

impl Claim {
    fn first(&self) -> Object {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        self.next(Object { metadata, spec: None })
    }

    /// The same object with this holder.
    fn next(&self, object: Object) -> Object {
        let now = Some(MicroTime(jiff::Timestamp::now()));
        let transitions =
            object.spec.as_ref().map(|spec| spec.lease_transitions.unwrap_or(0).saturating_add(1));
        let spec = LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: transitions,
            ..LeaseSpec::default()
        };
        Object { spec: Some(spec), ..object }
    }

    /// Writes it, if it is still as it was read.
    async fn replace(&self, object: &Object) -> Result<Object, Error> {
        self.api.replace(&self.name, &params(), object).await
    }

    fn kept(self, object: Object) -> Lease {
        let (held, given_back) = oneshot::channel();
        let loss = Loss::default();
        let keeper = tokio::spawn(self.keep(object, given_back, Arc::clone(&loss)));
        Lease { held, keeper, loss }
    }

    async fn keep(self, mut object: Object, mut given_back: oneshot::Receiver<()>, loss: Loss) {
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                biased;
                _ = &mut given_back => break,
                () = sleep(RENEWED) => {}
            }
            let answer = timeout(RENEWED, self.renewed(object.clone())).await;
            let unsure = match answer {
                Ok(Ok(newer)) => {
                    (object, renewed) = (newer, Instant::now());
                    continue;
                }
                Ok(Err(Unrenewed::Lost(why))) => {
                    // It is set once.
                    let _ = loss.set(why);
                    return;
                }
                Ok(Err(Unrenewed::Unsure(why))) => why,
                Err(_) => format!("there was no answer within {}", seconds(RENEWED)),
            };
            // Somebody else may have it before the next try.
            if renewed.elapsed() + RENEWED >= LASTS {
                let _ = loss.set(format!("it could not be renewed: {unsure}"));
                return;
            }
        }
        if let Some(spec) = &mut object.spec {
            spec.holder_identity = None;
        }
        // It is free a little later all the same.
        let _ = timeout(GOODBYE, self.replace(&object)).await;
    }

    async fn renewed(&self, mut object: Object) -> Result<Object, Unrenewed> {
        let unsure = |error: &Error| Unrenewed::Unsure(plain(&error.to_string(), SHOWN));
        for _ in 0..TRIES {
            if let Some(spec) = &mut object.spec {
                spec.renew_time = Some(MicroTime(jiff::Timestamp::now()));
            }
            match self.replace(&object).await {
                Ok(newer) => return Ok(newer),
                Err(Error::Api(status)) if status.code == MISSING => {
                    return Err(Unrenewed::Lost("somebody removed it".to_owned()));
                }
                Err(Error::Api(status)) if status.code == CONFLICT => {}
                Err(error) => return Err(unsure(&error)),
            }
            // Somebody wrote to it: a note, or another holder.
            match self.api.get_opt(&self.name).await {
                Ok(Some(found)) => match holder_of(&found) {
                    Some(holder) if holder == self.holder => object = found,
                    Some(other) => return Err(Unrenewed::Lost(format!("{} holds it", plain(other, SHOWN)))),
                    None => return Err(Unrenewed::Lost("somebody took it away".to_owned())),
                },
                Ok(None) => return Err(Unrenewed::Lost("somebody removed it".to_owned())),
                Err(error) => return Err(unsure(&error)),
            }
        }
        Err(Unrenewed::Unsure("somebody else keeps writing to it".to_owned()))
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some("host".to_owned()), ..PostParams::default() }
}

/// Who holds it; nobody where it was given back.
fn holder_of(object: &Object) -> Option<&str> {
    object.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Whether nobody renewed it for as long as it lasts, as far as this machine's clock tells.
fn seems_dead(object: &Object, now: jiff::Timestamp) -> bool {
    let Some(spec) = &object.spec else { return true };
    let Some(MicroTime(renewed)) = &spec.renew_time else { return true };
    let lasts = spec.lease_duration_seconds.map_or(LASTS.as_secs(), |lasts| u64::from(lasts.unsigned_abs()));
    now.duration_since(*renewed).unsigned_abs() > Duration::from_secs(lasts)
}

/// A lock that cannot be asked for is no lock that somebody holds: waiting for it would not help.
fn away(error: CallError) -> CallError {
    match error {
        CallError::Unavailable(text) => CallError::Unreachable { text, retryable: true },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>, renewed: Option<&str>) -> Object {
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            renew_time: renewed.map(|at| MicroTime(at.parse().expect("a time"))),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Object { spec: Some(spec), ..Object::default() }
    }

    #[test]
    fn one_that_was_given_back_has_no_holder() {
        assert_eq!(holder_of(&lease(Some("ann on laptop runs 1"), None)), Some("ann on laptop runs 1"));
        assert_eq!(holder_of(&lease(Some(""), None)), None);
        assert_eq!(holder_of(&lease(None, None)), None);
        assert_eq!(holder_of(&Object::default()), None);
    }

    #[test]
    fn one_that_nobody_renews_seems_dead_whichever_clock_is_wrong() {
        let dead = |now: &str| {
            let lease = lease(Some("ann"), Some("2026-11-21T09:00:00.25Z"));
            seems_dead(&lease, now.parse().expect("a time"))
        };
        assert!(!dead("2026-11-21T09:00:15Z"));
        assert!(dead("2026-11-21T09:00:16Z"));
        assert!(!dead("2026-11-21T08:59:50Z"));
        assert!(dead("2026-11-21T08:30:00Z"), "a clock that is far behind would wait for ever");
        assert!(seems_dead(&lease(Some("ann"), None), jiff::Timestamp::now()));
    }

    #[test]
    fn an_api_server_that_does_not_answer_is_nobody_to_wait_for() {
        assert!(matches!(
            away(CallError::Unavailable("x".to_owned())),
            CallError::Unreachable { retryable: true, .. }
        ));
        assert!(matches!(away(CallError::Other("x".to_owned())), CallError::Other(_)));
    }
}
