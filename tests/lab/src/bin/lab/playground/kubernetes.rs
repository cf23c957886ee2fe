//! Deployments in the lab's Kubernetes, and what `host` needs to deploy to them: an account with the rights that are shipped,
//! and the secrets that pods of frontend read.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use lab::{
    Error, Result,
    cluster::{Cluster, Workload},
    paths,
};
use serde_json::json;

use super::commits::Commits;
use crate::screen::Screen;

/// A service with a Deployment in either environment.
pub const DECISION_CENTER: &str = "decision-center";

/// Where Deployments of dev are, and those of prod.
const NAMESPACES: [&str; 2] = ["unidesk-dev", "unidesk"];

/// What `host.toml` says of it.
pub const TABLES: &str = r#"
[runtimes.d601-k3s]
kind = "kubernetes"
via = "d601"
kubeconfig = "k3s.yaml"

[secrets.frontend]
json = "frontend-auth.json"
pointer = "/auth"
"#;

/// What can be deployed to.
pub struct Workloads<'a> {
    cluster: &'a Cluster<'a>,
    /// In dev.
    pub decision_center_dev: Workload,
    /// In prod.
    pub decision_center: Workload,
    /// In dev; in prod it runs elsewhere.
    pub frontend_dev: Workload,
}

impl<'a> Workloads<'a> {
    /// Runs the first commits where nothing runs yet; `folder` is that of `host.toml`.
    pub fn set_up(
        cluster: &'a Cluster<'a>,
        folder: &Path,
        decision_center: &Commits,
        frontend: &Commits,
    ) -> Result<Self> {
        let [dev, prod] = NAMESPACES;
        let image = |commits: &Commits| {
            format!("{}/unidesk/{}:{}", lab::d601::REGISTRY, commits.service, commits.first)
        };
        let password = json!({ "name": "frontend-dev-auth", "key": "password", "optional": true });
        let all = Self {
            cluster,
            decision_center_dev: Workload::new(dev, "decision-center-dev", &image(decision_center)),
            decision_center: Workload::new(prod, DECISION_CENTER, &image(decision_center)),
            frontend_dev: Workload::new(dev, "frontend-dev", &image(frontend))
                .env_from("FRONTEND_PASSWORD", json!({ "valueFrom": { "secretKeyRef": password } })),
        };
        for workload in [&all.decision_center_dev, &all.decision_center, &all.frontend_dev] {
            let deployment = format!("deployment/{}", workload.name());
            if cluster.get(workload.namespace(), &deployment).is_err() {
                cluster.run(workload)?;
                cluster.rolled_out(workload)?;
            }
        }
        let manifests = paths::policies().join("kubernetes");
        let kubeconfig = cluster.kubeconfig_by_manifests(&manifests, prod, "host")?;
        write_secret(&folder.join("k3s.yaml"), &kubeconfig)?;
        let source = folder.join("frontend-auth.json");
        if !source.exists() {
            let auth =
                json!({ "username": "operator", "password": "not for use", "sessionSecret": "nor this" });
            write_secret(&source, &json!({ "auth": auth }).to_string())?;
        }
        Ok(all)
    }

    /// How to see what runs.
    pub fn tell(&self, screen: &Screen, workload: &Workload) {
        let kubectl = self.cluster.kubectl_by_hand();
        let container = "{.spec.template.spec.containers[0]";
        screen.line(&format!(
            "{kubectl} --namespace {} get deployment {} --output jsonpath='{container}.image}} {container}.env}} \
             {{.spec.template.metadata.annotations}}'",
            workload.namespace(),
            workload.name()
        ));
        screen.line(&format!("{kubectl} get --raw {}", workload.health_path()));
    }
}

/// For its owner only.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    paths::write(path, text)?;
    set_permissions(path, Permissions::from_mode(0o600))
        .map_err(Error::io(format!("protect {}", path.display())))
}
