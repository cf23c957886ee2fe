//! Through SSH, on real machines: images of D601's registry for the main server's project, and D601's own project. What came
//! of it is seen with docker and curl. `lab run` prepares D601 for tests whose names begin with `d601_`.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

mod delivery;
mod install;
mod registry;
mod services;
mod shapes;
mod together;
mod trouble;

use e2e::people::People;
use e2e::{Run, SampleImage, Settings, Stage, commit};
use lab::d601::RemoteProject;
use lab::project::Service;
use lab::{Bench, D601};

fn d601() -> D601 {
    D601::start(&Bench::from_environment().expect("the lab")).expect("D601")
}

/// The main server with a registry that only D601 reaches, and D601's own project.
fn stage(d601: &D601, project: &str) -> Stage {
    let config = d601.ssh_config().display().to_string();
    Stage::with(Settings {
        registry: Some("url = \"http://127.0.0.1:5000\"\nnamespace = \"unidesk\"\nvia = \"d601\"".to_owned()),
        tables: format!(
            "\n[ssh.d601]\ndestination = \"d601\"\nconfig = {config:?}\n\n[runtimes.d601]\nkind = \"compose\"\nvia = \"d601\"\n\
             project = \"{project}\"\nproject-directory = \"/srv/unidesk/{project}\"\n\
             env-file = \"config.json#/providerGateway/upgrade/composeEnvFile\"\n\n[limits]\nhealth-seconds = 5\ndocker-seconds = 10\n{}",
            People::TABLE
        ),
        ..Settings::default()
    })
}

fn publish(d601: &D601, service: &str, name: &str) -> String {
    let commit = commit(name);
    d601.push(&SampleImage::new(service, &commit)).expect("an image in D601's registry");
    commit
}

fn decision(run: &Run) -> (i32, String) {
    (run.code, run.text("/decision"))
}

/// What runs there as a service, from label, environment and health.
fn running_there(project: &RemoteProject<'_>, service: &Service) -> [String; 3] {
    let container = project.container(service.container).expect("docker there").expect("a container");
    let label = container["Config"]["Labels"]["org.opencontainers.image.revision"].as_str();
    let stamp = format!("{}COMMIT=", service.stamp_prefix());
    let mut env = container["Config"]["Env"].as_array().into_iter().flatten();
    let env = env.find_map(|pair| pair.as_str()?.strip_prefix(&stamp));
    let health = project.health(service.container).expect("health there");
    [label, env, health["deploy"]["commit"].as_str()].map(|text| text.unwrap_or_default().to_owned())
}
