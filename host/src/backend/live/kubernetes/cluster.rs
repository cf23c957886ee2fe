//! The API server of a runtime, connected to when it is first needed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::http::uri::{Authority, Scheme};
use hyper::http::{self, Uri};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::sync::OnceCell;

use super::import::Containerd;
use crate::answer::CallError;
use crate::backend::live::channels::Channels;
use crate::backend::live::machine::Machine;
use crate::config::{KubernetesRuntime, Limits};
use crate::names::RuntimeName;
use crate::words::plain;

/// For an answer of the API server to one question.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Longest reason of a kubeconfig that cannot be used, in characters.
const SHOWN: usize = 300;
/// Where an API server is, if its address does not say (Kubernetes: `--secure-port`).
const PORT: u16 = 6443;

/// A runtime with Kubernetes.
pub struct Cluster {
    /// Its name.
    pub name: RuntimeName,
    /// What the configuration says of it.
    pub runtime: KubernetesRuntime,
    connected: OnceCell<Connected>,
    node: OnceCell<Machine>,
    containerd: OnceCell<Containerd>,
}

/// The way to an API server.
pub struct Connected {
    /// Asks it.
    pub client: Client,
    /// Is told by it, over connections of its own: a watch keeps its connection, and ends it. So those of `client` stay
    /// open for the next question, and what is asked when all is ready does not begin with a handshake.
    pub watching: Client,
    /// Its address as the kubeconfig has it, for messages.
    pub address: String,
    /// The kubeconfig's context.
    pub context: String,
}

impl Cluster {
    /// Nothing is read or connected before it is asked.
    pub fn new(name: RuntimeName, runtime: KubernetesRuntime) -> Self {
        Self { name, runtime, connected: OnceCell::new(), node: OnceCell::new(), containerd: OnceCell::new() }
    }

    /// Its API server; one on the node's loopback through a forward.
    ///
    /// # Errors
    /// `Invalid` for a kubeconfig that cannot be used; as for [`Channels::authority`].
    pub async fn connected(&self, channels: &Channels, limits: &Limits) -> Result<&Connected, CallError> {
        self.connected.get_or_try_init(|| self.connect(channels, limits)).await
    }

    /// The machine that its node is.
    ///
    /// # Errors
    /// As for [`Channels::machine`].
    pub async fn node(&self, channels: &Channels) -> Result<&Machine, CallError> {
        self.node.get_or_try_init(|| channels.machine(self.runtime.via.as_ref())).await
    }

    /// The containerd of its node.
    ///
    /// # Errors
    /// As for [`Self::node`], and for a node that has none, or none that may be used.
    pub async fn containerd(&self, channels: &Channels) -> Result<&Containerd, CallError> {
        let find = || async {
            let place =
                self.runtime.via.as_ref().map_or_else(|| "this machine".to_owned(), ToString::to_string);
            Containerd::find(self.node(channels).await?, &place, &self.runtime.containerd).await
        };
        self.containerd.get_or_try_init(find).await
    }

    async fn connect(&self, channels: &Channels, limits: &Limits) -> Result<Connected, CallError> {
        let kubeconfig = match &self.runtime.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let options = KubeConfigOptions { context: self.runtime.context.clone(), ..Default::default() };
        let kubeconfig = kubeconfig.map_err(|error| self.unusable(&error))?;
        let context =
            options.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
        let loaded = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = loaded.map_err(|error| self.unusable(&error))?;
        let address = config.cluster_url.to_string();
        // What goes out must not wait for ever; what comes in, a watch, may.
        let within = Duration::from_secs(limits.ssh_connect_seconds.max(1));
        (config.connect_timeout, config.write_timeout) = (Some(within), Some(within));
        if let (Some(via), Some(far)) = (&self.runtime.via, loopback(&config.cluster_url)) {
            let near = channels.authority(Some(via), &far.to_string()).await?;
            // The certificate is for the name by which the node itself knows it.
            config.tls_server_name.get_or_insert_with(|| far.ip().to_string());
            config.cluster_url = at(&config.cluster_url, &near)?;
        }
        let made = |config: kube::Config| {
            Client::try_from(config).map_err(|error: kube::Error| {
                CallError::Invalid(format!(
                    "the kubeconfig of {} cannot be used: {}",
                    self.name,
                    plain(&error.to_string(), SHOWN)
                ))
            })
        };
        Ok(Connected { client: made(config.clone())?, watching: made(config)?, address, context })
    }

    fn unusable(&self, error: &KubeconfigError) -> CallError {
        let place = self.runtime.kubeconfig.as_ref().map_or_else(
            || "the kubeconfig of $KUBECONFIG or ~/.kube/config".to_owned(),
            |path| format!("the kubeconfig {}", path.display()),
        );
        CallError::Invalid(format!(
            "{place}, for the runtime {}, cannot be used: {}; name the right one in host.toml (runtimes.{}.kubeconfig, \
             .context)",
            self.name,
            plain(&error.to_string(), SHOWN),
            self.name
        ))
    }
}

/// The address of an API server that only its own machine reaches.
fn loopback(url: &Uri) -> Option<SocketAddr> {
    let host = url.host()?.trim_matches(['[', ']']);
    let ip: IpAddr = if host == "localhost" { [127, 0, 0, 1].into() } else { host.parse().ok()? };
    ip.is_loopback().then(|| SocketAddr::new(ip, url.port_u16().unwrap_or(PORT)))
}

/// The same address at another authority.
fn at(url: &Uri, authority: &str) -> Result<Uri, CallError> {
    let moved = authority.parse::<Authority>().map_err(http::Error::from).and_then(|authority| {
        let mut parts = url.clone().into_parts();
        parts.authority = Some(authority);
        parts.scheme.get_or_insert(Scheme::HTTPS);
        Ok(Uri::from_parts(parts)?)
    });
    moved.map_err(|error| CallError::Other(format!("{authority} is no address of an API server: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_loopback_needs_a_forward() {
        let far = |url: &str| loopback(&url.parse().expect("a URL")).map(|far| far.to_string());
        assert_eq!(far("https://127.0.0.1:6443").as_deref(), Some("127.0.0.1:6443"));
        assert_eq!(far("https://localhost/").as_deref(), Some("127.0.0.1:6443"));
        assert_eq!(far("https://[::1]:7443").as_deref(), Some("[::1]:7443"));
        for other in ["https://10.0.0.7:6443", "https://d601:6443", "https://127.example/"] {
            assert_eq!(far(other), None, "{other}");
        }
        let near =
            at(&"https://127.0.0.1:6443/k8s".parse().expect("a URL"), "127.0.0.1:40001").expect("a URL");
        assert_eq!(near.to_string(), "https://127.0.0.1:40001/k8s");
    }
}
