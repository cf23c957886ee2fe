//! When a busy registry is asked again.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};

use crate::backend::live::http::{self, Failure, HttpError};

/// Times that one thing is asked for in all.
pub const ATTEMPTS: u32 = 4;
/// Pause before the second attempt; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause that an answer may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt, after `attempts` of them; nothing if this outcome stands.
///
/// A status that says "busy" and a connection that broke off pass by themselves within seconds. A refused connection
/// does not: whoever waits for it should be told at once.
pub fn pause(attempts: u32, outcome: &Result<Response<Bytes>, HttpError>) -> Option<Duration> {
    let asked = match outcome {
        Ok(response) if is_busy(response.status()) => retry_after(response),
        Err(HttpError { failure: Failure::BrokenOff(_), .. }) => None,
        _ => return None,
    };
    let own = FIRST_PAUSE * 2_u32.pow(attempts.clamp(1, ATTEMPTS) - 1);
    (attempts < ATTEMPTS).then(|| asked.unwrap_or(own).min(LONGEST_PAUSE))
}

/// Whether the registry, or a proxy before it, says that it cannot answer right now.
fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The form in seconds; a date would need a clock that both sides share.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    http::header(response, RETRY_AFTER)?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after: &str) -> Response<Bytes> {
        let answer = Response::builder().status(status).header(RETRY_AFTER, retry_after).body(Bytes::new());
        answer.expect("a valid answer")
    }

    #[test]
    fn busy_answers_are_asked_again_with_growing_pauses_and_not_for_ever() {
        for status in [429, 502, 503, 504] {
            let outcome = Ok(answered(status, ""));
            let pauses: Vec<_> = (1..=4).map(|attempts| pause(attempts, &outcome)).collect();
            assert_eq!(
                pauses,
                [Some(250), Some(500), Some(1000), None].map(|ms| ms.map(Duration::from_millis))
            );
        }
        for status in [200, 301, 401, 404, 500] {
            assert_eq!(pause(1, &Ok(answered(status, "1"))), None, "{status}");
        }
    }

    #[test]
    fn the_registrys_own_wish_is_honoured_within_reason() {
        for (wish, seconds) in [("0", 0), (" 3 ", 3), ("86400", 5)] {
            assert_eq!(pause(1, &Ok(answered(503, wish))), Some(Duration::from_secs(seconds)), "{wish}");
        }
        for strange in ["-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999999999999"] {
            assert_eq!(pause(1, &Ok(answered(503, strange))), Some(FIRST_PAUSE), "{strange}");
        }
    }

    #[test]
    fn only_a_broken_connection_is_tried_again() {
        let failed = |failure| Err(HttpError { request: String::new(), failure });
        assert_eq!(pause(1, &failed(Failure::BrokenOff(String::new()))), Some(FIRST_PAUSE));
        assert_eq!(pause(1, &failed(Failure::Refused)), None);
        assert_eq!(pause(1, &failed(Failure::TooLarge { limit: 1 })), None);
    }
}
