use serde_json::{Value, json};

use super::*;
use crate::backend::live::registry::fake::{
    COMMIT, Fake, LABEL, OCI_INDEX, OCI_MANIFEST, digest, manifest_path, registry,
};
use crate::backend::live::testing::{Step, answer};
use crate::config::Limits;
use crate::names::Digest;
use crate::progress::Unwatched;

fn commits(digits: &[&str]) -> Vec<Commit> {
    digits.iter().map(|digit| Commit::parse(&digit.repeat(40)).expect("a commit")).collect()
}

fn name(text: &str) -> ImageName {
    ImageName::parse(text).expect("a name")
}

fn everything() -> ListArtifacts {
    ListArtifacts { repository: None, after: None, limit: 20 }
}

fn of(service: &str) -> ListArtifacts {
    ListArtifacts { repository: Some(name(&format!("unidesk/{service}"))), ..everything() }
}

fn catalogue(fake: &mut Fake, names: &Value) {
    let body = json!({ "repositories": names }).to_string();
    fake.set("GET /v2/_catalog?n=100".to_owned(), [answer("200 OK", &[], body)]);
}

fn tags(fake: &mut Fake, repository: &str, tags: &Value) {
    let body = json!({ "name": repository, "tags": tags }).to_string();
    fake.set(format!("GET /v2/{repository}/tags/list?n=100"), [answer("200 OK", &[], body)]);
}

async fn list(fake: Fake, call: &ListArtifacts) -> Result<Page, CallError> {
    let server = fake.start().await;
    let limits = Limits { registry_seconds: 1, ..Limits::default() };
    RegistryClient::new(&registry(&server.authority), &limits).list(call, &Unwatched).await
}

/// Repository, commits of the page by their first digit.
fn shown(page: &Page) -> Vec<(String, String)> {
    let first = |entry: &Entry| entry.commit.as_str().chars().next();
    let row =
        |shelf: &Shelf| (shelf.repository.to_string(), shelf.artifacts.iter().filter_map(first).collect());
    page.repositories.iter().map(row).collect()
}

fn config(created: &Value) -> Value {
    json!({ "os": "linux", "architecture": "amd64", "created": created,
        "config": { "Labels": { LABEL: COMMIT } }, "rootfs": { "type": "layers", "diff_ids": [] } })
}

/// A manifest with layers of these contents and sizes.
fn image(fake: &mut Fake, created: &Value, layers: &[(&str, u64)]) -> (Value, u64) {
    let config = fake.config(&config(created));
    let size = config["size"].as_u64().expect("a size");
    let layer = |(content, size): &(&str, u64)| json!({ "mediaType": "layer", "digest": digest(content.as_bytes()), "size": size });
    let layers: Vec<Value> = layers.iter().map(layer).collect();
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    (fake.document(OCI_MANIFEST, &manifest), size)
}

async fn the_artifact(mut fake: Fake, tagged: &Value) -> Result<Found, CallError> {
    tags(&mut fake, "unidesk/todo-note", &json!([COMMIT]));
    fake.tag(tagged);
    let mut page = list(fake, &of("todo-note")).await.expect("a page");
    page.repositories.remove(0).artifacts.remove(0).found
}

