use kube::core::DynamicObject;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::patch;
use super::found::{Found, must_roll_out};
use super::moving::{Standing, standing};
use super::state::{Entry, Stands};
use crate::artifact::Pair;
use crate::names::{Commit, EnvKey, ImageName, KubernetesName, PlainValue};
use crate::operation::Deployment;

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn named(container: &str) -> Deployment {
    let name = |text: &str| KubernetesName::parse(text).expect("a name");
    Deployment { namespace: name("unidesk-dev"), name: name("web-dev"), container: name(container) }
}

fn keys() -> Vec<EnvKey> {
    ["COMMIT", "REQUESTED_COMMIT", "SERVICE_ID"]
        .map(|suffix| EnvKey::parse(&format!("UNIDESK_DEPLOY_{suffix}")).expect("a key"))
        .into()
}

fn stamp() -> Vec<Pair<EnvKey>> {
    let value = |key: &EnvKey| if key.as_str().ends_with("COMMIT") { NEW } else { "web" };
    let pair = |key: EnvKey| Pair { value: PlainValue::parse(value(&key)).expect("plain"), key };
    keys().into_iter().map(pair).collect()
}

/// As an API server answers: with a status, a port, and what else a deploy leaves alone.
fn sample() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": "unidesk-dev", "name": "web-dev", "uid": "u-1", "resourceVersion": "41", "generation": 3,
            "annotations": { "deployment.kubernetes.io/revision": "3" },
        },
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {
                    "labels": { "app": "web" },
                    "annotations": { "UNIDESK_DEPLOY_COMMIT": OLD, "team": "x" },
                },
                "spec": {
                    "initContainers": [{ "name": "wait", "image": "127.0.0.1:5000/unidesk/website:1" }],
                    "containers": [
                        { "name": "proxy", "image": "envoy:1" },
                        {
                            "name": "web",
                            "image": format!("127.0.0.1:5000/unidesk/web:{OLD}"),
                            "ports": [{ "containerPort": 8080, "hostPort": 80 }],
                            "env": [
                                { "name": "TOKEN", "value": "hunter2" },
                                { "name": "UNIDESK_DEPLOY_SERVICE_ID",
                                  "valueFrom": { "configMapKeyRef": { "name": "c", "key": "id" } } },
                                { "name": "UNIDESK_DEPLOY_COMMIT", "value": OLD },
                            ],
                        },
                    ],
                },
            },
        },
        "status": { "readyReplicas": 2 },
    })
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

fn found(value: Value) -> Found {
    Found::read(&object(value), &named("web"), &keys()).expect("a Deployment")
}

fn restarts() -> BTreeMap<String, String> {
    BTreeMap::from([("host.unidesk/secret-web".to_owned(), "41".to_owned())])
}

fn wanted(before: &Stands) -> Stands {
    let commit = Commit::parse(NEW).expect("a commit");
    let wanted = before.with(format!("127.0.0.1:5000/unidesk/web:{NEW}"), &commit, &stamp(), &restarts());
    Stands { run: Some("run:x".to_owned()), ..wanted }
}

/// The sample with `value` at a JSON pointer whose parent is there.
fn with(pointer: &str, value: Value) -> Value {
    let mut sample = sample();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match sample.pointer_mut(parent).expect(parent) {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key.replace("~1", "/")] = value,
    }
    sample
}

