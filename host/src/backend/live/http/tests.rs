use super::*;
use crate::backend::live::testing::{Nobody, RawServer, Reply, Step, answer, head, nobody};

const BOUNDS: Bounds = Bounds { body_bytes: 1000, within: Duration::from_secs(20) };

fn get(authority: &str) -> Request<'_> {
    Request { method: Method::GET, authority, path: "/health", accept: "application/json" }
}

async fn asked(reply: Reply, bounds: Bounds) -> Result<Response<Bytes>, HttpError> {
    let server = RawServer::always(reply).await;
    send(&get(&server.authority), bounds).await
}

async fn failure(reply: Reply) -> Failure {
    asked(reply, BOUNDS).await.expect_err("no complete answer").failure
}

fn sends(bytes: impl Into<Vec<u8>>) -> Reply {
    vec![Step::Send(bytes.into())]
}

#[tokio::test]
async fn an_answer_comes_as_it_was_given_whatever_its_status() {
    let server = RawServer::always(answer("503 Busy", &[("Retry-After", "7")], "later")).await;
    let response = send(&get(&server.authority), BOUNDS).await.expect("an answer");
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), Some("7"));
    assert_eq!(response.body(), "later");

    let request = server.requests().remove(0).to_ascii_lowercase();
    assert!(request.starts_with("get /health http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.authority)), "{request}");
    assert!(request.contains("accept: application/json\r\n"), "{request}");
    assert!(request.contains("connection: close\r\n"), "{request}");
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn chunked_bodies_bodies_until_the_end_and_no_body_are_read() {
    let chunked = head("200 OK", &[("Transfer-Encoding", "chunked")]);
    let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let response = asked(sends([chunked, body.to_vec()].concat()), BOUNDS).await.expect("chunked");
    assert_eq!(response.body(), "abcde");
    let response = asked(sends("HTTP/1.1 200 OK\r\n\r\nabc"), BOUNDS).await.expect("until the end");
    assert_eq!(response.body(), "abc");
    let response = asked(answer("204 No Content", &[], ""), BOUNDS).await.expect("no body");
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn the_length_in_an_answer_to_head_is_no_body() {
    let server = RawServer::always(sends(head("200 OK", &[("Content-Length", "5000000")]))).await;
    let request = Request { method: Method::HEAD, ..get(&server.authority) };
    let response = send(&request, BOUNDS).await.expect("an answer");
    assert!(response.body().is_empty());
    assert_eq!(header(&response, "content-length"), Some("5000000"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = RawServer::start(|_, _| answer("302 Found", &[("Location", "/elsewhere")], "")).await;
    let response = send(&get(&server.authority), BOUNDS).await.expect("an answer");
    assert_eq!(response.status(), 302);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_body_may_be_as_long_as_allowed_and_no_longer() {
    let just = asked(answer("200 OK", &[], "x".repeat(1000)), BOUNDS).await.expect("just short enough");
    assert_eq!(just.body().len(), 1000);
    assert_eq!(failure(answer("200 OK", &[], "x".repeat(1001))).await, Failure::TooLarge { limit: 1000 });
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    let endless =
        |start: Vec<u8>, chunk: &[u8]| vec![Step::Send(start), Step::Repeat(chunk.to_vec(), Duration::ZERO)];
    let until_the_end = endless(head("200 OK", &[]), &[b'x'; 4096]);
    assert_eq!(failure(until_the_end).await, Failure::TooLarge { limit: 1000 });
    let chunked = endless(head("200 OK", &[("Transfer-Encoding", "chunked")]), b"1\r\nx\r\n");
    assert_eq!(failure(chunked).await, Failure::TooLarge { limit: 1000 });
    // Refused by its declared length: this server never sends a byte of it.
    let declared = vec![Step::Send(head("200 OK", &[("Content-Length", "20000000")])), Step::Hang];
    assert_eq!(failure(declared).await, Failure::TooLarge { limit: 1000 });
}

#[tokio::test]
async fn headers_are_bounded_too() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(HEADER_BYTES));
    assert!(matches!(failure(sends(long)).await, Failure::Malformed(_)));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(HEADERS + 1));
    assert!(matches!(failure(sends(many)).await, Failure::Malformed(_)));
    let endless = vec![
        Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Step::Repeat(b"X: y\r\n".repeat(50), Duration::ZERO),
    ];
    assert!(matches!(failure(endless).await, Failure::Malformed(_)));
}

#[tokio::test]
async fn what_is_no_http_is_malformed() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let failure = failure(sends(bytes)).await;
        assert!(matches!(failure, Failure::Malformed(_)), "{bytes:?}: {failure}");
        assert!(!failure.retryable());
    }
}

#[tokio::test]
async fn an_answer_that_ends_too_early_broke_off() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let failure = failure(sends(bytes)).await;
        assert!(matches!(failure, Failure::BrokenOff(_)), "{bytes:?}: {failure}");
        assert!(failure.retryable());
    }
}

#[tokio::test]
async fn silence_and_dripping_end_at_the_deadline_and_say_how_far_it_came() {
    let soon = Bounds { within: Duration::from_secs(1), ..BOUNDS };
    let drip =
        |start: Vec<u8>| vec![Step::Send(start), Step::Repeat(b"x".to_vec(), Duration::from_millis(20))];
    let cases = [
        (vec![Step::Hang], Stage::Answering),
        (drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Stage::Answering),
        (drip(head("200 OK", &[])), Stage::Reading),
        (vec![Step::Send(head("200 OK", &[("Content-Length", "5")])), Step::Hang], Stage::Reading),
        (vec![Step::Repeat(head("100 Continue", &[]), Duration::from_millis(20))], Stage::Answering),
    ];
    let checks = cases.map(|(reply, stage)| async move {
        let error = asked(reply, soon).await.expect_err("too late");
        assert_eq!(error.failure, Failure::TimedOut { stage, after: soon.within });
        assert!(error.failure.retryable());
        assert!(error.to_string().contains("/health: timed out after 1 s while "), "{error}");
    });
    futures_util::future::join_all(checks).await;
}

#[tokio::test]
async fn where_nobody_listens_is_said() {
    let Nobody { authority, .. } = &nobody();
    let error = send(&get(authority), BOUNDS).await.expect_err("nobody listens");
    assert_eq!(error.failure, Failure::Refused);
    assert!(error.failure.retryable());
    assert_eq!(
        error.to_string(),
        format!("GET http://{authority}/health: connection refused: nothing listens there")
    );
}

#[tokio::test]
async fn an_unusable_address_is_an_error_and_no_panic() {
    for (authority, path) in [("127.0.0.1:99999", "/"), ("127.0.0.1:", "/"), ("127.0.0.1:1", "/a b")] {
        let request = Request { path, ..get(authority) };
        let failure = send(&request, BOUNDS).await.expect_err("unusable").failure;
        assert!(matches!(failure, Failure::Unusable(_)), "{authority}{path}: {failure}");
    }
    let forever = Bounds { within: Duration::MAX, ..BOUNDS };
    let nobody = nobody();
    assert_eq!(send(&get(&nobody.authority), forever).await.expect_err("refused").failure, Failure::Refused);
}

#[test]
fn host_and_port_are_told_apart() {
    assert_eq!(endpoint("127.0.0.1:5000"), Some(("127.0.0.1", 5000)));
    assert_eq!(endpoint("registry.local"), Some(("registry.local", 80)));
    assert_eq!(endpoint("[::1]:5000"), Some(("::1", 5000)));
    assert_eq!(endpoint("[::1]"), Some(("::1", 80)));
    assert_eq!(endpoint("host:65536"), None);
}
