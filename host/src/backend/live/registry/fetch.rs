//! Reads of the registry: asked, asked again where that helps, and believed only as far as its digest goes.

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Response, StatusCode};
use tokio::time::{Instant, sleep};

use super::document::{ACCEPT, Descriptor, Document, is_understood};
use super::retry;
use crate::answer::CallError;
use crate::backend::live::http::{self, Bounds, Failure, HttpError, Request};
use crate::config::RegistryConfig;
use crate::names::{Commit, Digest, ImageName};
use crate::progress::Watcher;
use crate::words::{quoted, quoted_bytes};

/// Characters of an outside text that a message repeats.
const SHOWN: usize = 120;
/// The registry's own word for what it serves (OCI distribution specification).
const CONTENT_DIGEST: &str = "docker-content-digest";

/// The registry, for the time of some reads that belong together.
pub struct Reader<'a> {
    /// Where the registry is.
    pub registry: &'a RegistryConfig,
    /// Longest document, in bytes.
    pub document_bytes: usize,
    /// When all reads together must be done.
    pub until: Instant,
    /// What they are of, as a message says it.
    pub of: &'static str,
    /// Learns of pauses.
    pub watcher: &'a dyn Watcher,
}

/// One repository of the registry, for the time of one operation.
pub struct Repository<'a> {
    /// The registry.
    pub reader: Reader<'a>,
    /// Which repository of it.
    pub name: &'a ImageName,
}

impl Repository<'_> {
    /// The digest of what stands under `commit`.
    ///
    /// # Errors
    /// [`CallError::NotFound`] if there is no such tag or repository; else as [`Self::manifest`].
    pub async fn digest_of(&self, commit: &Commit) -> Result<Digest, CallError> {
        let path = path(self.reader.registry, self.name, "manifests", commit.as_str());
        let Some(response) = self.reader.ask(Method::HEAD, &path, ACCEPT).await? else {
            return Err(CallError::NotFound(format!(
                "{}:{commit} is not in the registry ({} answers 404): publish it with CI first, or correct the commit",
                self.name,
                self.reader.url(&path),
            )));
        };
        let Some(digest) = http::header(&response, CONTENT_DIGEST) else {
            return Err(CallError::Mismatch(format!(
                "{} answers without a Docker-Content-Digest header ({}): is it an image registry?",
                self.reader.url(&path),
                content_type(&response),
            )));
        };
        Digest::parse(digest).map_err(|error| {
            CallError::Mismatch(format!(
                "{} names its content by something else: {error}",
                self.reader.url(&path)
            ))
        })
    }

    /// The index or manifest with this digest.
    ///
    /// # Errors
    /// [`CallError::Mismatch`] if the content has another digest or is no such document, [`CallError::Unavailable`]
    /// if the registry did not answer in time or fails, [`CallError::Other`] for any other status.
    pub async fn manifest(&self, digest: &Digest) -> Result<Document, CallError> {
        let (served, body) = self.served(digest).await?;
        Document::parse(&served, &body)
            .map_err(|why| CallError::Mismatch(format!("the manifest {digest} of {}: {why}", self.name)))
    }

    /// The content type and the bytes of the index or manifest with this digest.
    ///
    /// # Errors
    /// As [`Self::manifest`], but for what only reading it shows.
    pub async fn served(&self, digest: &Digest) -> Result<(String, Bytes), CallError> {
        let path = path(self.reader.registry, self.name, "manifests", digest.as_str());
        let response = self.content(&path, ACCEPT).await?;
        let served = http::header(&response, CONTENT_TYPE).unwrap_or_default();
        if !is_understood(served) {
            return Err(CallError::Mismatch(format!(
                "{} serves neither an image manifest nor an index of them: {}, beginning {}",
                self.reader.url(&path),
                content_type(&response),
                quoted_bytes(response.body(), SHOWN),
            )));
        }
        self.verify(&path, response.body(), digest)?;
        Ok((served.to_owned(), response.into_body()))
    }

    /// The small blob that `descriptor` points to.
    ///
    /// # Errors
    /// As [`Self::manifest`], and [`CallError::Mismatch`] if its length is not the descriptor's.
    pub async fn blob(&self, descriptor: &Descriptor) -> Result<Bytes, CallError> {
        let Descriptor { digest, size, .. } = descriptor;
        let path = path(self.reader.registry, self.name, "blobs", digest.as_str());
        if usize::try_from(*size).map_or(true, |size| size > self.reader.document_bytes) {
            return Err(CallError::Mismatch(format!(
                "{} is said to have {size} bytes, and at most {} are read (limits.manifest-bytes)",
                self.reader.url(&path),
                self.reader.document_bytes,
            )));
        }
        let response = self.content(&path, "*/*").await?;
        self.verify(&path, response.body(), digest)?;
        if u64::try_from(response.body().len()) != Ok(*size) {
            return Err(CallError::Mismatch(format!(
                "{} has {} bytes, and the manifest says {size}",
                self.reader.url(&path),
                response.body().len(),
            )));
        }
        Ok(response.into_body())
    }

    /// What the registry itself said it has.
    async fn content(&self, path: &str, accept: &str) -> Result<Response<Bytes>, CallError> {
        self.reader.ask(Method::GET, path, accept).await?.ok_or_else(|| {
            CallError::Mismatch(format!(
                "{} answers 404, and the registry itself refers to it: the image is damaged or being removed; \
                 publish it again",
                self.reader.url(path),
            ))
        })
    }

    fn verify(&self, path: &str, body: &[u8], expected: &Digest) -> Result<(), CallError> {
        let found = Digest::of(body);
        if found == *expected {
            Ok(())
        } else {
            Err(CallError::Mismatch(format!(
                "{} has the digest {found}, not {expected}: the content was damaged or replaced",
                self.reader.url(path)
            )))
        }
    }
}

