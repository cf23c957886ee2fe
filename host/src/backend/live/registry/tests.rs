use serde_json::{Value, json};

use super::fake::{COMMIT, Fake, LABEL, blob_path, config, digest, manifest_path, resolve};
use super::*;

fn linux(architecture: &str) -> Value {
    json!({ "os": "linux", "architecture": architecture })
}

fn text(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().expect("a digest")
}

async fn contradicts(fake: Fake, says: &str) {
    let error = fake.resolve().await.expect_err(says);
    assert_eq!(error.code(), "mismatch", "{error}");
    let error = error.to_string();
    assert!(error.contains("unidesk/todo-note:0123"), "{error}");
    assert!(error.contains(says), "{error}");
}

#[tokio::test]
async fn an_image_is_known_by_all_its_names_and_read_by_digest() {
    let mut fake = Fake::default();
    let config = config("amd64", COMMIT);
    let config_digest = digest(config.to_string().as_bytes());
    let image = fake.image(&config);
    fake.tag(&image);
    let server = fake.start().await;

    let artifact = resolve(&server.authority, &Limits::default()).await.expect("an artifact");
    assert_eq!(artifact.commit_name(), format!("unidesk/todo-note:{COMMIT}"));
    assert_eq!(artifact.service.as_str(), "todo-note");
    let identity = artifact.identity.expect("the registry was asked");
    assert_eq!(identity.index, None);
    assert_eq!(identity.manifest.as_str(), text(&image));
    assert_eq!(identity.config.as_str(), config_digest);
    assert_eq!(
        identity.diff_ids.iter().map(Digest::as_str).collect::<Vec<_>>(),
        [digest(b"one"), digest(b"two")]
    );
    assert_eq!(identity.size, 1234);

    let lines: Vec<_> =
        server.requests().iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect();
    let expected = [
        format!("HEAD {} HTTP/1.1", manifest_path(COMMIT)),
        format!("GET {} HTTP/1.1", manifest_path(text(&image))),
        format!("GET {} HTTP/1.1", blob_path(&config_digest)),
    ];
    assert_eq!(lines, expected);
    let accept = server.requests()[0].to_ascii_lowercase();
    assert!(
        accept.contains("oci.image.index") && accept.contains("docker.distribution.manifest.v2"),
        "{accept}"
    );
}

#[tokio::test]
async fn dockers_own_media_types_are_understood() {
    let mut fake = Fake::default();
    let mut config = fake.config(&config("amd64", COMMIT));
    config["mediaType"] = "application/vnd.docker.container.image.v1+json".into();
    let layer = json!({ "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest(b"l"), "size": 7 });
    let manifest = "application/vnd.docker.distribution.manifest.v2+json";
    let document = json!({ "schemaVersion": 2, "mediaType": manifest, "config": config, "layers": [layer.clone(), layer] });
    let image = fake.document(manifest, &document);
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let mut entry = image.clone();
    entry["platform"] = linux("amd64");
    let index = fake.document(list, &json!({ "schemaVersion": 2, "mediaType": list, "manifests": [entry] }));
    fake.tag(&index);
    let identity = fake.resolve().await.expect("an artifact").identity.expect("asked");
    assert_eq!(identity.served().as_str(), text(&index));
    assert_eq!(identity.manifest.as_str(), text(&image));
    assert_eq!(identity.size, 14);
}

#[tokio::test]
async fn of_an_index_this_machines_image_is_taken_and_attestations_are_skipped() {
    let mut fake = Fake::default();
    let arm = fake.image(&config("arm64", COMMIT));
    let mut newer = config("amd64", COMMIT);
    newer["variant"] = "v3".into();
    let newer = fake.image(&newer);
    let baseline = fake.image(&config("amd64", COMMIT));
    // No manifest of this digest is stored: it must not even be read.
    let attestation = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(b"a"), "size": 1 });
    let index = fake.index([
        (attestation.clone(), json!({ "os": "unknown", "architecture": "unknown" })),
        (arm, json!({ "os": "linux", "architecture": "arm64", "variant": "v8" })),
        (newer, json!({ "os": "linux", "architecture": "amd64", "variant": "v3" })),
        (baseline.clone(), linux("amd64")),
        (attestation, json!({ "os": "unknown", "architecture": "unknown" })),
    ]);
    fake.tag(&index);
    let identity = fake.resolve().await.expect("an artifact").identity.expect("asked");
    assert_eq!(identity.index.as_ref().map(Digest::as_str), Some(text(&index)));
    assert_eq!(identity.manifest.as_str(), text(&baseline));
}

