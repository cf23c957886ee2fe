use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::CallError;
use crate::artifact::Artifact;
use crate::backend::live::registry::fake::{
    COMMIT, Fake, OCI_MANIFEST, blob_path, config, digest, manifest_path, resolve,
};
use crate::backend::live::testing::{RawServer, Reply, Step, answer, head, nobody};
use crate::config::Limits;

/// A registry with one proper image, before something is made wrong in it.
struct Proper {
    fake: Fake,
    image: Value,
    head: String,
    manifest: String,
    blob: String,
}

fn proper() -> Proper {
    let mut fake = Fake::default();
    let config = config("amd64", COMMIT);
    let image = fake.image(&config);
    fake.tag(&image);
    let manifest = format!("GET {}", manifest_path(image["digest"].as_str().expect("a digest")));
    let blob = format!("GET {}", blob_path(&digest(config.to_string().as_bytes())));
    Proper { fake, image, head: format!("HEAD {}", manifest_path(COMMIT)), manifest, blob }
}

fn sends(bytes: impl Into<Vec<u8>>) -> Reply {
    vec![Step::Send(bytes.into())]
}

/// The error's code and text, which names the registry and is safe to print.
fn told(result: Result<Artifact, CallError>) -> (&'static str, String) {
    let error = result.expect_err("an error");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:") && text.len() < 700, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    (error.code(), text)
}

async fn head_answers(headers: &[(&str, &str)]) -> (&'static str, String) {
    let mut proper = proper();
    proper.fake.set(proper.head, [sends(head("200 OK", headers))]);
    told(proper.fake.resolve().await)
}

