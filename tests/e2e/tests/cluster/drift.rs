//! A day on which the desired state and what runs have come apart, on the main server and on the cluster: the plan tells how
//! each of them stands and why, and `apply` brings back what a deploy can bring back, each for itself.

use std::collections::BTreeMap;
use std::fs;

use e2e::cluster::{Scene, d601};
use e2e::{Run, SampleImage, commit};
use lab::cluster::Workload;
use lab::image::SOURCE;
use lab::process;
use serde_json::{Value, json};

use crate::deploys::PROD;

/// On the main server.
const COMPOSE: [&str; 5] = ["backend-core", "frontend", "oa-event-flow", "project-manager", "todo-note"];
/// On the cluster, where Deployments in prod have the names of their services.
const CLUSTER: [&str; 3] = ["claudeqq", "decision-center", "mdtodo"];
/// The container that somebody makes without Compose.
const BY_HAND: &str = "unidesk-backend-core";

/// Service and what is told of it.
type Told = BTreeMap<String, String>;

/// The commit of a service that `name` stands for, with its image in D601's registry.
fn published(scene: &Scene<'_>, service: &str, name: &str) -> String {
    let source = |image: SampleImage| match service {
        "todo-note" => image.label(SOURCE, "https://gitee.com/Lyon1998/todo_note"),
        _ => image,
    };
    scene.published_as(service, &format!("{service} {name}"), source).0
}

/// From now on these commits are desired.
fn desire(scene: &Scene<'_>, commits: &BTreeMap<&str, String>) {
    let desired = json!({ "prod": commits });
    fs::write(scene.stage.folder().join("deploy.json"), desired.to_string()).expect("deploy.json");
}

fn deploy(scene: &Scene<'_>, command: &str, flags: &[&str]) -> Run {
    scene.stage.host(&[&["deploy", command, "--env", "prod", "--output", "json"], flags].concat())
}

fn told(run: &Run, what: &str) -> Told {
    let answer = run.json();
    let reports = answer["services"].as_array().expect("reports").iter();
    let text =
        |report: &Value, at: &str| report.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    reports.map(|report| (text(report, "/service"), text(report, what))).collect()
}

/// How each service stands to what is desired.
fn states(scene: &Scene<'_>) -> (Told, Run) {
    let plan = deploy(scene, "plan", &[]);
    (told(&plan, "/state/state"), plan)
}

fn expected<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Told {
    pairs.into_iter().map(|(service, word)| (service.to_owned(), word.to_owned())).collect()
}

fn all() -> impl Iterator<Item = &'static str> {
    COMPOSE.into_iter().chain(CLUSTER)
}

fn of_all(word: &str) -> Told {
    expected(all().map(|service| (service, word)))
}

/// Somebody's image takes a service's name, and its container starts anew with it.
fn retagged(scene: &Scene<'_>, service: &str) {
    let theirs = SampleImage::new(service, &commit(&format!("{service} of somebody")));
    let reference = scene.stage.pushed(&theirs).reference;
    let docker = scene.stage.project().docker();
    docker.run(&["pull", "--quiet", &reference]).expect("their image");
    docker.run(&["tag", &reference, service]).expect("its name");
    let up = ["up", "--detach", "--no-build", "--no-deps", service];
    process::run(scene.stage.project().compose().args(up)).expect("Compose");
}

/// What runs of two services: something else after each deploy of them.
fn made(scene: &Scene<'_>, container: &str, deployment: &str) -> [String; 2] {
    let found = scene.stage.project().docker().container(container).expect("docker").expect("a container");
    let there = scene.cluster.get(PROD, &format!("deployment/{deployment}")).expect("the Deployment");
    [found["Id"].to_string(), there["metadata"]["generation"].to_string()]
}

