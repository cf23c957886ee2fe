//! A Kubernetes of one node, which is D601: its pods are pulled from D601's registry, and its containerd is where k3s
//! has it.
//!
//! All parts of Kubernetes are real, as one program that is built once. What a cluster of this size can do without is
//! left out: names of services (their pods are asked through the API server), and addresses of services in pods.
//!
//! - [`programs`]: what it consists of, kept in the cache.
//! - [`node`]: how it runs on D601.
//! - [`access`]: a kubeconfig with few rights.
//! - [`workload`]: a Deployment and a Service of the sample service.

mod access;
mod node;
mod programs;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

pub use self::{
    node::{KUBECONFIG, NODE, SOCKET},
    programs::VERSION,
    workload::Workload,
};
use crate::{D601, Error, PushedImage, Result, SampleImage, Say, d601, paths, process};

/// Makes what takes long or needs the network: D601's root filesystem and the programs of the cluster, in the cache.
pub fn prepare(say: Say) -> Result<()> {
    d601::prepare(say)?;
    programs::prepare(say)
}

/// Where that of the tests keeps its files on this machine.
pub fn folder_of_tests() -> Result<PathBuf> {
    Ok(paths::target()?.join("lab/cluster"))
}

/// A cluster that answers, with its node ready for pods. Stopped and removed when dropped, unless it is left running.
///
/// It does not come back by itself where D601 reboots; another start replaces it.
#[derive(Debug)]
pub struct Cluster<'a> {
    d601: &'a D601,
    folder: PathBuf,
    kube: PathBuf,
    stays: bool,
}

impl<'a> Cluster<'a> {
    /// Starts that of the tests; [`prepare`] was called before.
    pub fn start(d601: &'a D601) -> Result<Self> {
        Self::start_in(d601, &folder_of_tests()?)
    }

    /// Starts one, with its files on this machine in a folder; whatever was left of one on this D601 is removed.
    pub fn start_in(d601: &'a D601, folder: &Path) -> Result<Self> {
        // Owned before it is started, so that what was made of it is removed in any case.
        let cluster = Self::of(d601, folder)?;
        node::install(d601)?;
        node::stop(d601)?;
        remove_folder(folder)?;
        paths::make_folder(folder)?;
        cluster.push(&node::pause())?;
        paths::write(&cluster.kubeconfig(), node::start(d601)?)?;
        cluster.wait()?;
        Ok(cluster)
    }

    /// The one that was left running on this D601 with its files in this folder, if it still does.
    pub fn left_running(d601: &'a D601, folder: &Path) -> Result<Option<Self>> {
        let cluster = Self::of(d601, folder)?.leave_running();
        let answers = cluster.kubeconfig().is_file() && cluster.kubectl(&["get", "--raw", "/readyz"]).is_ok();
        Ok(answers.then_some(cluster))
    }

    fn of(d601: &'a D601, folder: &Path) -> Result<Self> {
        Ok(Self { d601, folder: folder.to_owned(), kube: programs::kube()?, stays: false })
    }

    /// Lets it live on after this program, for as long as its D601 does.
    #[must_use]
    pub fn leave_running(mut self) -> Self {
        self.stays = true;
        self
    }

    /// Ends it and removes everything of it from D601 but its programs.
    pub fn stop(mut self) -> Result<()> {
        self.stays = true;
        node::stop(self.d601)?;
        remove_folder(&self.folder)
    }

    /// Waits until pods can be made: each needs the node and the account that it has by default.
    fn wait(&self) -> Result<()> {
        let node = format!("node/{NODE}");
        for (what, condition) in [
            (node.as_str(), "--for=create"),
            (&node, "--for=condition=Ready"),
            ("serviceaccount/default", "--for=create"),
        ] {
            self.kubectl(&["wait", condition, what, "--timeout=60s"])?;
        }
        Ok(())
    }

    /// The kubeconfig of an administrator, which reaches the API server at D601's address.
    ///
    /// That of an operator is on D601 itself ([`KUBECONFIG`]), and is of use there or through a forward.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.yaml")
    }

    /// Runs `kubectl` as an administrator and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        process::output(self.kubectl_with(&self.kubeconfig()).args(arguments))
    }

    /// `kubectl` with another kubeconfig, to which arguments can be added.
    #[must_use]
    pub fn kubectl_with(&self, kubeconfig: &Path) -> Command {
        let mut kubectl = Command::new(&self.kube);
        kubectl
            .arg("kubectl")
            .env("KUBECONFIG", kubeconfig)
            // Nothing of the user's: neither cache nor preferences.
            .env("KUBECACHEDIR", self.folder.join("cache"))
            .env("KUBERC", "off");
        kubectl
    }

    /// `kubectl` as an administrator types it.
    #[must_use]
    pub fn kubectl_by_hand(&self) -> String {
        format!("KUBECONFIG={} {} kubectl", self.kubeconfig().display(), self.kube.display())
    }

    /// What `kubectl get` says about an object such as `deployment/web`.
    pub fn get(&self, namespace: &str, object: &str) -> Result<Value> {
        let text = self.kubectl(&["get", "--namespace", namespace, object, "--output=json"])?;
        parse(object, &text)
    }

    /// Makes or changes objects as a person with a manifest would; gives their names, such as
    /// `deployment.apps/web`. A manifest may hold several.
    pub fn apply(&self, namespace: &str, manifest: &str) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new_in(&self.folder)
            .map_err(Error::io(format!("write into {}", self.folder.display())))?;
        paths::write(file.path(), manifest)?;
        let mut kubectl = self.kubectl_with(&self.kubeconfig());
        kubectl.args(["apply", "--namespace", namespace, "--output=name", "--filename"]).arg(file.path());
        Ok(process::output(&mut kubectl)?.lines().map(str::to_owned).collect())
    }

    /// Makes a Deployment with its Service, in a namespace that is made too where it is missing.
    pub fn run(&self, workload: &Workload) -> Result<()> {
        self.apply(workload.namespace(), &workload.manifest().to_string()).map(drop)
    }

    /// Waits until all pods of a Deployment are those of its newest template, and ready.
    pub fn rolled_out(&self, workload: &Workload) -> Result<()> {
        let deployment = format!("deployment/{}", workload.name());
        let status = ["rollout", "status", "--namespace", workload.namespace(), &deployment, "--timeout=60s"];
        self.kubectl(&status).map(drop)
    }

    /// What the service answers to `GET /health`, asked through the API server.
    pub fn health(&self, workload: &Workload) -> Result<Value> {
        let path = workload.health_path();
        parse(&path, &self.kubectl(&["get", "--raw", &path])?)
    }

    /// Publishes an image in the registry that the node pulls from; its reference is the one that is good there.
    pub fn push(&self, image: &SampleImage) -> Result<PushedImage> {
        self.d601.push(image)
    }

    /// Runs `ctr` on the node, in Kubernetes' part of its containerd.
    pub fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let ctr = ["sudo", "-n", "ctr", "--address", SOCKET, "--namespace", "k8s.io"];
        self.d601.ssh(&[&ctr, arguments].concat())
    }

    /// Ends all parts at once without a goodbye, as a crash would: everything that they made is left behind.
    pub fn kill(&self) -> Result<()> {
        self.d601.ssh(&["sudo", "systemctl", "kill", "--signal=KILL", "k3s-*"]).map(drop)
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        if !self.stays {
            // Nobody is left to tell; what could not be stopped ends with D601.
            node::stop(self.d601).ok();
            remove_folder(&self.folder).ok();
        }
    }
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(format!("remove {}", folder.display())))?;
    }
    Ok(())
}

fn parse(what: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::unexpected(what, error))
}
