//! What an API server, or the way to it, says, in words: what was asked, where, and what to do.

use std::time::Duration;

use kube::Error;

use super::cluster::Connected;
use crate::answer::CallError;
use crate::words::{plain, seconds};

/// Longest part of an API server's own message that an error repeats, in characters.
const SHOWN: usize = 400;

impl Connected {
    /// The answer, or what is in its way, within that time.
    ///
    /// # Errors
    /// Sorted by what helps.
    pub async fn asked<T>(
        &self,
        what: &str,
        within: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout(within, call).await {
            Ok(answer) => answer.map_err(|error| self.failed(what, &error)),
            Err(_) => Err(CallError::Unavailable(format!(
                "{what}: the API server at {} gave no answer within {}",
                self.address,
                seconds(within)
            ))),
        }
    }

    /// What went wrong while `what` was done.
    #[must_use]
    pub fn failed(&self, what: &str, error: &Error) -> CallError {
        let address = &self.address;
        let Error::Api(status) = error else {
            return CallError::Unavailable(format!(
                "{what}: the API server at {address} cannot be asked ({}); check that it runs and that the kubeconfig \
                 names the right one",
                plain(&innermost(error), SHOWN)
            ));
        };
        let said = plain(status.message.trim(), SHOWN);
        match status.code {
            401 => CallError::Other(format!(
                "{what}: the API server at {address} does not know who asks ({said}); renew the credentials of the kubeconfig"
            )),
            403 => CallError::Other(format!(
                "{what}: the API server at {address} does not allow it: {said}; give the account of the \
                 kubeconfig that right"
            )),
            404 => CallError::NotFound(format!("{what}: {said}")),
            409 => CallError::Mismatch(format!("{what}: {said}")),
            429 | 500.. => CallError::Unavailable(format!(
                "{what}: the API server at {address} answered {}: {said}",
                status.code
            )),
            code => CallError::Other(format!("{what}: the API server at {address} answered {code}: {said}")),
        }
    }
}

/// The last cause: the wrappers around it only say that something went wrong.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
