//! `host deploy plan --env prod` over services of all shapes that run, on this machine and behind SSH, beside the plan of
//! the slowest of them alone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lab::cluster::{Cluster, KUBECONFIG, Workload};
use lab::image::commit;
use lab::project::{FINDJOB, FRONTEND, PROJECT_MANAGER, Settings};
use lab::{Bench, D601, Error, SampleImage, paths};
use serde_json::json;
use tempfile::TempDir;

use crate::Result;
use crate::sample;
use crate::stage;
use crate::table::{Table, shown};

const SAMPLES: usize = 10;
/// What all of them may take, as a multiple of the slowest one alone.
const TOGETHER: f64 = 1.5;
/// On the main server, on D601, and in its Kubernetes, where they come to dev first.
const SERVICES: [&str; 5] = [PROJECT_MANAGER.name, FRONTEND.name, FINDJOB.name, "decision-center", "mdtodo"];
const IN_KUBERNETES: &[&str] = &["decision-center", "mdtodo"];
const SIDES: usize = SERVICES.len() + 1;
/// The Compose project on D601.
const THERE: &str = "bench-plan";

pub fn measure(table: &mut Table) -> Result<()> {
    let Ok(bench) = Bench::from_environment() else {
        table.note("plan: not measured, no engine can be started here".to_owned());
        return Ok(());
    };
    let mut on_d601 = || -> Result<()> {
        eprintln!("  starting D601 and a cluster on it");
        let d601 = D601::start(&bench)?;
        let cluster = Cluster::start(&d601)?;
        let scene = Scene::set(&bench, &d601, &cluster)?;
        let measured = scene.plans(table);
        scene.project.remove()?;
        measured
    };
    match on_d601() {
        Err(error) if matches!(error.downcast_ref(), Some(Error::Missing { .. })) => {
            table.note(format!("plan: not measured: {error}"));
            Ok(())
        }
        measured => measured,
    }
}

struct Scene {
    config: PathBuf,
    project: lab::Project,
    _folder: TempDir,
}

impl Scene {
    /// Everything is deployed, to dev and then to prod.
    fn set(bench: &Bench, d601: &D601, cluster: &Cluster<'_>) -> Result<Self> {
        let folder = TempDir::with_prefix("host-bench-")?;
        let mut settings = Settings::through_d601(d601, THERE);
        settings.tables.push_str(
            "\n[runtimes.d601-k3s]\nkind = \"kubernetes\"\nvia = \"d601\"\nkubeconfig = \"k3s.yaml\"\n\n\
             [catalog]\ndesired = \"deploy.json\"\n",
        );
        let project = bench.project(folder.path(), "host-bench", &settings)?;
        paths::write(&folder.path().join("k3s.yaml"), d601.ssh(&["sudo", "-n", "cat", KUBECONFIG])?)?;
        d601.project(THERE, &[FINDJOB])?;
        let mut desired = json!({ "dev": {}, "prod": {} });
        for service in SERVICES {
            let commit = commit(&format!("bench plan, {service}"));
            let image = d601.push(&SampleImage::new(service, &commit))?;
            desired["prod"][service] = json!(commit);
            if IN_KUBERNETES.contains(&service) {
                desired["dev"][service] = json!(commit);
                let dev = Workload::new("unidesk-dev", &format!("{service}-dev"), &image.reference);
                let prod = Workload::new("unidesk", service, &image.reference);
                for workload in [dev, prod] {
                    cluster.run(&workload)?;
                    cluster.rolled_out(&workload)?;
                }
            }
        }
        fs::write(folder.path().join("deploy.json"), desired.to_string())?;
        let scene = Self { config: project.host_toml(), project, _folder: folder };
        for environment in ["dev", "prod"] {
            stage::whole_process(&mut scene.host(&[
                "deploy",
                "apply",
                "--env",
                environment,
                "--run-now",
            ])?)?;
        }
        Ok(scene)
    }

    fn host(&self, arguments: &[&str]) -> Result<Command> {
        stage::program(&self.config, arguments)
    }

    fn plans(&self, table: &mut Table) -> Result<()> {
        let sides = sample::in_turn(SAMPLES, || {
            let mut took = Vec::with_capacity(SIDES);
            let plan = ["deploy", "plan", "--env", "prod", "--output", "json"];
            took.push(stage::whole_process(&mut self.host(&plan)?)?);
            for service in SERVICES {
                let alone = [&plan[..], &["--service", service]].concat();
                took.push(stage::whole_process(&mut self.host(&alone)?)?);
            }
            <[_; SIDES]>::try_from(took).map_err(|_| "a side was not measured".into())
        })?;
        let [all, alone @ ..] = &sides;
        let each = SERVICES.iter().zip(alone);
        let Some((slowest, other)) = each.clone().max_by_key(|(_, samples)| samples.median()) else {
            return Ok(());
        };
        let what = format!("deploy plan of {} services that run, against {slowest} alone", SERVICES.len());
        let met = all.ratio(other) <= TOGETHER;
        table.against(&what, all, other, &format!("≤ {TOGETHER} ×"), met);
        let told: Vec<_> =
            each.map(|(service, samples)| format!("{service} {}", shown(samples.median()))).collect();
        table.note(format!("deploy plan of one service: {}", told.join(", ")));
        Ok(())
    }
}