#[test]
fn cluster_and_main_server_are_brought_back_to_what_is_desired() {
    let d601 = d601();
    let scene = Scene::set(&d601, "\n[catalog]\ndesired = \"deploy.json\"\n");
    let workloads = CLUSTER.map(|service| {
        let before = published(&scene, service, "before all");
        let image = format!("127.0.0.1:5000/unidesk/{service}:{before}");
        let workload = Workload::new(PROD, service, &image);
        scene.cluster.run(&workload).expect("a Deployment");
        scene.cluster.rolled_out(&workload).expect("its pods");
        workload
    });
    let mut commits: BTreeMap<_, _> =
        all().map(|service| (service, published(&scene, service, "desired"))).collect();
    desire(&scene, &commits);
    let run = deploy(&scene, "apply", &["--run-now"]);
    assert_eq!(told(&run, "/decision"), of_all("deployed"), "{run:?}");
    assert_eq!(states(&scene).0, of_all("in-sync"));

    // Two commits go on, three things are done by hand, and one service goes down.
    for service in ["claudeqq", "frontend"] {
        commits.insert(service, published(&scene, service, "desired next"));
    }
    desire(&scene, &commits);
    let docker = scene.stage.project().docker();
    docker.run(&["stop", "--time", "0", "todo-note-backend"]).expect("it is stopped");
    docker.run(&["rm", "--force", BY_HAND]).expect("it is gone");
    docker.run(&["run", "--detach", "--name", BY_HAND, "backend-core"]).expect("a container");
    retagged(&scene, "oa-event-flow");
    let theirs = published(&scene, "mdtodo", "of somebody");
    let set = format!("mdtodo=127.0.0.1:5000/unidesk/mdtodo:{theirs}");
    scene
        .cluster
        .kubectl(&["--namespace", PROD, "set", "image", "deployment", "mdtodo", &set])
        .expect("kubectl");
    scene.cluster.rolled_out(&workloads[2]).expect("its pods");
    let left_alone = made(&scene, "project-manager-backend", "decision-center");

    let apart = [
        ("backend-core", "drifted", "was not made by Compose"),
        ("claudeqq", "behind", "runs commit "),
        ("decision-center", "in-sync", ""),
        ("frontend", "behind", "runs commit "),
        ("mdtodo", "drifted", theirs.as_str()),
        ("oa-event-flow", "drifted", "the container runs image sha256:"),
        ("project-manager", "in-sync", ""),
        ("todo-note", "degraded", "does not run: exited with code 137"),
    ];
    let (states_now, plan) = states(&scene);
    assert_eq!(states_now, expected(apart.map(|(service, state, _)| (service, state))), "{plan:?}");
    let reasons = told(&plan, "/state/reason");
    for (service, _, words) in apart {
        let reason = &reasons[service];
        assert!(reason.contains(words) && reason.is_empty() == words.is_empty(), "{service}: {reason}");
    }

    // A container that Compose knows nothing of is a person's to remove; it keeps none of the others.
    let run = deploy(&scene, "apply", &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    let brought_back = apart.map(|(service, state, _)| match (service, state) {
        ("backend-core", _) => (service, "failed"),
        // It is shown, and nothing is done.
        (_, "in-sync") => (service, "in-sync"),
        _ => (service, "deployed"),
    });
    assert_eq!(told(&run, "/decision"), expected(brought_back), "{run:?}");
    assert!(told(&run, "/error/message")["backend-core"].contains(&format!("rm -f {BY_HAND}")), "{run:?}");
    docker.run(&["rm", "--force", BY_HAND]).expect("it is gone");
    assert_eq!(states(&scene).0["backend-core"], "behind", "nothing runs there");
    let run = deploy(&scene, "apply", &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");

    let (states_now, plan) = states(&scene);
    assert_eq!(plan.outcome(), (0, "in-sync".to_owned()), "{plan:?}");
    assert_eq!(states_now, of_all("in-sync"), "{plan:?}");
    assert_eq!(made(&scene, "project-manager-backend", "decision-center"), left_alone);
    for workload in &workloads {
        let health = scene.cluster.health(workload).expect("an answer");
        assert_eq!(health["deploy"]["commit"], commits[workload.name()].as_str());
    }
}
