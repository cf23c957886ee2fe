//! What is made of what an API server tells: objects as the lab's cluster had them, reduced to what is looked at.

use serde_json::{Value, json};

use super::judge::{Progress, judge};
use super::*;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Two of a Deployment's pods are wanted; revision 2 is rolled out, revision 1 was there before.
struct Told {
    deployment: Value,
    sets: Vec<Value>,
    pods: Vec<Value>,
}

fn owned(kind: &str, name: &str, owner: &str) -> Value {
    let owners =
        json!([{ "apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": owner, "controller": true }]);
    json!({ "name": name, "uid": name, "ownerReferences": owners })
}

fn set(revision: u32, ready: u32) -> Value {
    let name = format!("web-{revision}");
    let mut metadata = owned("Deployment", &name, "web");
    metadata["annotations"] = json!({ "deployment.kubernetes.io/revision": revision.to_string() });
    let container = json!({ "name": "web", "image": format!("registry/web:{revision}") });
    json!({
        "metadata": metadata,
        "spec": { "selector": {}, "template": { "spec": { "containers": [container] } } },
        "status": { "replicas": ready, "readyReplicas": ready },
    })
}

/// A pod whose container is in this state.
fn pod(name: &str, set: &str, ready: bool, restarts: u32, state: &Value) -> Value {
    json!({
        "metadata": owned("ReplicaSet", name, set),
        "status": {
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
            "containerStatuses": [{
                "name": "web", "image": "registry/web:2", "imageID": format!("registry/web@{DIGEST}"),
                "ready": ready, "restartCount": restarts, "state": state,
            }],
        },
    })
}

fn running() -> Value {
    json!({ "running": {} })
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason, "message": "so\u{1b}[2J it is" } })
}

impl Told {
    fn rolled_out() -> Self {
        Self {
            deployment: json!({
                "metadata": {
                    "name": "web", "uid": "web", "generation": 2,
                    "annotations": { "deployment.kubernetes.io/revision": "2" },
                },
                "spec": { "replicas": 2, "selector": {}, "template": {} },
                "status": {
                    "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
                    "availableReplicas": 2,
                },
            }),
            sets: vec![set(1, 0), set(2, 2)],
            pods: ["a", "b"].map(|name| pod(name, "web-2", true, 0, &running())).into(),
        }
    }

    /// The second pod is in this state.
    fn but_one(restarts: u32, state: &Value) -> Self {
        let mut told = Self::rolled_out();
        told.pods[1] = pod("b", "web-2", false, restarts, state);
        told.deployment["status"]["availableReplicas"] = json!(1);
        told
    }

    fn seen<T>(&self, look: impl FnOnce(Seen<'_>) -> T) -> T {
        let read = |values: &[Value]| values.iter().map(read).collect::<Vec<ReplicaSet>>();
        let pods: Vec<Pod> = self.pods.iter().map(self::read).collect();
        let (deployment, sets): (Deployment, _) = (self::read(&self.deployment), read(&self.sets));
        look(Seen::of(&deployment, "web", sets.iter(), pods.iter()))
    }

    fn judged(&self) -> Progress {
        self.seen(|seen| judge(&seen))
    }

    fn note(&self) -> String {
        match self.judged() {
            Progress::Waiting { note, .. } => note,
            Progress::Done => panic!("done"),
        }
    }

    fn trouble(&self) -> Trouble {
        match self.judged() {
            Progress::Waiting { trouble: Some(trouble), .. } => trouble,
            other => panic!("{other:?}"),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object")
}

#[test]
fn a_rollout_is_done_when_everything_is_new_and_ready_and_the_pods_say_so_too() {
    let told = Told::rolled_out();
    assert_eq!(told.judged(), Progress::Done);
    let pods = told.seen(|seen| seen.answer());
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.ready && pod.image_digest.as_deref() == Some(DIGEST)), "{pods:?}");

    let changed = |pointer: &str, value: u32| {
        let mut told = Told::rolled_out();
        *told.deployment.pointer_mut(pointer).expect("a field") = json!(value);
        told.note()
    };
    assert!(changed("/metadata/generation", 3).ends_with("is it running?"));
    assert_eq!(changed("/status/updatedReplicas", 1), "2 of 2 new pods ready (a, b), 1 old one left");
    assert_eq!(changed("/status/replicas", 3), "2 of 2 new pods ready (a, b), 1 old one left");
    assert_eq!(changed("/status/availableReplicas", 1), "2 of 2 new pods ready (a, b)");
    let mut untold = Told::rolled_out();
    untold.pods.pop();
    assert_eq!(untold.note(), "1 of 2 new pods ready (a)");
}

#[test]
fn pods_of_others_and_those_that_go_do_not_count() {
    let mut told = Told::rolled_out();
    told.pods.push(pod("old", "web-1", false, 9, &waiting("CrashLoopBackOff")));
    told.pods.push(pod("foreign", "other-2", false, 9, &waiting("CrashLoopBackOff")));
    let mut going = pod("going", "web-2", false, 0, &running());
    going["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    told.pods.push(going);
    assert_eq!(told.judged(), Progress::Done);
}

#[test]
fn what_cannot_get_better_ends_the_wait_and_what_may_does_not() {
    let patience = |restarts, state: &Value| Told::but_one(restarts, state).trouble().patience;
    assert!(patience(0, &waiting("ErrImagePull")) > Some(Duration::ZERO));
    assert_eq!(patience(0, &waiting("ImagePullBackOff")), Some(Duration::ZERO));
    assert_eq!(patience(1, &waiting("CrashLoopBackOff")), None);
    assert_eq!(patience(2, &waiting("CrashLoopBackOff")), Some(Duration::ZERO));
    assert_eq!(patience(0, &waiting("ContainerCreating")), None);
    assert_eq!(patience(3, &running()), None);
    let trouble = Told::but_one(0, &waiting("ImagePullBackOff")).trouble();
    assert_eq!(
        trouble.what,
        "pod b: the image registry/web:2 of its container web cannot be had (ImagePullBackOff: so\\u{1b}[2J it is)"
    );
    let trouble = Told::but_one(3, &running()).trouble();
    assert_eq!(trouble.what, "pod b: its container web runs and is not ready, and was started again 3 times");
}

#[test]
fn a_quota_is_waited_for_while_an_old_pod_is_going() {
    let mut told = Told::but_one(0, &running());
    told.pods.pop();
    told.deployment["status"]["conditions"] = json!([{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: few",
    }]);
    let trouble = told.trouble();
    assert_eq!(trouble.what, "a new pod may not be made (FailedCreate: exceeded quota: few)");
    assert!(trouble.patience.is_some());
    let mut going = pod("going", "web-1", true, 0, &running());
    going["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    told.pods.push(going);
    assert_eq!(told.trouble().patience, None);
}

#[test]
fn the_worst_comes_first_and_the_revisions_that_serve_are_named() {
    let mut told = Told::but_one(0, &waiting("ImagePullBackOff"));
    told.pods[0] = pod("a", "web-2", false, 0, &running());
    assert!(told.trouble().what.starts_with("pod b:"));
    told.deployment["status"]["conditions"] =
        json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded" }]);
    assert!(told.trouble().what.ends_with("; the Deployment's own progress deadline passed"));
    told.sets = vec![set(1, 2), set(2, 0)];
    assert_eq!(
        told.seen(|seen| seen.serving()),
        "what serves now: revision 1 (registry/web:1, 2 ready pods)"
    );
    told.sets = vec![set(2, 0)];
    assert_eq!(told.seen(|seen| seen.serving()), "nothing serves now: no pod is ready");
}
