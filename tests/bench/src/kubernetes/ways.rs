//! The ways in which a commit is deployed whose image the node has. Each begins without any connection.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::scene::{DEPLOYMENT, NAMESPACE, SERVICE, Scene, set_image};
use super::watch::Watch;
use crate::Result;
use crate::delivery::Published;
use crate::forward;
use crate::steps::Steps;

/// What a manifest of CI may be.
const ACCEPT: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

/// How long one deploy took.
pub struct Took {
    /// From the start until the API server has told that the Deployment has the new image.
    pub until_patch: Duration,
    /// From the moment at which it has told that the rollout is complete until everything had ended.
    pub after_ready: Duration,
    /// From the start until everything had ended.
    pub whole: Duration,
}

impl Took {
    /// Of a deploy that has just ended.
    fn until_now(begun: Instant, watch: &Watch, image: &Published) -> Result<Self> {
        let ended = Instant::now();
        let moments = watch.moments(&image.pushed.reference)?;
        Ok(Self {
            until_patch: moments.patched - begun,
            after_ready: ended.saturating_duration_since(moments.ready),
            whole: ended - begun,
        })
    }
}

/// By `host`: all its looks, the patch, the rollout, every pod, health.
pub fn host(scene: &Scene<'_>, watch: &Watch, image: &Published, steps: &mut Steps) -> Result<Took> {
    let mut deploy = scene.deploy(&image.commit)?;
    let begun = Instant::now();
    let output = deploy.output()?;
    let took = Took::until_now(begun, watch, image);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let took = took?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    steps.add(&report, took.whole);
    Ok(took)
}

/// How an operator does it by hand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// `kubectl set image`, `kubectl rollout status`, and the health through the API server, which is in reach without
    /// any ssh. No look at anything before.
    Direct,
    /// The same as `host` reaches the API server: on the loopback of D601, with a forward that is opened first.
    Forwarded,
    /// The same, after looks at what `host` looks at: the image in the registry and in containerd, the Deployment, and
    /// what the API server would make of the patch.
    Careful,
}

/// By hand.
pub fn by_hand(scene: &Scene<'_>, watch: &Watch, image: &Published, way: ByHand) -> Result<Took> {
    let begun = Instant::now();
    let [registry, api] = &scene.forwards;
    let _open = match way {
        ByHand::Direct => None,
        ByHand::Forwarded => Some(forward::open(&[api], scene.d601)?),
        ByHand::Careful => Some(forward::open(&[registry, api], scene.d601)?),
    };
    let kubectl = |arguments: &[&str]| {
        let mut kubectl = if way == ByHand::Direct { scene.kubectl() } else { scene.kubectl_forwarded() };
        kubectl.args(["--namespace", NAMESPACE]).args(arguments);
        lab::process::output(&mut kubectl)
    };
    let (deployment, new) = set_image(&image.pushed.reference);
    if way == ByHand::Careful {
        let url = format!("http://{}/v2/unidesk/{SERVICE}/manifests/{}", registry.near, image.commit);
        let mut head = Command::new("curl");
        lab::process::run(head.args(["--silent", "--show-error", "--fail", "--head", "-H", ACCEPT, &url]))?;
        let there = scene.cluster.ctr(&["images", "ls", &format!("name=={}", image.pushed.reference)])?;
        if !there.contains(&image.pushed.digest) {
            return Err(format!("the node does not have {}", image.pushed.reference).into());
        }
        kubectl(&["get", "deployment", DEPLOYMENT, "--output=yaml"])?;
        kubectl(&["set", "image", "--dry-run=server", &deployment, &new])?;
    }
    kubectl(&["set", "image", &deployment, &new])?;
    kubectl(&["rollout", "status", &deployment, "--timeout=60s"])?;
    let health: Value = serde_json::from_str(&kubectl(&["get", "--raw", &scene.workload.health_path()])?)?;
    let took = Took::until_now(begun, watch, image)?;
    match health.pointer("/deploy/commit").and_then(Value::as_str) {
        Some(commit) if commit == image.commit => Ok(took),
        _ => Err(format!("what serves is not {}: {health}", image.commit).into()),
    }
}
