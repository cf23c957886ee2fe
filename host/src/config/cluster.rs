//! `[runtimes.<name>]` of the kind `kubernetes`.

use std::path::{Path, PathBuf};

use crate::names::ConfigName;

/// Where k3s has containerd's socket (specification: the runtime `d601-k3s`).
const CONTAINERD: &str = "/run/k3s/containerd/containerd.sock";

/// A native Kubernetes and its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesRuntime {
    /// The SSH host that is its node; this machine where there is none. An API server on loopback is that of the node.
    pub via: Option<ConfigName>,
    /// The kubeconfig; where none is named, `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context of it; its current one where none is named.
    pub context: Option<String>,
    /// containerd's socket on the node.
    pub containerd: PathBuf,
}

impl KubernetesRuntime {
    /// As the keys say.
    ///
    /// # Errors
    /// In words: what is wrong, after the key that it is about.
    pub(super) fn parse(
        via: Option<ConfigName>,
        kubeconfig: Option<PathBuf>,
        context: Option<String>,
        containerd: Option<PathBuf>,
        base: &Path,
    ) -> Result<Self, (&'static str, String)> {
        let containerd = containerd.unwrap_or_else(|| CONTAINERD.into());
        if !containerd.is_absolute() {
            return Err(("containerd", format!("the path of a socket is absolute, such as {CONTAINERD}")));
        }
        let kubeconfig = kubeconfig.map(|path| base.join(path));
        Ok(Self { via, kubeconfig, context, containerd })
    }
}