#[tokio::test]
async fn pages_follow_one_another_in_whatever_order_the_registry_gives_names() {
    let after = |text: &str| Some(Cursor::parse(text).expect("a cursor"));
    let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(40));
    let page = async |from: Option<Cursor>, limit| {
        let mut fake = Fake::default();
        catalogue(&mut fake, &json!(["unidesk/shop", "unidesk/empty", "Bad Name", "other", "unidesk/mail"]));
        tags(&mut fake, "unidesk/shop", &json!([c, "latest", a, b]));
        tags(&mut fake, "unidesk/mail", &json!([b, "v1", "main", b]));
        tags(&mut fake, "other", &json!(null));
        let call = ListArtifacts { repository: None, after: from, limit };
        list(fake, &call).await.expect("a page")
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };

    let first = page(None, 2).await;
    assert_eq!(
        shown(&first),
        pairs(&[("other", ""), ("unidesk/empty", ""), ("unidesk/mail", "b"), ("unidesk/shop", "a")])
    );
    assert_eq!(first.refused, 1);
    assert_eq!(first.next, after(&format!("unidesk/shop:{a}")));
    let own: Vec<_> = first.repositories.iter().map(|shelf| shelf.tags.clone()).collect();
    assert_eq!(own[0], Ok(Tags { commits: Vec::new(), others: 0 }));
    assert!(matches!(own[1], Err(CallError::NotFound(_))), "{own:?}");
    assert_eq!(own[2], Ok(Tags { commits: commits(&["b"]), others: 2 }));
    assert_eq!(own[3], Ok(Tags { commits: commits(&["a", "b", "c"]), others: 1 }));

    let second = page(first.next, 2).await;
    assert_eq!((shown(&second), second.next), (pairs(&[("unidesk/shop", "bc")]), None));
    let exact = page(None, 1).await;
    assert_eq!(exact.next, after("unidesk/mail"), "what follows is another repository");
    assert_eq!(shown(&page(exact.next, 20).await), pairs(&[("unidesk/shop", "abc")]));
    assert_eq!(shown(&page(after("unidesk/zzz"), 20).await), pairs(&[]));
}

#[tokio::test]
async fn a_page_ends_where_too_many_repositories_have_nothing() {
    let names: Vec<String> = (0..250).map(|one| format!("unidesk/r{one:03}")).collect();
    let mut fake = Fake::default();
    catalogue(&mut fake, &json!(names));
    for name in &names {
        tags(&mut fake, name, &json!(["latest"]));
    }
    let page = list(fake, &everything()).await.expect("a page");
    assert_eq!(page.repositories.len(), 100);
    assert_eq!(page.next, Some(Cursor { repository: name("unidesk/r099"), commit: None }));
}

#[tokio::test]
async fn an_image_has_its_digest_its_size_and_its_time() {
    let mut fake = Fake::default();
    let (tagged, own) =
        image(&mut fake, &json!("2026-03-04T05:06:07.89+02:00"), &[("one", 1000), ("two", 34)]);
    let found = the_artifact(fake, &tagged).await.expect("an artifact");
    assert_eq!(found.digest.as_str(), tagged["digest"]);
    assert_eq!(found.size, own + 1034);
    assert_eq!(found.created.as_deref(), Some("2026-03-04T03:06:07Z"));
}

#[tokio::test]
async fn of_an_index_every_blob_counts_once_and_statements_do_not() {
    let mut fake = Fake::default();
    let (first, one) = image(&mut fake, &json!("2026-01-01T00:00:00Z"), &[("shared", 500), ("first", 1)]);
    let (second, other) = image(&mut fake, &json!("2026-02-01T00:00:00Z"), &[("shared", 500), ("second", 2)]);
    let (statement, _) = image(&mut fake, &json!("2026-09-01T00:00:00Z"), &[("statement", 9000)]);
    let platform = |os: &str, architecture: &str| json!({ "os": os, "architecture": architecture });
    let index = fake.index([
        (first, platform("linux", "amd64")),
        (second, platform("linux", "arm64")),
        (statement, platform("unknown", "unknown")),
    ]);
    assert_eq!(index["mediaType"], OCI_INDEX);
    let found = the_artifact(fake, &index).await.expect("an artifact");
    assert_eq!(found.digest, Digest::parse(index["digest"].as_str().expect("a digest")).expect("a digest"));
    assert_eq!(found.size, one + other + 503);
    assert_eq!(found.created.as_deref(), Some("2026-02-01T00:00:00Z"));
}

