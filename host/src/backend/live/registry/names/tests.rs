use std::time::Duration;

use super::*;
use crate::backend::live::http;
use crate::backend::live::registry::fake::registry;
use crate::backend::live::testing::{RawServer, Reply, answer};
use crate::progress::Unwatched;

const NEXT: (&str, &str) = ("Link", "</v2/_catalog?last=x&n=100>; rel=\"next\"");

fn gives(names: &str, headers: &[(&str, &str)]) -> Reply {
    answer("200 OK", headers, format!(r#"{{"repositories": {names}}}"#))
}

async fn read_from(server: &RawServer) -> Result<Option<Names>, CallError> {
    let registry = registry(&server.authority);
    let reader = Reader {
        registry: &registry,
        document_bytes: 1 << 20,
        until: http::deadline(Duration::from_secs(10)),
        of: "one list",
        watcher: &Unwatched,
    };
    names(&reader, "/v2/_catalog", "repositories").await
}

async fn all(server: &RawServer) -> Vec<String> {
    read_from(server).await.expect("names").expect("a list").all.into_iter().collect()
}

fn asked(server: &RawServer) -> Vec<String> {
    let word = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
    server.requests().iter().map(word).collect()
}

#[tokio::test]
async fn a_list_in_pieces_is_read_to_its_end_wherever_its_links_lead() {
    let elsewhere = RawServer::always(gives("[\"theirs\"]", &[])).await;
    let link = format!("<http://{}/v2/_catalog>; rel=next; title=x", elsewhere.authority);
    let server = RawServer::start(move |_, before| match before {
        0 => gives("[\"b\", \"ü &\"]", &[NEXT]),
        1 => gives("[\"c\"]", &[("Link", &link)]),
        2 => gives("null", &[("Link", "</v2/_catalog>; rel=\"prev\"")]),
        _ => answer("404 Not Found", &[], ""),
    })
    .await;
    assert_eq!(all(&server).await, ["b", "c", "ü &"]);
    let expected =
        ["/v2/_catalog?n=100", "/v2/_catalog?n=100&last=%C3%BC%20%26", "/v2/_catalog?n=100&last=c"];
    assert_eq!(asked(&server), expected);
    assert_eq!(elsewhere.requests(), [""; 0], "nobody else is asked");
}

#[tokio::test]
async fn what_is_not_there_is_nothing() {
    let server = RawServer::always(answer("404 Not Found", &[], "{}")).await;
    assert_eq!(read_from(&server).await, Ok(None));
}

#[tokio::test]
async fn a_list_without_an_end_is_none() {
    for names in ["[\"same\"]", "[]"] {
        let server = RawServer::always(gives(names, &[NEXT])).await;
        let error = read_from(&server).await.expect_err("an error");
        assert_eq!(error.code(), "mismatch", "{error}");
        assert!(error.to_string().contains("goes on, and does not"), "{error}");
        assert!(asked(&server).len() <= 2);
    }
    let always_new = RawServer::start(|_, before| {
        let names: Vec<String> = (0..5000).map(|one| format!("n{:07}", before * 5000 + one)).collect();
        gives(&serde_json::to_string(&names).expect("JSON"), &[NEXT])
    });
    let error = read_from(&always_new.await).await.expect_err("an error");
    assert!(error.to_string().contains("more than 100000 names"), "{error}");
}

#[tokio::test]
async fn names_that_are_too_long_are_counted_and_not_kept() {
    let long = format!("[\"{}\", \"{}\", \"short\"]", "x".repeat(256), "y".repeat(255));
    let server = RawServer::always(gives(&long, &[])).await;
    let names = read_from(&server).await.expect("names").expect("a list");
    assert_eq!((names.all.len(), names.too_long), (2, 1));
}

#[tokio::test]
async fn what_is_no_list_is_told_as_what_it_is() {
    let redirect = answer("302 Found", &[("Location", "http://elsewhere.example/token")], "");
    for (reply, code, says) in [
        (answer("200 OK", &[], "<html>"), "mismatch", "it cannot be read"),
        (answer("200 OK", &[], "{}"), "mismatch", "is it an image registry?"),
        (gives("[1]", &[]), "mismatch", "is it an image registry?"),
        (gives("\"a\"", &[]), "mismatch", "is it an image registry?"),
        (answer("200 OK", &[], vec![b' '; 2 << 20]), "mismatch", "longer than 1048576 bytes"),
        (redirect, "other", "redirects are not followed"),
        (answer("500 Internal Server Error", &[], "disk"), "unavailable", "answers 500"),
    ] {
        let error = read_from(&RawServer::always(reply).await).await.expect_err(says);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}
