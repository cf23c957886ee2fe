//! What `lab up` leaves to play with: sample images in D601's registry, a Compose project on either machine, and the
//! `host.toml` to deploy with.

mod commits;
mod kubernetes;

use std::{collections::BTreeSet, fs, path::PathBuf};

use lab::{
    Bench, D601, Docker, Error, Project, Registry, Result,
    cluster::Cluster,
    d601, image, paths,
    process::show,
    project::{self, FINDJOB, FRONTEND, Service, Settings},
};

use self::{commits::Commits, kubernetes::Workloads};
use crate::{screen::Screen, standing::Standing};

/// The Compose project of this machine.
const HERE: &str = "host-lab-up";

/// The Compose project of D601.
const THERE: &str = "unidesk";

/// What never gets healthy is called bad soon.
const LIMITS: &str = "\n[limits]\nhealth-seconds = 10\nrollout-seconds = 15\n";

/// Where a container answers, for `docker inspect`.
const ADDRESS: &str = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";

/// All of it, ready to be deployed to.
pub struct Playground<'a> {
    project: Project,
    d601: &'a D601,
    frontend: Commits,
    findjob: Commits,
    decision_center: Commits,
    workloads: Option<Workloads<'a>>,
}

impl<'a> Playground<'a> {
    /// Fails if what would be deployed here is somebody else's already.
    pub fn has_room(standing: &Standing, docker: &Docker) -> Result<()> {
        if standing.host_toml().exists() { Ok(()) } else { project::must_be_unused(docker) }
    }

    /// Publishes the images and writes the projects, where that is not done yet. What runs stays as it is.
    pub fn set_up(
        standing: &Standing,
        docker: &Docker,
        registry: &Registry,
        d601: &'a D601,
        cluster: Option<&'a Cluster<'a>>,
    ) -> Result<Self> {
        let (frontend, findjob) = (Commits::of(FRONTEND.name)?, Commits::of(FINDJOB.name)?);
        let decision_center = Commits::of(kubernetes::DECISION_CENTER)?;
        let all = [&frontend, &findjob, &decision_center];
        let bench = Bench::new(docker.clone(), Registry::at(registry.address()));
        let mut settings = Settings::through_d601(d601, THERE);
        settings.tables.push_str(kubernetes::TABLES);
        settings.tables.push_str(LIMITS);
        let project = bench.project(&standing.folder, HERE, &settings)?;

        let published: Vec<_> = all.into_iter().flat_map(Commits::images).collect();
        let commits = all.map(|it| format!("{} {} {}\n", it.first, it.second, it.failing));
        // With D601 goes what is said of it.
        let record = standing.on_d601();
        let before = fs::read_to_string(&record).ok();
        if before.is_none() {
            d601.project(THERE, &[FINDJOB])?;
        }
        let commits = commits.concat();
        if before.as_ref() != Some(&commits) {
            let mut digests = digests(standing)?;
            for image in published {
                let pushed = d601.push(&image)?;
                digests.extend([pushed.digest, pushed.config_digest]);
            }
            let lines: Vec<_> = digests.into_iter().collect();
            paths::write(&standing.images(), lines.join("\n"))?;
            paths::write(&record, commits)?;
        }
        let workloads = match cluster {
            Some(cluster) => Some(Workloads::set_up(cluster, &standing.folder, &decision_center, &frontend)?),
            None => None,
        };
        Ok(Self { project, d601, frontend, findjob, decision_center, workloads })
    }

    /// The `host.toml`, if everything that it speaks of is there.
    pub fn config(standing: &Standing) -> Option<PathBuf> {
        let file = standing.host_toml();
        (file.is_file() && standing.on_d601().is_file()).then_some(file)
    }

    /// Removes from the engine what was deployed to this machine.
    pub fn remove(standing: &Standing, docker: &Docker) -> Result<()> {
        project::remove(docker, HERE)?;
        docker.remove_images(&digests(standing)?).map(drop)
    }