fn refusal(value: Value, container: &str) -> String {
    let object = object(value);
    let repository = ImageName::parse("unidesk/web").expect("a repository");
    Found::read(&object, &named(container), &keys())
        .and_then(|_| must_roll_out(&object, &named(container), &repository))
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn the_patch_holds_image_stamp_and_run_and_nothing_else() {
    let before = found(sample());
    let forward = patch(&wanted(&before.stands), &named("web").container, Some(&before.version), &[]);
    assert_eq!(
        forward,
        json!({
            "metadata": { "resourceVersion": "41", "annotations": { "host.unidesk/run": "run:x" } },
            "spec": { "template": {
                "metadata": { "annotations": {
                    "UNIDESK_DEPLOY_COMMIT": NEW,
                    "UNIDESK_DEPLOY_REQUESTED_COMMIT": NEW,
                    "UNIDESK_DEPLOY_SERVICE_ID": "web",
                    "host.unidesk/secret-web": "41",
                }},
                "spec": { "containers": [{
                    "name": "web",
                    "image": format!("127.0.0.1:5000/unidesk/web:{NEW}"),
                    "env": [
                        { "name": "UNIDESK_DEPLOY_SERVICE_ID", "value": "web", "valueFrom": null },
                        { "name": "UNIDESK_DEPLOY_COMMIT", "value": NEW, "valueFrom": null },
                        { "name": "UNIDESK_DEPLOY_REQUESTED_COMMIT", "value": NEW, "valueFrom": null },
                    ],
                }]},
            }},
        })
    );
}

#[test]
fn the_way_back_restores_sources_and_removes_what_was_not_there() {
    let before = found(sample()).stands;
    assert_eq!(
        patch(&before, &named("web").container, None, &["host.unidesk/secret-web".to_owned()]),
        json!({
            "metadata": { "annotations": { "host.unidesk/run": null } },
            "spec": { "template": {
                "metadata": { "annotations": {
                    "UNIDESK_DEPLOY_COMMIT": OLD,
                    "UNIDESK_DEPLOY_REQUESTED_COMMIT": null,
                    "UNIDESK_DEPLOY_SERVICE_ID": null,
                    "host.unidesk/secret-web": null,
                }},
                "spec": { "containers": [{
                    "name": "web",
                    "image": format!("127.0.0.1:5000/unidesk/web:{OLD}"),
                    "env": [
                        { "name": "UNIDESK_DEPLOY_SERVICE_ID", "value": null,
                          "valueFrom": { "configMapKeyRef": { "name": "c", "key": "id" } } },
                        { "name": "UNIDESK_DEPLOY_COMMIT", "value": OLD, "valueFrom": null },
                        { "name": "UNIDESK_DEPLOY_REQUESTED_COMMIT", "$patch": "delete" },
                    ],
                }]},
            }},
        })
    );
}

#[test]
fn a_state_has_the_stamp_and_no_other_value() {
    let stands = found(sample()).stands;
    assert_eq!(stands.commit.as_ref().map(Commit::as_str), Some(OLD));
    let text = serde_json::to_string(&stands).expect("JSON");
    assert!(!text.contains("hunter2") && text.contains("configMapKeyRef"), "{text}");
    assert_eq!(serde_json::from_str::<Stands>(&text).expect("a state"), stands);

    let desired = wanted(&stands);
    assert_eq!(desired.template, None, "only the API server knows what it will be");
    assert!(desired.env.iter().all(|(_, entry)| matches!(entry, Some(Entry::Value(_)))));
    assert_eq!(
        desired.with(desired.image.clone(), &Commit::parse(NEW).expect("a commit"), &stamp(), &restarts()),
        desired
    );
}

#[test]
fn the_commit_is_what_the_image_says_and_else_what_the_stamp_says() {
    let image = "/spec/template/spec/containers/1/image";
    let commit = |value: Value| found(value).stands.commit.map(|commit| commit.to_string());
    let other = with(image, json!(format!("registry:5000/unidesk/web:{NEW}")));
    assert_eq!(commit(other).as_deref(), Some(NEW), "set by hand since");
    let pinned = with(image, json!("registry:5000/unidesk/web@sha256:1"));
    assert_eq!(commit(pinned.clone()).as_deref(), Some(OLD));
    let mut unknown = pinned;
    unknown["spec"]["template"]["metadata"]["annotations"] = json!({ "UNIDESK_DEPLOY_COMMIT": "main" });
    assert_eq!(commit(unknown), None);
}

#[test]
fn a_written_status_is_no_conflict_and_a_changed_template_is_one() {
    let before = found(sample()).stands;
    let ours = wanted(&before);
    let now = |value: Value| standing(&found(value).stands, &before, &ours);
    let mut scaled = with("/metadata/resourceVersion", json!("99"));
    scaled["status"] = json!({ "readyReplicas": 0, "observedGeneration": 4 });
    scaled["spec"]["replicas"] = json!(5);
    assert_eq!(now(scaled), Standing::Unchanged);
    for (pointer, value) in [
        ("/metadata/uid", json!("u-2")),
        ("/spec/template/spec/containers/1/image", json!("127.0.0.1:5000/unidesk/web:x")),
        ("/spec/template/spec/containers/0/image", json!("envoy:2")),
        ("/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt", json!("now")),
        ("/spec/template/spec/containers/1/env/0/value", json!("hunter3")),
        ("/metadata/annotations/host.unidesk~1run", json!("run:y")),
    ] {
        let value = with(pointer, value);
        let stands = found(value.clone()).stands;
        assert_eq!(now(value), Standing::Other, "{pointer}");
        let told = stands.difference(&before).expect("a difference");
        assert!(!told.contains("hunter"), "{told}");
    }
    let made = Stands { template: found(with("/spec/paused", json!(true))).stands.template, ..ours.clone() };
    assert_eq!(standing(&made, &before, &ours), Standing::Made);
    assert_eq!(standing(&Stands { run: None, ..made }, &before, &ours), Standing::Other);
}

#[test]
fn what_no_patch_should_be_made_on_is_refused_with_what_to_do() {
    let all = |message: String, words: &[&str]| {
        for word in words.iter().chain(&["unidesk-dev/web-dev"]) {
            assert!(message.contains(word), "{word} in: {message}");
        }
    };
    all(refusal(sample(), "wbe"), &["no container wbe", "proxy, web"]);
    all(refusal(sample(), "wait"), &["wait as an init container only", "proxy, web"]);
    all(
        refusal(with("/spec/paused", json!(true)), "web"),
        &["is paused", "kubectl -n unidesk-dev rollout resume deployment/web-dev"],
    );
    all(
        refusal(with("/spec/replicas", json!(0)), "web"),
        &["zero replicas", "kubectl -n unidesk-dev scale deployment/web-dev --replicas=1"],
    );
    all(
        refusal(with("/metadata/deletionTimestamp", json!("2026-11-21T09:00:00Z")), "web"),
        &["is being deleted"],
    );
    for image in ["unidesk/web", "127.0.0.1:5000/unidesk/web:1", "r/unidesk/web@sha256:1"] {
        let init = with("/spec/template/spec/initContainers/0/image", json!(image));
        all(refusal(init, "web"), &["unidesk/web in its init container wait"]);
    }
    let twice = with(
        "/spec/template/spec/containers/1/env/0",
        json!({ "name": "UNIDESK_DEPLOY_COMMIT", "value": "x" }),
    );
    all(refusal(twice, "web"), &["UNIDESK_DEPLOY_COMMIT twice"]);
}
