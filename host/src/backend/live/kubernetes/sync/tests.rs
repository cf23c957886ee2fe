//! What is compared, kept and shown of an object. Whether an API server takes it, the end-to-end tests tell.

use serde_json::json;

use super::object::{Found, Object};
use super::synced::{Kept, Synced};
use crate::answer::CallError;
use crate::backend::live::kubernetes::Connected;
use crate::backend::secrets::{Secret, Values};
use crate::names::{ConfigName, KubernetesName, Pointer, RuntimeName};
use crate::operation::{ObjectKind, SyncObject};

fn call(kind: ObjectKind, namespace: &str, name: &str) -> SyncObject {
    SyncObject {
        runtime: RuntimeName::parse("d601-k3s").expect("a runtime"),
        kind,
        namespace: KubernetesName::parse(namespace).expect("a namespace"),
        name: KubernetesName::parse(name).expect("a name"),
        source: ConfigName::parse("shop").expect("a source"),
        entries: vec![(
            Pointer::parse("/password").expect("a pointer"),
            ConfigName::parse("password").expect("a key"),
        )],
    }
}

/// An API server that nobody asks.
fn connected() -> Connected {
    let config = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
    let client = kube::Client::try_from(config).expect("a client");
    Connected {
        watching: client.clone(),
        client,
        address: "https://127.0.0.1:6443/".to_owned(),
        context: "default".to_owned(),
    }
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|&(key, value)| (key.to_owned(), Secret::from(value.to_owned()))).collect()
}

fn found(pairs: &[(&str, &str)]) -> Found {
    let data: serde_json::Map<_, _> =
        pairs.iter().map(|&(key, value)| (key.to_owned(), json!(value))).collect();
    serde_json::from_value(json!({ "metadata": { "uid": "u", "resourceVersion": "7" }, "data": data }))
        .expect("an object")
}

#[tokio::test]
async fn values_are_counted_as_the_source_has_them() {
    let connected = connected();
    for text in ["", "a", "ab", "abc", "abcd", "é€"] {
        let plain = values(&[("password", text)]);
        for kind in [ObjectKind::Secret, ObjectKind::ConfigMap] {
            let call = call(kind, "unidesk-dev", "shop");
            let object = Object::new(&connected, &call);
            let form = object.form(&plain).expect("a form");
            assert_eq!(object.length(&form["password"]), text.len(), "{text:?} in a {kind:?}");
        }
    }
    let call = call(ObjectKind::Secret, "unidesk-dev", "shop");
    let form = Object::new(&connected, &call).form(&values(&[("password", "Man")])).expect("a form");
    assert_eq!(form["password"].text(), "TWFu");
}

#[tokio::test]
async fn an_error_that_repeats_a_value_is_not_repeated() {
    let connected = connected();
    let call = call(ObjectKind::Secret, "unidesk-dev", "shop");
    let object = Object::new(&connected, &call);
    let error = |text: &str| CallError::Other(format!("admission webhook denied the request: {text}"));
    let (plain, form) =
        (values(&[("password", "hunter2"), ("pin", "1")]), values(&[("password", "aHVudGVyMg==")]));
    let told = |text: &str| object.discreet(error(text), plain.values().chain(form.values()));
    for text in ["hunter2 is weak", "aHVudGVyMg== is weak"] {
        let told = told(text);
        assert!(!told.message().contains("weak") && told.message().contains("kubectl"), "{told}");
    }
    assert_eq!(told("one of 1 quota"), error("one of 1 quota"), "a short value is part of other words");
}

#[test]
fn what_was_there_before_goes_back_and_nothing_else() {
    let written = values(&[("password", "new"), ("user", "new")]);
    let kept = Kept::of(None, Some(found(&[("password", "old"), ("other", "x")])), &written);
    let way = |kept: &Kept| format!("{:?}", kept.way_back());
    assert_eq!(way(&kept), r#"{"password": Some("old"), "user": None}"#);
    assert!(!kept.made(&found(&[("password", "new"), ("user", "new")])), "it was there before");
    assert!(kept.is_back(&found(&[("password", "old"), ("other", "y")])));
    assert!(!kept.is_back(&found(&[("password", "new"), ("user", "new"), ("other", "x")])));

    let made = Kept::of(None, None, &written);
    assert!(made.made(&found(&[("password", "new"), ("user", "new")])));
    assert!(!made.made(&found(&[("password", "new"), ("user", "new"), ("other", "x")])), "somebody uses it");
    assert!(!made.is_back(&found(&[])));
    assert_eq!(way(&made), r#"{"password": None, "user": None}"#);
}

#[test]
fn pods_are_told_the_version_of_each_object_of_their_namespace() {
    let synced = Synced::default();
    let (secret, map) =
        (call(ObjectKind::Secret, "unidesk-dev", "shop"), call(ObjectKind::ConfigMap, "unidesk-dev", "shop"));
    synced.versioned(&secret, Some("7".to_owned()));
    synced.versioned(&map, None);
    synced.versioned(&call(ObjectKind::Secret, "unidesk", "shop"), Some("8".to_owned()));
    let told = |synced: &Synced, runtime: &str| {
        let runtime = RuntimeName::parse(runtime).expect("a runtime");
        synced.annotations(&runtime, &KubernetesName::parse("unidesk-dev").expect("a namespace"))
    };
    let pairs = |version: &str| {
        [("host.unidesk/config-map-shop", version), ("host.unidesk/secret-shop", "7")]
            .map(|(key, version)| (key.to_owned(), version.to_owned()))
            .into()
    };
    assert_eq!(told(&synced, "d601-k3s"), pairs("to-come"));
    synced.versioned(&map, Some("9".to_owned()));
    assert_eq!(told(&synced, "d601-k3s"), pairs("9"));
    assert!(told(&synced, "elsewhere").is_empty());

    let long = call(ObjectKind::Secret, "unidesk-dev", &format!("{}-b", "a".repeat(55)));
    let synced = Synced::default();
    synced.versioned(&long, Some("1".to_owned()));
    let key = told(&synced, "d601-k3s").into_keys().next().expect("a key");
    assert_eq!(
        key,
        format!("host.unidesk/secret-{}", "a".repeat(55)),
        "no more than 63 characters, none of them a dash"
    );
}