    /// What an operator types next.
    pub fn tell(&self, screen: &Screen) -> Result<()> {
        let docker = self.project.docker();
        let mut exports = vec![format!("DOCKER_HOST={}", docker.endpoint()?)];
        exports.extend(docker.config().map(|folder| format!("DOCKER_CONFIG={}", folder.display())));
        screen.title("Play with it");
        screen.line(&format!("export {}", exports.join(" ")));

        let Service { name, container, .. } = FRONTEND;
        screen.say(&format!("{name}: Compose on this machine, which gets images through ssh"));
        self.tell_deploy(screen, &self.frontend, "prod")?;
        screen.line(&inspect(container));
        screen.line(&format!(
            "curl --silent http://$(docker inspect --format \"{ADDRESS}\" {container}):8080/health"
        ));

        let Service { name, container, .. } = FINDJOB;
        screen.say(&format!("{name}: Compose on D601"));
        self.tell_deploy(screen, &self.findjob, "prod")?;
        let ssh = format!("ssh -F {} {}", self.d601.ssh_config().display(), d601::HOST);
        screen.line(&format!("{ssh} '{}'", inspect(container)));
        let address = format!("$(docker inspect --format \"{ADDRESS}\" {container})");
        screen.line(&format!("{ssh} 'curl --silent http://{address}:8080/health'"));

        if let Some(workloads) = &self.workloads {
            for (workload, commits, environment) in [
                (&workloads.decision_center_dev, &self.decision_center, "dev"),
                (&workloads.decision_center, &self.decision_center, "prod"),
                (&workloads.frontend_dev, &self.frontend, "dev"),
            ] {
                screen.say(&format!("{} in {environment}: Kubernetes on D601", commits.service));
                self.tell_deploy(screen, commits, environment)?;
                workloads.tell(screen, workload);
            }
        }

        screen.say("what was run, how all of it is, and the end of it:");
        screen.line(&show(self.project.host()?.args(["runs", "list"])));
        screen.line("cargo xtask lab status");
        screen.line("cargo xtask lab down");
        Ok(())
    }

    fn tell_deploy(&self, screen: &Screen, commits: &Commits, environment: &str) -> Result<()> {
        let deploy = |commit: &str, more: &[&str]| -> Result<String> {
            let mut host = self.project.host()?;
            host.args(["deploy", commits.service, "--env", environment, "--commit", commit, "--run-now"]);
            Ok(show(host.args(more)))
        };
        screen.line(&deploy(&commits.first, &[])?);
        screen.line(&deploy(&commits.second, &[])?);
        screen.line(&format!(
            "{}   # never gets healthy",
            deploy(&commits.failing, &["--on-failure", "rollback"])?
        ));
        Ok(())
    }
}

/// Label and environment of a container, without single quotes: they may be around it.
fn inspect(container: &str) -> String {
    let revision = image::REVISION;
    format!(
        r#"docker inspect --format "{{{{index .Config.Labels \"{revision}\"}}}} {{{{.Config.Env}}}}" {container}"#
    )
}

/// What runs of each service, in words.
pub fn deployed(docker: &Docker, d601: &D601) -> Result<[(&'static str, String); 2]> {
    let list = |container: &str| {
        let name = format!("name=^/{container}$");
        let format = format!("{{{{.Label \"{}\"}}}}, {{{{.Status}}}}", image::REVISION);
        ["ps", "--all", "--filter", &name, "--format", &format].map(str::to_owned)
    };
    let here = list(FRONTEND.container);
    let there = list(FINDJOB.container);
    let here = docker.run(&here.each_ref().map(String::as_str))?;
    let there: Vec<&str> = ["docker"].into_iter().chain(there.iter().map(String::as_str)).collect();
    let there = d601.ssh(&there)?;
    let said = |text: String| if text.is_empty() { "not deployed".to_owned() } else { text };
    Ok([(FRONTEND.name, said(here)), (FINDJOB.name, said(there))])
}

/// The images that were ever published, by any of the digests that an engine may know them by.
fn digests(standing: &Standing) -> Result<BTreeSet<String>> {
    let file = standing.images();
    if !file.exists() {
        return Ok(BTreeSet::new());
    }
    let text = fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
    Ok(text.lines().map(str::to_owned).collect())
}