#[tokio::test]
async fn an_entry_without_platform_is_what_its_configuration_says() {
    let mut fake = Fake::default();
    let image = fake.image(&config("amd64", COMMIT));
    let index = fake.index([(image.clone(), Value::Null)]);
    fake.tag(&index);
    let identity = fake.resolve().await.expect("an artifact").identity.expect("asked");
    assert_eq!(identity.manifest.as_str(), text(&image));
}

#[tokio::test]
async fn labels_are_checked_on_every_platform() {
    let mut fake = Fake::default();
    let ours = fake.image(&config("amd64", COMMIT));
    let other = fake.image(&config("arm64", "another"));
    let index = fake.index([(ours, linux("amd64")), (other, linux("arm64"))]);
    fake.tag(&index);
    let says = format!("labels of its linux/arm64 image are wrong: {LABEL} is \"another\", not \"{COMMIT}\"");
    contradicts(fake, &says).await;
}

#[tokio::test]
async fn a_missing_label_and_a_hostile_one_are_told_apart_and_shown_escaped() {
    let missing = format!("{LABEL} is missing, expected \"{COMMIT}\"");
    for without in [json!({ "Labels": {} }), json!({ "Labels": null }), json!({}), Value::Null] {
        let mut fake = Fake::default();
        let mut config = config("amd64", COMMIT);
        config["config"] = without;
        let image = fake.image(&config);
        fake.tag(&image);
        contradicts(fake, &missing).await;
    }
    let mut fake = Fake::default();
    let image = fake.image(&config("amd64", &format!("\u{1b}[2J\n{}", "x".repeat(100_000))));
    fake.tag(&image);
    let error = fake.resolve().await.expect_err("a hostile label").to_string();
    assert!(error.contains(r#"is "\u{1b}[2J\nxxx"#), "{error}");
    assert!(error.len() < 500 && !error.contains(char::is_control), "{}", error.len());
}

#[tokio::test]
async fn an_image_for_another_machine_is_refused() {
    let mut fake = Fake::default();
    let image = fake.image(&config("arm64", COMMIT));
    fake.tag(&image);
    contradicts(fake, "it was built for linux/arm64, and linux/amd64 is needed").await;

    let mut fake = Fake::default();
    let (arm, s390x) = (fake.image(&config("arm64", COMMIT)), fake.image(&config("s390x", COMMIT)));
    let index = fake.index([(arm, linux("arm64")), (s390x, linux("s390x"))]);
    fake.tag(&index);
    contradicts(fake, "it was built for linux/arm64, linux/s390x, and linux/amd64 is needed").await;

    let mut fake = Fake::default();
    let index = fake.index([]);
    fake.tag(&index);
    contradicts(fake, "it was built for nothing, and linux/amd64 is needed").await;
}

#[tokio::test]
async fn an_index_that_lies_about_a_platform_is_refused() {
    let mut fake = Fake::default();
    let image = fake.image(&config("arm64", COMMIT));
    let index = fake.index([(image, linux("amd64"))]);
    fake.tag(&index);
    contradicts(fake, "was built for linux/amd64, and the image itself linux/arm64").await;
}

#[tokio::test]
async fn an_index_of_indexes_of_something_else_or_of_too_much_is_refused() {
    let mut fake = Fake::default();
    let image = fake.image(&config("amd64", COMMIT));
    let inner = fake.index([(image.clone(), linux("amd64"))]);
    let mut disguised = inner.clone();
    disguised["mediaType"] = image["mediaType"].clone();
    let outer = fake.index([(disguised, linux("amd64"))]);
    fake.tag(&outer);
    contradicts(fake, "of its index is another index").await;

    let mut fake = Fake::default();
    let outer = fake.index([(inner, linux("amd64"))]);
    fake.tag(&outer);
    contradicts(fake, "of its index is no image but \"application/vnd.oci.image.index").await;

    let mut fake = Fake::default();
    let image = fake.image(&config("amd64", COMMIT));
    let index = fake.index(vec![(image, linux("amd64")); IMAGES + 1]);
    fake.tag(&index);
    contradicts(fake, "it has 17 platforms; at most 16 are read").await;
}

#[tokio::test]
async fn a_configuration_that_contradicts_its_manifest_is_refused() {
    let mut fake = Fake::default();
    let mut config = config("amd64", COMMIT);
    config["rootfs"]["diff_ids"] = json!([digest(b"one")]);
    let image = fake.image(&config);
    fake.tag(&image);
    contradicts(fake, "it names 1 layers, and the manifest 2").await;
}