async fn manifest_is(reply: Reply) -> (&'static str, String) {
    let mut proper = proper();
    proper.fake.set(proper.manifest, [reply]);
    told(proper.fake.resolve().await)
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_to_do() {
    let (code, text) = told(Fake::default().resolve().await);
    assert_eq!(code, "not-found");
    assert!(text.contains(&format!("unidesk/todo-note:{COMMIT} is not in the registry")), "{text}");
    assert!(text.contains(&manifest_path(COMMIT)) && text.contains("publish it with CI"), "{text}");
}

#[tokio::test]
async fn the_digest_header_must_be_there_and_have_the_one_form() {
    let (code, text) = head_answers(&[("Content-Type", "text/html")]).await;
    assert_eq!(code, "mismatch");
    assert!(text.contains("without a Docker-Content-Digest header (\"text/html\")"), "{text}");
    for bad in [&format!("sha512:{}", "a".repeat(128)), "sha256:abc", "latest", "\u{9}\u{e9}", ""] {
        let (code, text) = head_answers(&[("Docker-Content-Digest", bad)]).await;
        assert_eq!(code, "mismatch", "{bad}: {text}");
    }
}

#[tokio::test]
async fn a_digest_header_is_not_believed() {
    let mut proper = proper();
    let wrong = digest(b"something else");
    let reply = sends(head("200 OK", &[("Docker-Content-Digest", &wrong)]));
    proper.fake.set(proper.head, [reply]);
    let served = proper.image["digest"].as_str().expect("a digest").to_owned();
    let body = json!({ "schemaVersion": 2 }).to_string();
    // Said to be what was asked for, and is not.
    let headers = [("Content-Type", OCI_MANIFEST), ("Docker-Content-Digest", &wrong)];
    proper.fake.set(format!("GET {}", manifest_path(&wrong)), [answer("200 OK", &headers, &body)]);
    let (code, text) = told(proper.fake.resolve().await);
    assert_eq!(code, "mismatch");
    assert!(text.contains(&format!("has the digest {}, not {wrong}", digest(body.as_bytes()))), "{text}");
    assert!(!text.contains(&served));
}

#[tokio::test]
async fn a_configuration_with_another_digest_or_length_is_refused() {
    let mut other = proper();
    other.fake.set(other.blob, [answer("200 OK", &[], "{}")]);
    let (code, text) = told(other.fake.resolve().await);
    assert_eq!(code, "mismatch");
    assert!(
        text.contains(
            "has the digest sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, not"
        ),
        "{text}"
    );

    for (size, says) in [(1, "bytes, and the manifest says 1"), (u64::MAX, "at most 4194304 are read")] {
        let mut fake = Fake::default();
        let mut descriptor = fake.config(&config("amd64", COMMIT));
        descriptor["size"] = size.into();
        let document = json!({ "schemaVersion": 2, "config": descriptor, "layers": [] });
        let image = fake.document(OCI_MANIFEST, &document);
        fake.tag(&image);
        let (code, text) = told(fake.resolve().await);
        assert_eq!(code, "mismatch");
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn what_is_no_manifest_is_described() {
    let html = answer("200 OK", &[("Content-Type", "text/html")], "<html>\u{1b}[31m");
    let (code, text) = manifest_is(html).await;
    assert_eq!(code, "mismatch");
    assert!(text.contains(r#""text/html", beginning "<html>\u{1b}[31m""#), "{text}");
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert_eq!(manifest_is(answer("200 OK", &[("Content-Type", signed)], "{}")).await.0, "mismatch");
    let (code, text) = manifest_is(sends("220 mail.example ESMTP\r\n\r\n")).await;
    assert_eq!(code, "mismatch");
    assert!(text.contains("no proper HTTP"), "{text}");
}

#[tokio::test]
async fn what_the_registry_refers_to_must_be_there() {
    for missing in [proper().manifest, proper().blob] {
        let mut proper = proper();
        proper.fake.set(missing, [answer("404 Not Found", &[], "")]);
        let (code, text) = told(proper.fake.resolve().await);
        assert_eq!(code, "mismatch");
        assert!(text.contains("answers 404, and the registry itself refers to it"), "{text}");
    }
}

#[tokio::test]
async fn a_document_without_end_is_cut_off() {
    let start = head("200 OK", &[("Content-Type", OCI_MANIFEST)]);
    let endless = vec![Step::Send(start), Step::Repeat(vec![b' '; 64 << 10], Duration::ZERO)];
    let huge = sends(head("200 OK", &[("Content-Type", OCI_MANIFEST), ("Content-Length", "99999999999999")]));
    for reply in [endless, huge] {
        let (code, text) = manifest_is(reply).await;
        assert_eq!(code, "mismatch");
        assert!(text.contains("longer than 4194304 bytes (limits.manifest-bytes)"), "{text}");
    }
}

#[tokio::test]
async fn a_busy_registry_and_a_broken_connection_are_tried_again() {
    let truncated = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"sche";
    let busy = |status| answer(status, &[("Retry-After", "0")], "");
    let mut proper = proper();
    proper.fake.put_before(&proper.head, vec![busy("503 Busy"), busy("429 Slow Down")]);
    proper.fake.put_before(&proper.manifest, vec![sends(truncated.as_slice())]);
    proper.fake.put_before(&proper.blob, vec![busy("502 Bad Gateway"), Reply::new(), busy("504 Late")]);
    let server = proper.fake.start().await;
    assert!(resolve(&server.authority, &Limits::default()).await.is_ok());
    assert_eq!(server.requests().len(), 9);
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_unavailable() {
    let server = RawServer::always(answer("503 Busy", &[("Retry-After", "0")], "down\u{7}")).await;
    let (code, text) = told(resolve(&server.authority, &Limits::default()).await);
    assert_eq!(code, "unavailable");
    assert!(text.contains("503 Service Unavailable, asked 4 times"), "{text}");
    assert_eq!(server.requests().len(), 4);
    // Nothing is asked again that the deadline would not let be answered.
    let server = RawServer::always(answer("429 Slow", &[("Retry-After", "3")], "")).await;
    let limits = Limits { registry_seconds: 2, ..Limits::default() };
    assert_eq!(told(resolve(&server.authority, &limits).await).0, "unavailable");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_failing_registry_is_asked_once() {
    let server = RawServer::always(answer("500 Oops", &[], "")).await;
    let (code, text) = told(resolve(&server.authority, &Limits::default()).await);
    assert_eq!(code, "unavailable");
    assert!(text.contains("answers 500 Internal Server Error"), "{text}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn redirects_are_refused_and_only_their_origin_is_shown() {
    for (location, shown) in [
        ("http://user:secret@far.example:8080/x?token=secret", "points to \"http://far.example:8080\""),
        ("//far.example/secret", "points to another path of its own"),
        ("/secret", "points to another path of its own"),
        ("http://[secret", "points to an unreadable address"),
    ] {
        let (code, text) = manifest_is(answer("307 Elsewhere", &[("Location", location)], "")).await;
        assert_eq!(code, "other");
        assert!(text.contains(shown) && text.contains("not followed"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_registry_that_wants_credentials_gets_none() {
    let realm = [("WWW-Authenticate", "Bearer realm=\"http://far.example/token\"")];
    let server = RawServer::always(answer("401 Unauthorized", &realm, "")).await;
    let (code, text) = told(resolve(&server.authority, &Limits::default()).await);
    assert_eq!(code, "other");
    assert!(text.contains("no credentials are sent"), "{text}");
    assert_eq!(server.requests().len(), 1);
    let (code, text) = manifest_is(answer("418 Teapot", &[], "short\r\nand stout")).await;
    assert_eq!(code, "other");
    assert!(text.contains(r#"418 I'm a teapot: "short\r\nand stout""#), "{text}");
}

#[tokio::test]
async fn a_registry_that_is_not_there_or_silent_is_unavailable() {
    let nobody = nobody();
    let (code, text) = told(resolve(&nobody.authority, &Limits::default()).await);
    assert_eq!(code, "unavailable");
    assert!(text.contains("connection refused") && text.contains("check that the registry runs"), "{text}");

    let silent = RawServer::always(vec![Step::Hang]).await;
    let limits = Limits { registry_seconds: 1, ..Limits::default() };
    let (code, text) = told(resolve(&silent.authority, &limits).await);
    assert_eq!(code, "unavailable");
    assert!(text.contains("timed out after 1 s while waiting for the answer"), "{text}");
    assert!(text.contains("limits.registry-seconds"), "{text}");
}
