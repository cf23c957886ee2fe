//! Through SSH, on real machines: images of D601's registry for the main server's project, and D601's own project. What came
//! of it is seen with docker and curl. `lab run` prepares D601 for tests whose names begin with `d601_`.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::{Run, SampleImage, Settings, Stage, commit};
use lab::d601::RemoteProject;
use lab::project::{FINDJOB, FRONTEND};
use lab::snapshot::{Running, Snapshot};
use lab::{Bench, D601};

/// How many deploy the same service at the same moment.
const TOGETHER: usize = 10;

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
             env-file = \"config.json#/providerGateway/upgrade/composeEnvFile\"\n\n[limits]\nhealth-seconds = 5\ndocker-seconds = 10\n"
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

/// What listens on this machine, as the kernel tells.
fn listening() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let mut listening: Vec<_> = table
        .lines()
        .filter(|line| line.split_whitespace().nth(3) == Some("0A"))
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect();
    listening.sort();
    listening
}

/// What runs as findjob there, from label, environment and health.
fn running_there(project: &RemoteProject<'_>) -> [String; 3] {
    let container = project.container(FINDJOB.container).expect("docker there").expect("a container");
    let label = container["Config"]["Labels"]["org.opencontainers.image.revision"].as_str();
    let stamp = format!("{}COMMIT=", FINDJOB.stamp_prefix());
    let mut env = container["Config"]["Env"].as_array().into_iter().flatten();
    let env = env.find_map(|pair| pair.as_str()?.strip_prefix(&stamp));
    let health = project.health(FINDJOB.container).expect("health there");
    [label, env, health["deploy"]["commit"].as_str()].map(|text| text.unwrap_or_default().to_owned())
}

#[test]
fn d601_feeds_the_main_server() {
    let d601 = d601();
    let stage = stage(&d601, "none");
    let commit = publish(&d601, "frontend", "frontend through ssh");
    let before = listening();

    let looked = stage.deploy_as("frontend", "prod", &commit, &["--dry-run"]);
    assert_eq!(decision(&looked), (0, "planned".to_owned()), "{}", looked.stderr);

    let run = stage.deploy_as("frontend", "prod", &commit, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    let running = Running::of_service(stage.project(), &FRONTEND).expect("what runs");
    assert!(running.is(&commit), "{running:?}");
    let names = stage.project().docker().image_names("*/*").expect("image names");
    assert!(!names.keys().any(|name| name.starts_with("127.0.0.1")), "no name of the way is left: {names:?}");
    assert_eq!(listening(), before, "nothing listens after the run");
}

#[test]
fn d601_runs_a_project_of_its_own() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let own = project.read_env_file().expect("the env file");

    let first = publish(&d601, "findjob", "findjob first");
    let run = stage.deploy_as("findjob", "prod", &first, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project), [(); 3].map(|()| first.clone()));
    let stamped = project.read_env_file().expect("the env file");
    assert!(stamped.starts_with(&own), "what was in it is still there");
    let facts = d601.ssh(&["stat", "-c", "%a %U", &project.env_file()]).expect("its facts");
    assert_eq!(facts.trim(), "600 deploy");

    // The next one replaces it; one that never gets healthy is taken back.
    let second = publish(&d601, "findjob", "findjob second");
    let run = stage.deploy_as("findjob", "prod", &second, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project), [(); 3].map(|()| second.clone()));
    let bad = commit("findjob that is never ready");
    d601.push(&SampleImage::new("findjob", &bad).behaviour(e2e::Behaviour::NeverReady)).expect("pushed");
    let run = stage.deploy_as("findjob", "prod", &bad, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(decision(&run), (1, "rolled-back".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project), [(); 3].map(|()| second.clone()));
    assert!(project.read_env_file().expect("the env file").contains(&second));

    // Whatever a deploy may not touch there is untouched, and the main server has none of it.
    let beside = d601.ssh(&["ls", "-A", &format!("{}/.state", project.directory())]).expect("a list");
    assert!(!beside.contains("unfinished"), "{beside}");
    assert!(stage.project().docker().image_names("*findjob*").expect("names").is_empty());
}

