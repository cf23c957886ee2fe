//! A cluster on D601 with one Deployment, and how it is reached: by `host` as `host.toml` says, and by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::cluster::{Cluster, KUBECONFIG, Workload};
use lab::d601::REGISTRY;
use lab::project::Settings;
use lab::{Bench, D601, Error, Project, PushedImage, SampleImage, image, paths};
use tempfile::TempDir;

use super::idle;
use crate::Result;
use crate::delivery::Published;
use crate::forward::Forward;

/// The service, and where it is in dev.
pub const SERVICE: &str = "decision-center";
pub const NAMESPACE: &str = "unidesk-dev";
pub const DEPLOYMENT: &str = "decision-center-dev";

/// How long pods on their way out are waited for, and how often they are looked for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

pub struct Scene<'a> {
    pub d601: &'a D601,
    pub cluster: Cluster<'a>,
    pub workload: Workload,
    /// To the registry, and to the API server.
    pub forwards: [Forward; 2],
    /// What runs where nothing was deployed yet.
    pub first: Published,
    project: Project,
    kubectl: Option<PathBuf>,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    pub fn set(bench: &Bench, d601: &'a D601) -> lab::Result<Self> {
        let cluster = Cluster::start(d601)?;
        let folder = TempDir::with_prefix("host-bench-").map_err(Error::io("make a temporary folder"))?;
        let kubeconfig = d601.ssh(&["sudo", "-n", "cat", KUBECONFIG])?;
        paths::write(&folder.path().join("k3s.yaml"), kubeconfig)?;
        let mut settings = Settings::through_d601(d601, "none");
        settings.tables.push_str(
            "\n[runtimes.d601-k3s]\nkind = \"kubernetes\"\nvia = \"d601\"\nkubeconfig = \"k3s.yaml\"\n",
        );
        let project = bench.project(folder.path(), "host-bench", &settings)?;
        let first = published(&cluster, "bench kubernetes, first")?;
        let workload = Workload::new(NAMESPACE, DEPLOYMENT, &first.pushed.reference);
        cluster.run(&workload)?;
        cluster.rolled_out(&workload)?;
        let chosen =
            |far: &str| Forward::chosen(far).map_err(|error| Error::unexpected("a free port", error));
        let forwards = [chosen(REGISTRY)?, chosen("127.0.0.1:6443")?];
        let kubectl = paths::program(&["kubectl"]);
        Ok(Self { d601, cluster, workload, forwards, first, project, kubectl, folder })
    }

    /// Which kubectl it is: that of the machine, or else the lab's, which starts more slowly for all that is in it.
    pub fn described(&self) -> Result<String> {
        let says = lab::process::output(self.kubectl().args(["version", "--client"]))?;
        let version = says.lines().next().unwrap_or_default().replace("Client Version: ", "");
        let alone = idle(|| {
            let mut kubectl = self.kubectl();
            kubectl.args(["version", "--client"]);
            kubectl
        })?;
        let whose = if self.kubectl.is_some() { "this machine's" } else { "the lab's" };
        Ok(format!(
            "kubectl: {whose} {version}; `kubectl version --client`, which asks nobody, takes {alone}"
        ))
    }

    /// `kubectl` that reaches the API server at D601's own address.
    pub fn kubectl(&self) -> Command {
        self.kubectl_with(&self.cluster.kubeconfig())
    }

    /// `kubectl` that reaches it through an open forward.
    pub fn kubectl_forwarded(&self) -> Command {
        let mut kubectl = self.kubectl_with(&self.folder.path().join("k3s.yaml"));
        kubectl.arg(format!("--server=https://{}", self.forwards[1].near));
        kubectl
    }

    fn kubectl_with(&self, kubeconfig: &Path) -> Command {
        let of_the_lab = self.cluster.kubectl_with(kubeconfig);
        let Some(program) = &self.kubectl else { return of_the_lab };
        let mut kubectl = Command::new(program);
        let variables = of_the_lab.get_envs().filter_map(|(name, value)| Some((name, value?)));
        kubectl.envs(variables);
        kubectl
    }

    /// `host deploy`, for real.
    pub fn deploy(&self, commit: &str) -> Result<Command> {
        let mut host = self.project.host()?;
        host.args(["deploy", SERVICE, "--env", "dev", "--commit", commit, "--run-now", "--output", "json"]);
        host.stdin(Stdio::null());
        Ok(host)
    }

    /// Publishes an image and brings it to the node as `host` would: under the names that a deploy leaves.
    pub fn brought(&self, name: &str) -> Result<Published> {
        let image = published(&self.cluster, name)?;
        let by_digest = pinned(&image.pushed);
        self.cluster.ctr(&["images", "pull", "--plain-http", &by_digest])?;
        self.cluster.ctr(&["images", "tag", &by_digest, &image.pushed.reference])?;
        Ok(image)
    }

    /// Waits until there is no pod but the one that serves: what is on its way out takes time from what is measured next.
    pub fn settled(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let pods = self.cluster.kubectl(&["get", "pods", "--namespace", NAMESPACE, "--output=name"])?;
            if pods.lines().count() == 1 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("there are still other pods: {pods}").into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Has the Deployment run what it ran first, and waits until nothing else runs.
    pub fn back_to_first(&self) -> Result<()> {
        let (deployment, image) = set_image(&self.first.pushed.reference);
        self.cluster.kubectl(&["--namespace", NAMESPACE, "set", "image", &deployment, &image])?;
        self.cluster.rolled_out(&self.workload)?;
        self.settled()
    }
}

/// What `kubectl set image` is told: the Deployment, and the image of its container.
pub fn set_image(image: &str) -> (String, String) {
    (format!("deployment/{DEPLOYMENT}"), format!("{DEPLOYMENT}={image}"))
}

/// The name of an image by its digest, in the same repository.
pub fn pinned(image: &PushedImage) -> String {
    let repository = image.reference.rsplit_once(':').map_or("", |(repository, _)| repository);
    format!("{repository}@{}", image.digest)
}

fn published(cluster: &Cluster<'_>, name: &str) -> lab::Result<Published> {
    let commit = image::commit(name);
    let pushed = cluster.push(&SampleImage::new(SERVICE, &commit))?;
    Ok(Published { commit, pushed })
}
