use serde_json::{Value, json};

use super::*;
use crate::artifact::Pair;
use crate::names::{Commit, Digest, EnvKey, ImageName, KubernetesName, LabelKey, PlainValue, ServiceName};
use crate::operation::{ArtifactRef, Deployment};

const COMMIT: &str = "2222222222222222222222222222222222222222";

fn pair<K>(key: K) -> Pair<K> {
    Pair { key, value: PlainValue::parse(COMMIT).expect("plain") }
}

fn artifact() -> Artifact {
    Artifact {
        service: ServiceName::parse("web").expect("a service"),
        commit: Commit::parse(COMMIT).expect("a commit"),
        repository: ImageName::parse("unidesk/web").expect("a repository"),
        identity: Some(Identity {
            index: None,
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: Vec::new(),
            size: 0,
        }),
        labels: vec![pair(LabelKey::parse("org.x/revision").expect("a label"))],
    }
}

fn call() -> ExpectWorkload {
    let name = |text: &str| KubernetesName::parse(text).expect("a name");
    ExpectWorkload {
        artifact: ArtifactRef::from(&artifact()),
        runtime: "d601-k3s".parse().expect("a runtime"),
        deployment: Deployment { namespace: name("dev"), name: name("web"), container: name("web") },
        labels: artifact().labels,
        stamp: vec![pair(EnvKey::parse("UNIDESK_DEPLOY_COMMIT").expect("a key"))],
    }
}

/// A pod whose container runs `image_id`, stamped with `commit`; with a sidecar that is nobody's business.
fn pod(image_id: &str, commit: &str) -> Value {
    let env = json!([{ "name": "UNIDESK_DEPLOY_COMMIT", "value": commit }]);
    json!({
        "metadata": { "annotations": { "UNIDESK_DEPLOY_COMMIT": commit } },
        "spec": { "containers": [{ "name": "proxy" }, { "name": "web", "env": env }] },
        "status": { "containerStatuses": [
            { "name": "proxy", "image": "p", "imageID": "x@sha256:1", "ready": true, "restartCount": 0 },
            { "name": "web", "image": "w", "imageID": image_id, "ready": true, "restartCount": 0 },
        ]},
    })
}

/// Pointer, what was found, and whether it is well.
fn checked(pods: &[Value], call: &ExpectWorkload) -> Vec<(String, Option<String>, bool)> {
    let pods: Vec<Pod> = pods.iter().map(|pod| serde_json::from_value(pod.clone()).expect("a pod")).collect();
    let artifact = artifact();
    let checks = checks(&pods, call, &artifact, identity(&artifact).expect("an identity")).expect("checks");
    let found = |check: &Check| match &check.found {
        Some(Literal::Text(text)) => Some(text.clone()),
        _ => None,
    };
    checks.iter().map(|check| (check.pointer.to_string(), found(check), check.satisfied)).collect()
}

fn good() -> Value {
    pod(&format!("127.0.0.1:5000/unidesk/web@{}", Digest::of(b"manifest")), COMMIT)
}

#[test]
fn pods_that_run_the_artifact_have_its_labels_and_its_stamp() {
    let well = |at: &str, found: &str| (at.to_owned(), Some(found.to_owned()), true);
    let expected = [
        well("/image", Digest::of(b"manifest").as_str()),
        well("/labels/org.x~1revision", COMMIT),
        well("/env/UNIDESK_DEPLOY_COMMIT", COMMIT),
        well("/annotations/UNIDESK_DEPLOY_COMMIT", COMMIT),
    ];
    assert_eq!(checked(&[good(), good()], &call()), expected);
    // containerd knows it by its configuration where the name with the digest is gone.
    assert_eq!(checked(&[pod(Digest::of(b"config").as_str(), COMMIT)], &call()), expected);
}

#[test]
fn one_pod_that_runs_something_else_is_enough() {
    let other = pod("127.0.0.1:5000/unidesk/web@sha256:0", "main");
    let wrong = |at: &str, found: Option<&str>| (at.to_owned(), found.map(str::to_owned), false);
    assert_eq!(
        checked(&[good(), other], &call()),
        [
            wrong("/image", Some("sha256:0")),
            wrong("/labels/org.x~1revision", None),
            wrong("/env/UNIDESK_DEPLOY_COMMIT", Some("main")),
            wrong("/annotations/UNIDESK_DEPLOY_COMMIT", Some("main")),
        ]
    );
}

#[test]
fn what_is_not_there_or_was_never_proved_does_not_count() {
    let mut waiting = pod("", COMMIT);
    waiting["spec"]["containers"][1]["env"][0] = json!({ "name": "UNIDESK_DEPLOY_COMMIT", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } });
    waiting["metadata"] = json!({});
    assert!(checked(&[waiting], &call()).iter().all(|(_, found, well)| found.is_none() && !well));

    let label = pair(LabelKey::parse("org.x/other").expect("a label"));
    let asks_for_more = ExpectWorkload { labels: vec![label], ..call() };
    let labels = checked(&[good()], &asks_for_more).remove(1);
    assert_eq!(labels, ("/labels/org.x~1other".to_owned(), None, false), "no registry said that it is so");
}