#[test]
fn d601_that_is_down_is_a_missing_channel() {
    let d601 = d601();
    let stage = stage(&d601, "unidesk");
    let commit = publish(&d601, "frontend", "frontend of a lost machine");
    let before = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    d601.cut_power().expect("no power");

    for service in ["frontend", "findjob"] {
        let begun = Instant::now();
        let run = stage.deploy_as(service, "prod", &commit, &["--run-now"]);
        assert_eq!(decision(&run), (4, "infra-blocked".to_owned()), "{}{}", run.stdout, run.stderr);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(run.text("/error/message").contains("d601"), "{}", run.stdout);
        assert_eq!(run.json()["error"]["retryable"], true, "{}", run.stdout);
    }
    let after = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    assert_eq!(before.differences(&after), [""; 0]);
}

#[test]
fn d601_is_deployed_to_by_many_at_once() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let commits = ["one of many", "another of many"].map(|name| publish(&d601, "findjob", name));

    let children: Vec<_> = (0..TOGETHER)
        .map(|number| {
            let commit = &commits[number % commits.len()];
            let arguments = ["deploy", "findjob", "--env", "prod", "--commit", commit];
            let mut command = stage.command(&arguments);
            command.args(["--run-now", "--wait", "--output", "json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
        })
        .collect();

    // Each was proved under its own lock: whatever another one did in between would have shown.
    for child in children {
        let run = Run::from(child.wait_with_output().expect("the program"));
        assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    }
    let [label, env, health] = running_there(&project);
    assert!(commits.contains(&label), "{label}");
    assert_eq!([&env, &health], [&label, &label]);
    let stamp = format!("{}COMMIT={label}\n", FINDJOB.stamp_prefix());
    assert!(project.read_env_file().expect("the env file").contains(&stamp));
}

#[test]
fn d601_is_left_clean_by_a_deploy_that_is_killed() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let commits =
        ["findjob of a killed host", "findjob after it"].map(|name| publish(&d601, "findjob", name));
    let before = listening();

    let mut command =
        stage.command(&["deploy", "findjob", "--env", "prod", "--commit", &commits[0], "--run-now"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
    let lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("image.deliver")), "it is at work");
    child.kill().expect("killed");
    child.wait().expect("its end");

    let killed = Instant::now();
    while listening() != before {
        assert!(killed.elapsed() < Duration::from_secs(10), "still there: {:?}", listening());
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = stage.deploy_as("findjob", "prod", &commits[1], &["--run-now", "--wait"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project), [(); 3].map(|()| commits[1].clone()));
    assert_eq!(listening(), before);
}

#[test]
fn d601_whose_connection_is_cut_in_an_activation_says_so_and_is_deployed_again() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let commits = ["findjob before a cut", "findjob of a cut"].map(|name| publish(&d601, "findjob", name));
    assert_eq!(stage.deploy_as("findjob", "prod", &commits[0], &["--run-now"]).code, 0);

    let arguments = ["deploy", "findjob", "--env", "prod", "--commit", &commits[1], "--output", "json"];
    let mut command = stage.command(&arguments);
    command.args(["--run-now", "--on-failure", "rollback"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
    let mut told = lines.by_ref().map_while(Result::ok);
    assert!(told.any(|line| line.contains("image.deliver")), "the activation is next");
    std::thread::sleep(Duration::from_millis(500));
    // Its sessions on D601 die, as those of a network that is gone.
    let _ = d601.ssh(&["sudo", "pkill", "-KILL", "-u", "deploy", "sshd"]);
    let rest: Vec<_> = told.collect();
    let run = Run::from(child.wait_with_output().expect("the program"));

    assert!([1, 4].contains(&run.code), "{}{rest:?}", run.stdout);
    let message = run.text("/error/message");
    assert!(message.contains("d601") && message.contains("lost"), "{message}");
    assert_eq!(run.text("/error/step"), "compose.activate", "{}", run.stdout);
    let run = stage.deploy_as("findjob", "prod", &commits[1], &["--run-now", "--wait"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project), [(); 3].map(|()| commits[1].clone()));
}