#[tokio::test]
async fn a_time_that_is_none_says_nothing() {
    for strange in [json!(null), json!(7), json!("yesterday"), json!({}), json!("0001-01-01")] {
        let mut fake = Fake::default();
        let (tagged, _) = image(&mut fake, &strange, &[]);
        assert_eq!(the_artifact(fake, &tagged).await.expect("an artifact").created, None, "{strange}");
    }
}

#[tokio::test]
async fn sizes_that_cannot_be_are_told() {
    for (layers, says) in
        [([("one", 1), ("one", 2)], "two sizes"), ([("one", u64::MAX), ("two", 2)], "more than 64 bits")]
    {
        let mut fake = Fake::default();
        let (tagged, _) = image(&mut fake, &json!(null), &layers);
        let error = the_artifact(fake, &tagged).await.expect_err(says);
        assert_eq!(error.code(), "mismatch");
        assert!(error.to_string().contains(says) && error.to_string().contains(COMMIT), "{error}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_one_is_told_with_it() {
    let mut fake = Fake::default();
    catalogue(&mut fake, &json!(["unidesk/ill", "unidesk/todo-note"]));
    let broken = answer("500 Internal Server Error", &[], "disk");
    fake.set("GET /v2/unidesk/ill/tags/list?n=100".to_owned(), [broken]);
    let vanished = "f".repeat(40);
    tags(&mut fake, "unidesk/todo-note", &json!([vanished, COMMIT]));
    let (tagged, _) = image(&mut fake, &json!(null), &[]);
    fake.tag(&tagged);
    let page = list(fake, &everything()).await.expect("a page");
    assert!(matches!(page.repositories[0].tags, Err(CallError::Unavailable(_))), "{page:?}");
    let artifacts = &page.repositories[1].artifacts;
    assert!(artifacts[0].found.is_ok(), "{page:?}");
    assert!(matches!(artifacts[1].found, Err(CallError::NotFound(_))), "{page:?}");
}

#[tokio::test]
async fn the_one_repository_that_is_asked_for_is_there_or_not_or_unknown() {
    let page = list(Fake::default(), &of("todo-note")).await.expect("a page");
    assert_eq!(page, Page::default());
    let mut fake = Fake::default();
    let broken = answer("500 Internal Server Error", &[], "disk");
    fake.set("GET /v2/unidesk/todo-note/tags/list?n=100".to_owned(), [broken]);
    let error = list(fake, &of("todo-note")).await.expect_err("unknown");
    assert_eq!(error.code(), "unavailable", "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_not_asked_for_everything_else() {
    let hanging = || vec![Step::Hang];
    let error = {
        let mut fake = Fake::default();
        fake.set("GET /v2/_catalog?n=100".to_owned(), [hanging()]);
        list(fake, &everything()).await.expect_err("late")
    };
    assert!(error.to_string().contains("all reads of one list together"), "{error}");

    let mut fake = Fake::default();
    let names: Vec<String> = (0..50).map(|one| format!("unidesk/r{one:02}")).collect();
    catalogue(&mut fake, &json!(names));
    for name in &names {
        fake.set(format!("GET /v2/{name}/tags/list?n=100"), [hanging()]);
    }
    assert_eq!(list(fake, &everything()).await.expect_err("late").code(), "unavailable");

    let mut fake = Fake::default();
    let all: Vec<String> = (0..40).map(|one| format!("{one:040}")).collect();
    tags(&mut fake, "unidesk/todo-note", &json!(all));
    for tag in &all {
        fake.set(format!("HEAD {}", manifest_path(tag)), [hanging()]);
    }
    let call = ListArtifacts { limit: 40, ..of("todo-note") };
    let begun = std::time::Instant::now();
    let page = list(fake, &call).await.expect("a page");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let found = page.repositories[0].artifacts.iter().map(|entry| entry.found.clone());
    let unasked =
        found.filter(|found| found.as_ref().is_err_and(|error| error.to_string().contains("not asked")));
    assert_eq!(unasked.count(), 40 - AT_ONCE);
}
