//! Why a rollout did not end well, as `kubectl describe` would tell it: what keeps it, the last words of a container that
//! crashed, the last event, and which revision serves.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::Rollout;
use super::seen::Seen;
use super::trouble::{Object, Trouble};
use crate::answer::CallError;
use crate::backend::live::kubernetes::mirror::PATIENCE;
use crate::words::{plain, seconds};

/// Longest message of an event that is repeated, in characters.
const SHOWN: usize = 400;
/// Last lines of a container's log that are repeated.
const LINES: i64 = 10;
/// Most of them, in bytes.
const LOG_BYTES: i64 = 2000;
/// Events that say what the state of a pod does not; others repeat it, or are about something else.
const TELLING: [&str; 6] =
    ["Unhealthy", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Evicted", "Preempted"];
/// Events of one object that are looked at.
const EVENTS: u32 = 50;

impl Rollout<'_> {
    /// The error that a rollout ends with.
    pub(super) async fn told(&self, seen: &Seen<'_>, why: Option<&Trouble>, late: bool) -> CallError {
        let within = if late { format!(" within {}", seconds(self.within)) } else { String::new() };
        let kept = match why {
            Some(why) => format!(": {}{}", why.what, self.more(why).await),
            None => String::new(),
        };
        let text = format!(
            "{} was not rolled out{within}{kept}; {}; {}",
            self.target(),
            seen.serving(),
            self.hint(why)
        );
        if why.is_none_or(|why| why.passes) {
            CallError::Unavailable(text)
        } else {
            CallError::Mismatch(text)
        }
    }

    async fn more(&self, why: &Trouble) -> String {
        let Some(object) = &why.events_of else { return String::new() };
        let log = match &why.log_of {
            Some(container) => self.log(&object.name, container).await,
            None => String::new(),
        };
        log + &self.last_event(object, why).await
    }

    fn hint(&self, why: Option<&Trouble>) -> String {
        let deployment = &self.call.deployment;
        let (kind, name) = match why.and_then(|why| why.events_of.as_ref()) {
            Some(object) => (object.kind, object.name.as_str()),
            None => ("deployment", deployment.name.as_str()),
        };
        format!("`kubectl describe {kind} {name} --namespace {}` tells more", deployment.namespace)
    }

    /// The last words of a container. They are the service's own, and go nowhere but into this text.
    async fn log(&self, pod: &str, container: &str) -> String {
        let pods: Api<Pod> = self.api();
        let parameters = |previous| LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(LINES),
            limit_bytes: Some(LOG_BYTES),
            ..LogParams::default()
        };
        let what = format!("reading the log of pod {pod}");
        // Of the run that crashed; the one after it may not have begun.
        let (before, now) = (parameters(true), parameters(false));
        let mut read = self.connected.asked(&what, PATIENCE, pods.logs(pod, &before)).await;
        if read.is_err() {
            read = self.connected.asked(&what, PATIENCE, pods.logs(pod, &now)).await;
        }
        match read {
            Ok(log) => last_words(&log),
            Err(error) => format!("; its log cannot be read: {}", error.message()),
        }
    }

    /// The last warning about an object that says something new.
    async fn last_event(&self, object: &Object, why: &Trouble) -> String {
        let events: Api<Event> = self.api();
        let selector = format!("involvedObject.uid={},type=Warning", object.uid);
        let asked = ListParams::default().fields(&selector).limit(EVENTS);
        let what = format!("reading the events of {} {}", object.kind, object.name);
        match self.connected.asked(&what, PATIENCE, events.list(&asked)).await {
            Ok(found) => newest(&found.items, why),
            Err(error) => format!("; its events cannot be read: {}", error.message()),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.connected.client.clone(), self.call.deployment.namespace.as_str())
    }
}

/// `; its last words: "…"`, a line of it in each of the quotes.
fn last_words(log: &str) -> String {
    let lines: Vec<_> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(usize::try_from(LINES).unwrap_or_default());
    let shown: Vec<_> = lines[last..].iter().map(|line| format!("\n  | {}", plain(line, SHOWN))).collect();
    if shown.is_empty() {
        return "; it logged nothing".to_owned();
    }
    format!("; its last words:{}\n", shown.concat())
}

fn newest(events: &[Event], why: &Trouble) -> String {
    // Whoever asked a container just before it crashed learns nothing that the crash does not say.
    let ended = why.log_of.is_some();
    let empty = |message: &str| ended && message.starts_with("Readiness probe");
    let at = |event: &Event| {
        event.last_timestamp.as_ref().map(|time| time.0).or(event.event_time.as_ref().map(|time| time.0))
    };
    let said = |event: &&Event| {
        let message = plain(event.message.as_deref().unwrap_or_default(), SHOWN);
        let telling = event.reason.as_deref().is_some_and(|reason| TELLING.contains(&reason));
        telling && !message.is_empty() && !why.what.contains(&message) && !empty(&message)
    };
    let newest = events.iter().filter(said).max_by_key(|event| at(event));
    newest.map_or_else(String::new, |event| {
        let reason = plain(event.reason.as_deref().unwrap_or("Warning"), SHOWN);
        let message = plain(event.message.as_deref().unwrap_or_default(), SHOWN);
        format!("; {reason}: {message}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(reason: &str, message: &str) -> Event {
        Event { reason: Some(reason.to_owned()), message: Some(message.to_owned()), ..Event::default() }
    }

    fn trouble(what: &str, log_of: Option<&str>) -> Trouble {
        let log_of = log_of.map(str::to_owned);
        Trouble { what: what.to_owned(), patience: None, passes: false, events_of: None, log_of }
    }

    #[test]
    fn an_event_is_told_that_says_something_new() {
        let refused = [warning("Unhealthy", "Readiness probe failed: connection refused")];
        let killed = [warning("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")];
        let runs = trouble("it runs and is not ready", None);
        let crashed = trouble("it crashed 3 times", Some("app"));
        assert_eq!(newest(&refused, &runs), "; Unhealthy: Readiness probe failed: connection refused");
        assert_eq!(newest(&refused, &crashed), "");
        assert!(newest(&killed, &crashed).contains("Liveness"));
        assert_eq!(newest(&[warning("BackOff", "Back-off restarting failed container")], &crashed), "");
        assert_eq!(newest(&[warning("Evicted", "no memory")], &trouble("Evicted: no memory", None)), "");
    }
}
