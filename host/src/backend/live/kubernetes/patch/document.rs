//! The patch itself. Image, stamp and what the run says of itself; never a port, and never another object.

use serde_json::{Map, Value, json};

use super::state::{Entry, Stands};
use crate::backend::live::kubernetes::RUN_ANNOTATION;
use crate::names::KubernetesName;

/// The strategic merge patch that makes a Deployment stand as `wanted`, forward and back alike. With a `version` it holds
/// only for a Deployment to which nothing was written since. Annotations that are `gone` are taken away.
pub fn patch(wanted: &Stands, container: &KubernetesName, version: Option<&str>, gone: &[String]) -> Value {
    let mut metadata = json!({ "annotations": { RUN_ANNOTATION: wanted.run } });
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    let stamped = wanted.annotations.iter().map(|(key, value)| (key.to_string(), json!(value)));
    let restarts = wanted.restarts.iter().map(|(key, value)| (key.clone(), json!(value)));
    let gone = gone.iter().map(|key| (key.clone(), Value::Null));
    let annotations: Map<String, Value> = stamped.chain(restarts).chain(gone).collect();
    // In the order in which they stand there: merging moves what is named in another one.
    let env: Vec<Value> = wanted.env.iter().map(|(key, value)| entry(key.as_str(), value.as_ref())).collect();
    json!({
        "metadata": metadata,
        "spec": { "template": {
            "metadata": { "annotations": annotations },
            "spec": { "containers": [{ "name": container, "image": wanted.image, "env": env }] },
        }},
    })
}

/// A value and a source exclude each other, and merging keeps what is not named.
fn entry(key: &str, value: Option<&Entry>) -> Value {
    match value {
        Some(Entry::Value(value)) => json!({ "name": key, "value": value, "valueFrom": null }),
        Some(Entry::From(source)) => json!({ "name": key, "value": null, "valueFrom": source }),
        None => json!({ "name": key, "$patch": "delete" }),
    }
}
