//! What `host doctor` asks of a Kubernetes runtime.

use std::time::Duration;

use super::Cluster;
use crate::answer::CallError;
use crate::backend::live::channels::Channels;
use crate::config::Limits;
use crate::diagnosis::Finding;
use crate::words::plain;

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest version that is repeated, in characters.
const SHOWN: usize = 40;

/// Whether the API server answers to whom the kubeconfig says.
pub async fn diagnose(cluster: &Cluster, channels: &Channels, limits: &Limits) -> Vec<Finding> {
    match version(cluster, channels, limits).await {
        Ok(found) => vec![Finding::ok(found)],
        Err(error) => {
            vec![Finding::told(error.message(), "see runtimes of host.toml, and whether Kubernetes runs")]
        }
    }
}

async fn version(cluster: &Cluster, channels: &Channels, limits: &Limits) -> Result<String, CallError> {
    let connected = cluster.connected(channels, limits).await?;
    let asked = connected.client.apiserver_version();
    let info = connected.asked("asking for its version", PATIENCE, asked).await?;
    Ok(format!("Kubernetes {} answers at {}", plain(&info.git_version, SHOWN), connected.address))
}
