//! A health endpoint behind a Service, asked through the API server: no port of the cluster is open for it.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Request, Response, StatusCode};
use kube::Error;
use kube::client::Body;
use kube::core::Status;
use tokio::time::timeout;

use super::cluster::Connected;
use crate::answer::CallError;
use crate::backend::live::health::{Answered, Missed, Source};
use crate::backend::live::http::Bounds;
use crate::names::{KubernetesName, UrlPath};
use crate::words::seconds;

/// A path of a Service.
pub struct Proxied<'a> {
    /// Forwards to one of its pods.
    pub connected: &'a Connected,
    /// Of the Service.
    pub namespace: &'a KubernetesName,
    /// Its name.
    pub service: &'a KubernetesName,
    /// Name or number of its port.
    pub port: &'a KubernetesName,
    /// Of the endpoint.
    pub path: &'a UrlPath,
}

impl Source for Proxied<'_> {
    async fn answer(&self, bounds: Bounds) -> Result<Answered, Missed> {
        if let Ok(answer) = timeout(bounds.within, self.asked(bounds.body_bytes)).await {
            return answer.map(|response| Answered { response, deploy: None });
        }
        let Self { connected, namespace, service, port, .. } = self;
        let asked = format!(
            "the Service {service} of {namespace}, port {port}, was asked through the API server at {}",
            connected.address
        );
        let what = format!("{asked}, and no pod of it gave an answer within {}", seconds(bounds.within));
        Err(Missed::Late { cut_short: asked, what })
    }
}

impl Proxied<'_> {
    async fn asked(&self, most: usize) -> Result<Response<Bytes>, Missed> {
        let Self { namespace, service, port, path, .. } = self;
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}");
        let request = Request::get(path)
            .header("accept", "application/json")
            .body(Body::empty())
            .map_err(|error| self.refused(&Error::HttpError(error)))?;
        let response = self.connected.client.send(request).await.map_err(|error| self.refused(&error))?;
        let (head, body) = response.into_parts();
        let body = match Limited::new(body, most).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let what = format!("the answer is longer than {most} bytes");
                return Err(Missed::Unusable { retryable: false, what });
            }
            Err(error) => {
                let what = format!("the connection broke off before the answer was complete: {error}");
                return Err(Missed::Unusable { retryable: true, what });
            }
        };
        match said_itself(head.status, &body) {
            Some(status) => Err(self.refused(&Error::Api(Box::new(status)))),
            None => Ok(Response::from_parts(head, body)),
        }
    }

    /// What the API server says instead of a pod: some of it passes, as when no pod is ready.
    fn refused(&self, error: &Error) -> Missed {
        let Self { namespace, service, port, .. } = self;
        let what = format!("asking the Service {service} of {namespace}, port {port}, for its health");
        match self.connected.failed(&what, error) {
            CallError::Unavailable(what) => Missed::Unusable { retryable: true, what },
            error => Missed::Refused(error),
        }
    }
}

/// What is the API server's own answer, and not that of a pod behind it.
fn said_itself(code: StatusCode, body: &[u8]) -> Option<Status> {
    if code.is_success() {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    if value.get("kind")? != "Status" || value.get("apiVersion")? != "v1" {
        return None;
    }
    serde_json::from_value(value).ok()
}
