use serde_json::{Value, json};

use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn descriptor(media_type: &str, size: &Value) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", "a".repeat(64)), "size": size })
}

fn manifest(sizes: &[Value]) -> Value {
    let layers: Vec<_> = sizes.iter().map(|size| descriptor("layer", size)).collect();
    json!({ "schemaVersion": 2, "config": descriptor(CONFIGS[0], &json!(2)), "layers": layers })
}

fn parse(content_type: &str, document: &Value) -> Result<Document, String> {
    Document::parse(content_type, document.to_string().as_bytes())
}

fn refused(content_type: &str, document: &Value, says: &str) {
    let error = parse(content_type, document).expect_err(says);
    assert!(error.contains(says), "{error}");
    assert!(error.len() < 400, "{}", error.len());
}

fn read(document: &Value) -> Manifest {
    match parse(MANIFEST, document).expect("a manifest") {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => panic!("an index"),
    }
}

#[test]
fn unknown_fields_parameters_and_capitals_do_no_harm() {
    let mut document = manifest(&[json!(1)]);
    document["subject"] = json!({ "new": [1, 2, 3] });
    document["annotations"] = json!({ "a": "b" });
    document["layers"][0]["urls"] = json!(["http://elsewhere"]);
    assert!(parse("Application/vnd.OCI.image.manifest.v1+json; charset=utf-8", &document).is_ok());
    assert!(is_understood(" application/vnd.docker.distribution.manifest.list.v2+json ;x"));
    assert!(!is_understood("application/json") && !is_understood(""));
}

#[test]
fn only_schema_version_two_is_understood() {
    let mut document = manifest(&[]);
    document["schemaVersion"] = json!(1);
    refused(MANIFEST, &document, "its schema version is 1");
    document["schemaVersion"] = Value::Null;
    refused(MANIFEST, &document, "no schema version");
}

#[test]
fn a_document_is_of_one_kind_and_says_so_itself() {
    let mut document = manifest(&[]);
    document["mediaType"] = json!(INDEX);
    refused(MANIFEST, &document, "calls itself \"application/vnd.oci.image.index");
    document["mediaType"] = json!(MANIFEST);
    assert!(parse(MANIFEST, &document).is_ok());
    refused(INDEX, &manifest(&[]), "fields of an index and of an image");
    let mut both = manifest(&[]);
    both["manifests"] = json!([]);
    refused(MANIFEST, &both, "fields of an index and of an image");
    refused(INDEX, &both, "fields of an index and of an image");
    refused(INDEX, &json!({ "schemaVersion": 2 }), "missing field `manifests`");
}

#[test]
fn something_else_than_a_container_image_is_refused() {
    let mut document = manifest(&[]);
    document["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    refused(MANIFEST, &document, "no container image: its configuration is \"application/vnd.cncf.helm");
}

#[test]
fn layers_are_counted_and_summed_with_care() {
    assert_eq!(read(&manifest(&[json!(1), json!(2)])).size(), Ok(3));
    let most = read(&manifest(&vec![json!(1); LAYERS]));
    assert_eq!(most.size(), Ok(200));
    refused(MANIFEST, &manifest(&vec![json!(1); LAYERS + 1]), "201 layers, and at most 200");
    refused(MANIFEST, &manifest(&[json!(-1)]), "integer `-1`");
    refused(MANIFEST, &manifest(&[json!(1.5)]), "floating point");
    let huge = read(&manifest(&[json!(u64::MAX), json!(1)]));
    assert!(huge.size().expect_err("too much").contains("64 bits"));
    let entries = vec![descriptor(MANIFEST, &json!(1)); ENTRIES + 1];
    refused(INDEX, &json!({ "schemaVersion": 2, "manifests": entries }), "65 entries");
}

