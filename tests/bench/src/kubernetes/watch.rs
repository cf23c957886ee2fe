//! When the API server had what, as somebody sees it who only watches.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::scene::{DEPLOYMENT, NAMESPACE, Scene};
use crate::Result;

/// How long a change is waited for that was made already.
const PATIENCE: Duration = Duration::from_secs(30);

/// A watch of the Deployment, which ends when this value does.
pub struct Watch {
    kubectl: Child,
    told: Receiver<(Instant, Value)>,
}

/// What became of the Deployment, and when.
pub struct Moments {
    /// It had the new image.
    pub patched: Instant,
    /// All of it was new and available, and nothing old was left: that is when `kubectl rollout status` comes back.
    pub ready: Instant,
}

impl Watch {
    pub fn begin(scene: &Scene<'_>) -> Result<Self> {
        let path = format!(
            "/apis/apps/v1/namespaces/{NAMESPACE}/deployments?watch=true&timeoutSeconds=3600&fieldSelector=metadata.name%3D\
             {DEPLOYMENT}"
        );
        let mut kubectl = scene.kubectl();
        let mut kubectl =
            kubectl.args(["get", "--raw", &path]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(kubectl.stdout.take().ok_or("standard output is not there")?);
        let (tell, told) = channel();
        std::thread::spawn(move || pass_on(lines, &tell));
        let watch = Self { kubectl, told };
        // What is there already comes first.
        watch.told.recv_timeout(PATIENCE).map_err(|_| "the watch of the Deployment tells nothing")?;
        Ok(watch)
    }

    /// When the Deployment had this image, and when all of it had. What was told before is forgotten.
    pub fn moments(&self, image: &str) -> Result<Moments> {
        let mut patched = None;
        loop {
            let told = self.told.recv_timeout(PATIENCE);
            let (at, object) = told.map_err(|_| format!("nothing was told of a rollout of {image}"))?;
            if object.pointer("/spec/template/spec/containers/0/image") != Some(&Value::from(image)) {
                continue;
            }
            let patched = *patched.get_or_insert(at);
            if is_complete(&object) {
                return Ok(Moments { patched, ready: at });
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to do.
        self.kubectl.kill().and_then(|()| self.kubectl.wait()).ok();
    }
}

fn pass_on(lines: impl BufRead, tell: &Sender<(Instant, Value)>) {
    for line in lines.lines().map_while(std::result::Result::ok) {
        let at = Instant::now();
        let Ok(mut event) = serde_json::from_str::<Value>(&line) else { return };
        if tell.send((at, event["object"].take())).is_err() {
            return;
        }
    }
}

fn is_complete(object: &Value) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let wanted = number("/spec/replicas");
    number("/status/observedGeneration") >= number("/metadata/generation")
        && ["updatedReplicas", "replicas", "availableReplicas"]
            .iter()
            .all(|count| number(&format!("/status/{count}")) == wanted)
}
