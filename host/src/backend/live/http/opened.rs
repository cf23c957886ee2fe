//! An answer that is taken piece by piece: what is too long to be held.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use tokio::task::JoinSet;

use super::{HttpError, Request, begun, classified, deadline, dial, message};

/// An answer whose body is still coming. Dropped, it closes the connection.
pub struct Opened {
    head: Response<()>,
    body: Incoming,
    request: String,
    /// Drives the connection.
    _driven: JoinSet<()>,
}

impl Opened {
    /// Status and headers.
    pub fn head(&self) -> &Response<()> {
        &self.head
    }

    /// The next piece; nothing after the last one. It waits for as long as the far side says nothing: its caller sets the
    /// deadline.
    ///
    /// # Errors
    /// [`HttpError`] where the connection ends before the answer does.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        while let Some(frame) = self.body.frame().await {
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Ok(Some(data)),
                // A trailer, which nothing here is decided by.
                Ok(Err(_)) => {}
                Err(error) => {
                    return Err(HttpError { request: self.request.clone(), failure: classified(&error) });
                }
            }
        }
        Ok(None)
    }
}

/// Asks once; the answer must begin `within` that time.
///
/// # Errors
/// [`HttpError`] if it did not begin.
pub async fn open(request: &Request<'_>, within: Duration) -> Result<Opened, HttpError> {
    let opened = async {
        let until = deadline(within);
        let message = message(request)?;
        let (mut sender, connection) = dial(request.authority, until, within).await?;
        let mut driven = JoinSet::new();
        driven.spawn(async move {
            // Its end is no result: the body learns of it.
            let _ended = connection.await;
        });
        let (head, body) = begun(&mut sender, message, until, within).await?.into_parts();
        let head = Response::from_parts(head, ());
        Ok(Opened { head, body, request: request.to_string(), _driven: driven })
    };
    opened.await.map_err(|failure| HttpError { request: request.to_string(), failure })
}
