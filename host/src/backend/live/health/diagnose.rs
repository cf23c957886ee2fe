//! Does a configured endpoint answer as one does?

use std::time::Duration;

use hyper::Method;

use super::http::{self, Bounds, Request};
use super::{HealthSource, payload};
use crate::diagnosis::Finding;

/// Never reached: whoever asks has a shorter deadline around this.
const WITHIN: Duration = Duration::from_mins(1);

/// What is to be said of the endpoint at `source`.
pub async fn diagnose(source: &HealthSource, body_bytes: usize) -> Vec<Finding> {
    let request = Request {
        method: Method::GET,
        authority: &source.authority,
        path: &source.path,
        accept: "application/json",
    };
    let url = format!("http://{}{}", source.authority, source.path);
    vec![match http::send(&request, Bounds { body_bytes, within: WITHIN }).await {
        Ok(response) => match payload::read(&response, None) {
            Ok(_) => Finding::ok(format!("{url} answers with a payload")),
            Err(why) => Finding::problem(
                format!("{url} answers, and not as a health endpoint: {why}"),
                "see whether the service is well, and whether the address in host.toml is that of its health",
            ),
        },
        Err(error) => Finding::problem(
            format!("{url} does not answer: {}", error.failure),
            "start the service, or correct the address in host.toml: a deploy that needs it cannot be verified",
        ),
    }]
}
