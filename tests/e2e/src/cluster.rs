//! A stage whose Kubernetes runtime is the lab's cluster on D601, reached as an operator reaches it: images come from the
//! registry on D601's loopback, the API server through SSH.

use std::path::PathBuf;

use lab::cluster::{Cluster, KUBECONFIG, Workload};
use lab::{Bench, D601};

use crate::{PushedImage, Run, SampleImage, Settings, Stage, commit};

/// Where the dev services are.
pub const NAMESPACE: &str = "unidesk-dev";
/// The Deployment of the service in dev, and its Service.
pub const DEPLOYMENT: &str = "decision-center-dev";
/// The service.
pub const SERVICE: &str = "decision-center";

/// D601, started once per test; the cluster on it borrows it.
#[must_use]
pub fn d601() -> D601 {
    D601::start(&Bench::from_environment().expect("the lab")).expect("D601")
}

/// A cluster, and a stage that deploys to it.
pub struct Scene<'a> {
    /// D601.
    pub d601: &'a D601,
    /// On it.
    pub cluster: Cluster<'a>,
    /// Deploys to it.
    pub stage: Stage,
}

impl<'a> Scene<'a> {
    /// The operator has D601's own kubeconfig, whose API server is on D601's loopback.
    #[must_use]
    pub fn set(d601: &'a D601, limits: &str) -> Self {
        Self::with(d601, limits, Settings::default())
    }

    /// The same with other plugins or policies.
    #[must_use]
    pub fn with(d601: &'a D601, limits: &str, settings: Settings) -> Self {
        let cluster = Cluster::start(d601).expect("a cluster");
        let kubeconfig = d601.ssh(&["sudo", "-n", "cat", KUBECONFIG]).expect("a kubeconfig");
        let config = d601.ssh_config().display().to_string();
        let stage = Stage::with(Settings {
            tables: format!(
                "\n[ssh.d601]\ndestination = \"d601\"\nconfig = {config:?}\n\n[runtimes.d601-k3s]\nkind = \"kubernetes\"\n\
                 via = \"d601\"\nkubeconfig = \"k3s.yaml\"\n\n[limits]\nhealth-seconds = 5\n{limits}\n"
            ),
            registry: Some(
                "url = \"http://127.0.0.1:5000\"\nvia = \"d601\"\nnamespace = \"unidesk\"".to_owned(),
            ),
            ..settings
        });
        let scene = Self { d601, cluster, stage };
        scene.use_kubeconfig(&kubeconfig);
        scene
    }

    /// From now on deploys use this kubeconfig.
    pub fn use_kubeconfig(&self, content: &str) {
        std::fs::write(self.kubeconfig(), content).expect("a kubeconfig");
    }

    /// The operator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.stage.folder().join("k3s.yaml")
    }

    /// Publishes the image of the commit that `name` stands for.
    #[must_use]
    pub fn published(
        &self,
        name: &str,
        change: impl FnOnce(SampleImage) -> SampleImage,
    ) -> (String, PushedImage) {
        self.published_as(SERVICE, name, change)
    }

    /// The same of another service.
    #[must_use]
    pub fn published_as(
        &self,
        service: &str,
        name: &str,
        change: impl FnOnce(SampleImage) -> SampleImage,
    ) -> (String, PushedImage) {
        let commit = commit(name);
        let image = change(SampleImage::new(service, &commit));
        let pushed = self.cluster.push(&image).expect("an image in D601's registry");
        (commit, pushed)
    }

    /// What runs before anything is deployed: the image of a first commit.
    #[must_use]
    pub fn running(&self, name: &str, change: impl FnOnce(Workload) -> Workload) -> (Workload, String) {
        let (commit, pushed) = self.published(name, |image| image);
        let workload = change(Workload::new(NAMESPACE, DEPLOYMENT, &pushed.reference));
        self.cluster.run(&workload).expect("a Deployment");
        self.cluster.rolled_out(&workload).expect("its pods");
        (workload, commit)
    }

    /// `host deploy decision-center --env dev --commit COMMIT FLAGS --output json`.
    #[must_use]
    pub fn deploy(&self, commit: &str, flags: &[&str]) -> Run {
        self.stage.deploy_as(SERVICE, "dev", commit, flags)
    }
}