#[test]
fn other_digests_repeated_fields_and_nesting_end_in_clean_errors() {
    let mut document = manifest(&[json!(1)]);
    document["config"]["digest"] = json!(format!("sha512:{}", "a".repeat(128)));
    refused(MANIFEST, &document, "is no digest: `sha256:` and 64 lower-case hexadecimal digits");
    document["config"]["digest"] = json!(format!("\u{1b}{}", "x".repeat(100_000)));
    refused(MANIFEST, &document, "\\u{1b}");
    document["config"] = json!("x".repeat(100_000));
    refused(MANIFEST, &document, "invalid type: string");

    let twice = br#"{"schemaVersion":2,"schemaVersion":2,"manifests":[]}"#;
    assert!(Document::parse(INDEX, twice).expect_err("twice").contains("stands twice"));
    let deep = format!(r#"{{"schemaVersion":2,"manifests":{}"#, "[".repeat(100_000));
    let error = Document::parse(INDEX, deep.as_bytes()).expect_err("too deep");
    assert!(error.contains("cannot be read") && error.len() < 300, "{error}");
    for bytes in [b"".as_slice(), b"\xff", b"<html>", b"null", b"{} {}"] {
        assert!(Document::parse(INDEX, bytes).is_err());
    }
}

#[test]
fn what_another_parser_would_take_for_a_field_is_refused() {
    let look_alike = |place: &str, key: &str| {
        let mut document = manifest(&[json!(1)]);
        document
            .pointer_mut(place)
            .and_then(Value::as_object_mut)
            .expect("an object")
            .insert(key.into(), json!({}));
        refused(MANIFEST, &document, "to some readers and unknown to others");
    };
    look_alike("", "Config");
    look_alike("", "LAYERS");
    look_alike("", "layer\u{17f}");
    look_alike("/config", "Digest");
    look_alike("/layers/0", "\u{17f}ize");
    let mut entry = descriptor(MANIFEST, &json!(1));
    entry["platform"] = json!({ "os": "linux", "architecture": "amd64", "OS": "windows" });
    refused(INDEX, &json!({ "schemaVersion": 2, "manifests": [entry] }), "its key \"OS\" is \"os\" to some");

    let manifest = read(&manifest(&[]));
    for (body, says) in [
        (
            r#"{"os":"linux","architecture":"amd64","config":{"Labels":{"a":"1","a":"2"}},"rootfs":{"diff_ids":[]}}"#,
            "\"a\" stands twice",
        ),
        (
            r#"{"os":"linux","architecture":"amd64","config":{"Labels":{},"labels":{}},"rootfs":{"diff_ids":[]}}"#,
            "its key \"labels\"",
        ),
        (
            r#"{"os":"linux","architecture":"amd64","Config":{},"rootfs":{"diff_ids":[]}}"#,
            "its key \"Config\"",
        ),
        (
            r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[],"Diff_IDs":[]}}"#,
            "its key \"Diff_IDs\"",
        ),
    ] {
        let error = ImageConfig::parse(body.as_bytes(), &manifest).expect_err(says);
        assert!(error.contains(says), "{error}");
    }
    // A label's key is nobody's field.
    let labels = r#"{"os":"linux","architecture":"amd64","config":{"Labels":{"OS":"x","os":"y"}},"rootfs":{"diff_ids":[]}}"#;
    assert!(ImageConfig::parse(labels.as_bytes(), &manifest).is_ok());
}

#[test]
fn a_configuration_names_platform_labels_and_layers() {
    let manifest = read(&manifest(&[json!(1)]));
    let diff_id = format!("sha256:{}", "b".repeat(64));
    let body = json!({
        "os": "linux", "architecture": "arm64", "variant": "v8", "created": 5, "history": [null],
        "config": { "Labels": { "a": "b" }, "ExposedPorts": null, "Cmd": null },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let config = ImageConfig::parse(body.to_string().as_bytes(), &manifest).expect("a configuration");
    assert_eq!(config.platform.to_string(), "linux/arm64/v8");
    assert_eq!((config.label("a"), config.label("b")), (Some("b"), None));
    assert_eq!(config.into_diff_ids()[0].as_str(), diff_id);

    let without = json!({ "os": "linux", "rootfs": { "diff_ids": [] } });
    let error = ImageConfig::parse(without.to_string().as_bytes(), &manifest).expect_err("no architecture");
    assert!(error.contains("missing field `architecture`"), "{error}");
}
