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
            Err(_) => Err(self.silent(what, within)),
        }
    }

    /// That there was no answer in time.
    #[must_use]
    pub fn silent(&self, what: &str, within: Duration) -> CallError {
        CallError::Unavailable(format!(
            "{what}: the API server at {} gave no answer within {}",
            self.address,
            seconds(within)
        ))
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
            403 => CallError::Other(format!("{what}: the API server at {address} {}", refused(&said))),
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

/// What a refusal says that is one of rights, and what to do about it. Others are about what was sent: a quota, a rule of
/// the cluster.
fn refused(said: &str) -> String {
    match Missing::read(said) {
        Some(Missing { user, verb, resource, namespace: Some(namespace) }) if resource != NAMESPACES => {
            format!(
                "does not let {user} {verb} {resource} in the namespace {namespace}; apply \
             policies/kubernetes/{namespace}.yaml, and bind its Role to that account"
            )
        }
        Some(Missing { user, verb, resource, .. }) => format!(
            "does not let {user} {verb} {resource} of the cluster; apply policies/kubernetes/cluster.yaml, and bind its \
             ClusterRole to that account"
        ),
        None => format!("refuses it: {said}"),
    }
}

/// They are in no namespace, whatever a refusal says.
const NAMESPACES: &str = "namespaces";

/// A right that somebody does not have.
#[derive(Debug, PartialEq, Eq)]
struct Missing<'a> {
    user: &'a str,
    verb: &'a str,
    /// `deployments.apps`, `pods/log`.
    resource: String,
    /// Nothing for what is in none.
    namespace: Option<&'a str>,
}

impl<'a> Missing<'a> {
    /// From `… is forbidden: User "u" cannot patch resource "deployments" in API group "apps" in the namespace "n"`. The
    /// details of a Status name neither verb nor namespace.
    fn read(said: &'a str) -> Option<Self> {
        let (_, rest) = said.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, rest) = rest.split_once('"')?;
        let namespace = rest
            .split_once("in the namespace \"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(namespace, _)| namespace);
        let resource = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        Some(Self { user, verb, resource, namespace })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_the_file_that_gives_it() {
        let user = "system:serviceaccount:unidesk:host";
        for (said, expected) in [
            (
                format!(
                    "deployments.apps \"shop\" is forbidden: User \"{user}\" cannot patch resource \"deployments\" in API \
                     group \"apps\" in the namespace \"unidesk-dev\""
                ),
                format!(
                    "does not let {user} patch deployments.apps in the namespace unidesk-dev; apply \
                     policies/kubernetes/unidesk-dev.yaml, and bind its Role to that account"
                ),
            ),
            (
                format!(
                    "pods \"shop-1\" is forbidden: User \"{user}\" cannot get resource \"pods/log\" in API group \"\" in \
                     the namespace \"unidesk\": RBAC: role.rbac.authorization.k8s.io \"host\" not found"
                ),
                format!(
                    "does not let {user} get pods/log in the namespace unidesk; apply policies/kubernetes/unidesk.yaml, and \
                     bind its Role to that account"
                ),
            ),
            (
                format!(
                    "nodes is forbidden: User \"{user}\" cannot list resource \"nodes\" in API group \"\" at the cluster \
                     scope"
                ),
                format!(
                    "does not let {user} list nodes of the cluster; apply policies/kubernetes/cluster.yaml, and bind its \
                     ClusterRole to that account"
                ),
            ),
            (
                format!(
                    "namespaces \"kube-system\" is forbidden: User \"{user}\" cannot get resource \"namespaces\" in API group \
                     \"\" in the namespace \"kube-system\""
                ),
                format!(
                    "does not let {user} get namespaces of the cluster; apply policies/kubernetes/cluster.yaml, and bind its \
                     ClusterRole to that account"
                ),
            ),
        ] {
            assert_eq!(refused(&said), expected);
        }
    }

    #[test]
    fn a_refusal_that_is_not_of_rights_is_repeated() {
        let said = "secrets \"auth\" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=1, limited: secrets=1";
        assert_eq!(refused(said), format!("refuses it: {said}"));
    }
}
