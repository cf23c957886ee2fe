//! A kubeconfig of a service account that has no more rights than a manifest gives it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Cluster, parse};
use crate::{Error, Result, paths};

/// Roles and what binds an account to them.
const KINDS: [(&str, &str, &str); 2] = [
    ("role.rbac.authorization.k8s.io/", "rolebinding", "--role"),
    ("clusterrole.rbac.authorization.k8s.io/", "clusterrolebinding", "--clusterrole"),
];

impl Cluster<'_> {
    /// Makes an account in a namespace, applies a manifest of Roles there, binds the account to each of them, and
    /// gives a kubeconfig with a token of it that is good for an hour. The account must be new.
    ///
    /// What else is in the manifest is applied as well.
    pub fn kubeconfig_of_account(&self, namespace: &str, account: &str, roles: &str) -> Result<PathBuf> {
        self.kubectl(&["create", "serviceaccount", "--namespace", namespace, account])?;
        let subject = format!("--serviceaccount={namespace}:{account}");
        for object in self.apply(namespace, roles)? {
            for (prefix, binding, role) in KINDS {
                if let Some(name) = object.strip_prefix(prefix) {
                    let (bound, role) = (format!("{account}-{name}"), format!("{role}={name}"));
                    self.kubectl(&["create", binding, "--namespace", namespace, &bound, &role, &subject])?;
                }
            }
        }
        let token = self.kubectl(&["create", "token", "--namespace", namespace, account, "--duration=1h"])?;
        let file = self.folder.join(format!("{namespace}-{account}.yaml"));
        paths::write(&file, self.with_token(namespace, &token)?)?;
        Ok(file)
    }

    /// Applies a folder of manifests that make an account and bind their Roles to it, and gives a kubeconfig with a token of
    /// that account that is good for a month.
    pub fn kubeconfig_by_manifests(&self, folder: &Path, namespace: &str, account: &str) -> Result<String> {
        self.kubectl(&["apply", "--filename", &folder.display().to_string()])?;
        let token =
            self.kubectl(&["create", "token", "--namespace", namespace, account, "--duration=720h"])?;
        self.with_token(namespace, &token)
    }

    /// The administrator's kubeconfig with a token instead of the certificate. JSON is YAML as well.
    fn with_token(&self, namespace: &str, token: &str) -> Result<String> {
        let what = "kubectl config view";
        let text = self.kubectl(&["config", "view", "--raw", "--output=json"])?;
        let mut config = parse(what, &text)?;
        for (pointer, value) in [
            ("/users/0/user", json!({ "token": token })),
            ("/contexts/0/context/namespace", json!(namespace)),
        ] {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
            let parent = config.pointer_mut(parent).and_then(|parent| parent.as_object_mut());
            let parent = parent.ok_or_else(|| Error::unexpected(what, format!("it has no {pointer}")))?;
            parent.insert(key.to_owned(), value);
        }
        Ok(config.to_string())
    }
}
