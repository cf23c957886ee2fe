//! The services of D601's own project: what goes live there, and what is held without a container of D601 noticing.

use e2e::people::People;
use lab::D601;
use lab::project::{FINDJOB, MET_NONLINEAR, PIPELINE, Service};

use super::{d601, decision, publish, running_there, stage};

/// Every container and image name there, sorted, and when each container was started.
fn there(d601: &D601) -> [Vec<String>; 2] {
    let inspect = "docker ps --all --quiet | xargs --no-run-if-empty docker container inspect --format \
                   '{{.Id}} {{.Name}} {{.State.StartedAt}}'";
    let inspect = ["sh", "-c", inspect];
    let images = ["docker", "image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"];
    [&inspect[..], &images[..]].map(|words| {
        let told = d601.ssh(words).expect("docker there");
        let mut lines: Vec<_> = told.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    })
}

#[test]
fn d601_runs_pipeline_and_holds_what_is_only_planned() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB, PIPELINE, MET_NONLINEAR]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let commit = publish(&d601, "pipeline", "pipeline goes live");

    let run = stage.deploy_as("pipeline", "prod", &commit, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &PIPELINE), [(); 3].map(|()| commit.clone()));
    assert!(stage.project().docker().image_names("*pipeline*").expect("names").is_empty(), "and not here");

    // Those that run beside it, as a person brought them up.
    let image = format!("pipeline:{commit}");
    for service in [FINDJOB, MET_NONLINEAR] {
        d601.ssh(&["docker", "tag", &image, service.image]).expect("docker there");
        project.compose(&["up", "--detach", "--no-build", service.name]).expect("Compose there");
    }
    let (before, env_file) = (there(&d601), project.read_env_file().expect("the env file"));
    assert_eq!(before[0].len(), 3, "{before:?}");
    let disagree = "the registered Dockerfile and the long-running service contract disagree";
    for (service, environment, reason) in [
        (MET_NONLINEAR, "prod", disagree),
        (MET_NONLINEAR, "dev", disagree),
        (FINDJOB, "dev", "dev only validates"),
        (PIPELINE, "dev", "dev only validates"),
    ] {
        let next = publish(&d601, service.name, "held on D601");
        let dry = stage.deploy_as(service.name, environment, &next, &["--dry-run"]);
        assert_eq!(decision(&dry), (0, "planned".to_owned()), "{}{}", dry.stdout, dry.stderr);

        let live = stage.deploy_as(service.name, environment, &next, &["--run-now"]);
        assert_eq!(decision(&live), (3, "blocked".to_owned()), "{}{}", live.stdout, live.stderr);
        assert_eq!(live.text("/error/step"), "guard.hold", "{}", live.stdout);
        assert!(live.text("/error/message").contains(reason), "{reason}: {}", live.stdout);
        assert_eq!(
            (there(&d601), project.read_env_file().expect("the env file")),
            (before.clone(), env_file.clone())
        );
    }
}

#[test]
fn d601_holds_what_is_only_planned_with_an_approval_too() {
    let d601 = d601();
    let adapter = Service {
        name: "k3sctl-adapter",
        image: "k3sctl-adapter",
        container: "k3sctl-adapter-backend",
        secrets: &[],
    };
    d601.project("unidesk", &[MET_NONLINEAR, adapter]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let people = People::at(stage.folder());
    let before = there(&d601);
    for (service, environment) in [(MET_NONLINEAR, "dev"), (adapter, "prod")] {
        let commit = publish(&d601, service.name, "approved and held");
        let file = stage.folder().join(service.name).display().to_string();
        let what = ["deploy", "plan", "--env", environment, "--service", service.name, "--commit", &commit];
        let how = ["--output", "json", "--out", &file, "--key", &people.key("ann")];
        let run = stage.host(&[&what[..], &how].concat());
        assert_eq!(decision(&run), (0, "planned".to_owned()), "{}{}", run.stdout, run.stderr);
        let key = people.key("bob");
        let run = stage.host(&["deploy", "approve", &file, "--role", "supervisor", "--key", &key]);
        assert_eq!(run.code, 0, "{run:?}");

        let run = stage.host(&["deploy", "apply", &file, "--run-now", "--output", "json"]);
        assert_eq!(decision(&run), (3, "blocked".to_owned()), "{}{}", run.stdout, run.stderr);
        assert_eq!(run.json()["services"][0]["error"]["step"], "guard.hold", "{}", run.stdout);
        assert_eq!(there(&d601), before);
    }
}

/// How often somebody logged in there so far, this question included.
fn logins(d601: &D601) -> usize {
    let accepted = "sudo -n journalctl --sync; sudo -n journalctl --unit ssh --output cat | grep --count 'Accepted publickey'";
    let told = d601.ssh(&["sh", "-c", accepted]).expect("the journal there");
    told.trim().parse().expect("a number")
}

#[test]
fn d601_is_connected_to_once_however_many_services_are_looked_at() {
    let d601 = d601();
    d601.project("unidesk", &[FINDJOB, PIPELINE, MET_NONLINEAR]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let services = [FINDJOB, PIPELINE, MET_NONLINEAR].map(|service| service.name);
    let commits = services.map(|service| publish(&d601, service, "looked at together"));
    let [commit, others @ ..] = &commits;
    assert!(others.iter().all(|other| other == commit), "one name, one commit");
    let mut plan = vec!["deploy", "plan", "--env", "prod", "--commit", commit, "--output", "json"];
    plan.extend(services.iter().flat_map(|service| ["--service", service]));

    let before = logins(&d601);
    let run = stage.host(&plan);
    let after = logins(&d601);

    assert_eq!(run.json()["services"].as_array().map(Vec::len), Some(3), "{run:?}");
    assert_eq!(after - before, 2, "the plan's, and that of the second question: {run:?}");
}