impl Reader<'_> {
    /// A `200` answer, or nothing for a `404`.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] if it did not answer in time or fails, [`CallError::Other`] for any other status.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &str,
    ) -> Result<Option<Response<Bytes>>, CallError> {
        let request = Request { method, authority: &self.registry.url.authority, path, accept };
        let mut attempts = 1;
        let outcome = loop {
            let bounds = Bounds { body_bytes: self.document_bytes, within: self.left() };
            let outcome = http::send(&request, bounds).await;
            match retry::pause(attempts, &outcome) {
                Some(pause) if pause < self.left() => {
                    self.watcher.note("the registry is busy or broke off; asking again");
                    sleep(pause).await;
                    attempts += 1;
                }
                _ => break outcome,
            }
        };
        let response = outcome.map_err(|error| self.no_answer(&error))?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refusal(&request, &response, status, attempts)),
        }
    }

    /// No complete answer came, in words.
    pub fn no_answer(&self, error: &HttpError) -> CallError {
        let authority = &self.registry.url.authority;
        match &error.failure {
            Failure::TimedOut { .. } => CallError::Unavailable(format!(
                "{error}; check that http://{authority}/v2/ answers at once: all reads of {} together may last \
                 no longer than limits.registry-seconds",
                self.of
            )),
            failure if failure.retryable() => CallError::Unavailable(format!(
                "{error}; check that the registry runs and can be reached from here: http://{authority}/v2/ must answer"
            )),
            Failure::TooLarge { .. } => CallError::Mismatch(format!("{error} (limits.manifest-bytes)")),
            Failure::Malformed(_) => CallError::Mismatch(format!("{error}: is it an image registry?")),
            _ => CallError::Invalid(format!("{error} (registry.url)")),
        }
    }

    /// As messages name it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.registry.url.authority)
    }

    /// Until all reads must be done.
    pub fn left(&self) -> std::time::Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Path of a manifest, a blob or the list of tags (OCI distribution specification).
pub fn path(registry: &RegistryConfig, repository: &ImageName, kind: &str, reference: &str) -> String {
    format!("{}/v2/{repository}/{kind}/{reference}", registry.url.path.trim_end_matches('/'))
}

/// A status that is neither an answer nor "not there".
pub fn refusal(
    request: &Request<'_>,
    response: &Response<Bytes>,
    status: StatusCode,
    attempts: u32,
) -> CallError {
    if status.is_redirection() {
        let target = http::redirect_target(response);
        return CallError::Other(format!(
            "{request}: answers {status} and points to {target}; redirects are not followed: the registry must \
             serve its content itself"
        ));
    }
    let body = match response.body() {
        body if body.is_empty() => String::new(),
        body => format!(": {}", quoted_bytes(body, SHOWN)),
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallError::Other(format!(
            "{request}: answers {status}{body}; no credentials are sent: the registry must be open to this machine, \
             and to nobody else (it listens on loopback only)"
        )),
        StatusCode::TOO_MANY_REQUESTS => CallError::Unavailable(busy(request, status, attempts, &body)),
        _ if status.is_server_error() => CallError::Unavailable(busy(request, status, attempts, &body)),
        _ => CallError::Other(format!("{request}: answers {status}{body}")),
    }
}

fn busy(request: &Request<'_>, status: StatusCode, attempts: u32, body: &str) -> String {
    match attempts {
        1 => format!("{request}: answers {status}{body}"),
        _ => format!("{request}: answers {status}, asked {attempts} times{body}"),
    }
}

fn content_type(response: &Response<Bytes>) -> String {
    http::header(response, CONTENT_TYPE)
        .map_or_else(|| "no content type".to_owned(), |name| quoted(name, SHOWN))
}

#[cfg(test)]
mod tests;
