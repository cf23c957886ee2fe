//! Ctrl-C leaves things clean: the current change is finished or taken back, the journal says so, the exit code is 130.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use e2e::{Behaviour, Run, SERVICE, SampleImage, Stage, commit};
use rustix::process::{Pid, Signal, kill_process_group};

/// Starts a command in a process group of its own and, once its standard error contains `cue`, sends the whole group a
/// signal, as a terminal does.
fn signalled_at(command: &mut Command, cue: &str, signal: Signal) -> Run {
    let mut child =
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let group = Pid::from_child(&child);
    let mut stderr = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
    for line in lines.by_ref().map_while(Result::ok) {
        stderr.push_str(&line);
        stderr.push('\n');
        if line.contains(cue) {
            break;
        }
    }
    kill_process_group(group, signal).expect("a signal");
    for line in lines.map_while(Result::ok) {
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let mut run = Run::from(child.wait_with_output().expect("the program"));
    run.stderr = stderr;
    run
}

/// A deploy that waits for a health that never comes, and then goes back.
struct Awaiting {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Awaiting {
    fn start(stage: &Stage, commit: &str) -> Self {
        let mut command = stage.command(&deploy(commit, &["--on-failure", "rollback"]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error")).lines();
        let mut lines = stderr.by_ref().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("compose.expect")), "it is waiting for health now");
        Self { child, stderr }
    }

    fn end(self) -> Run {
        drop(self.stderr.last());
        Run::from(self.child.wait_with_output().expect("the program"))
    }
}

fn deploy<'a>(commit: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments =
        vec!["deploy", SERVICE, "--env", "prod", "--commit", commit, "--run-now", "--output", "json"];
    arguments.extend(more);
    arguments
}

#[test]
fn while_health_is_awaited_the_new_container_stays() {
    let stage = Stage::new();
    let commit = commit("never ready");
    stage.publish(&SampleImage::new(SERVICE, &commit).behaviour(Behaviour::NeverReady));

    let run = signalled_at(&mut stage.command(&deploy(&commit, &[])), "compose.expect", Signal::INT);

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("was started from commit"), "{run:?}");
    let list = stage.host(&["runs", "list", "--output", "json"]).json();
    assert_eq!(list["runs"][0]["decision"], "interrupted");
    assert_eq!(list["runs"][0]["exitCode"], 130);
}

#[test]
fn with_rollback_the_old_container_comes_back() {
    let stage = Stage::new();
    let good = stage.published("good");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0);
    let bad = commit("never ready");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::NeverReady));

    let run = signalled_at(
        &mut stage.command(&deploy(&bad, &["--on-failure", "rollback"])),
        "compose.expect",
        Signal::HUP,
    );

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(good));
}

#[test]
fn while_the_image_is_on_its_way_nothing_is_left() {
    let stage = Stage::new();
    let before = stage.snapshot();
    let commit = commit("large");
    stage.publish(&SampleImage::new(SERVICE, &commit).padding(200 << 20));

    // Right after this the pull begins.
    let run = signalled_at(&mut stage.command(&deploy(&commit, &[])), "registry.resolve", Signal::TERM);

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0], "{run:?}");
}

#[test]
fn an_activation_is_never_cut_in_half() {
    let stage = Stage::new();
    let (first, second) = (stage.published("first"), stage.published("second"));
    assert_eq!(stage.deploy(&first, &["--run-now"]).code, 0);

    // The activation begins when the delivery has ended. Docker and Compose are in the same terminal.
    let run = signalled_at(&mut stage.command(&deploy(&second, &[])), "image.deliver", Signal::INT);

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    let running = stage.running().expect("label, environment and health agree on one commit");
    let env = std::fs::read_to_string(stage.project().env_file()).expect("the env file");
    assert!(env.contains(&format!("DEPLOY_COMMIT={running}")), "the env file says what runs: {env}");
    let stable = stage.snapshot().images.get("project-manager:latest").cloned();
    assert_eq!(stable, stage.snapshot().images.get(&format!("project-manager:{running}")).cloned());
}

#[test]
fn after_a_killed_deploy_the_next_one_works_and_knows_what_ran() {
    let stage = Stage::new();
    let good = stage.published("good");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0);
    let bad = commit("never ready");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::NeverReady));

    let killed = signalled_at(&mut stage.command(&deploy(&bad, &[])), "compose.expect", Signal::KILL);

    assert_eq!(killed.stdout, "");
    let list = stage.host(&["runs", "list", "--output", "json"]).json();
    assert_eq!(list["runs"][0]["decision"], serde_json::Value::Null, "it never ended");
    let run = stage.deploy(&good, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(run.text("/rollback/previousCommit"), bad, "that one really ran");
}

#[test]
fn two_deploys_of_one_service_exclude_each_other() {
    let stage = Stage::new();
    let slow = commit("never ready");
    stage.publish(&SampleImage::new(SERVICE, &slow).behaviour(Behaviour::NeverReady));
    let good = stage.published("good");
    let first = Awaiting::start(&stage, &slow);

    let second = stage.deploy(&good, &["--run-now"]);

    assert_eq!(second.outcome(), (3, "blocked".to_owned()), "{second:?}");
    assert_eq!(second.text("/error/code"), "locked");
    assert_eq!(second.json()["retryable"], true);
    let first = first.end();
    assert_eq!(first.outcome(), (1, "rolled-back".to_owned()), "{first:?}");
    assert_eq!(stage.deploy(&good, &["--run-now"]).code, 0, "afterwards it works");
}

#[test]
fn a_deploy_that_waits_looks_at_everything_after_the_other_one() {
    let stage = Stage::new();
    let slow = commit("never ready, and waited for");
    stage.publish(&SampleImage::new(SERVICE, &slow).behaviour(Behaviour::NeverReady));
    let good = stage.published("good after a wait");
    let first = Awaiting::start(&stage, &slow);

    let second = stage.deploy(&good, &["--run-now", "--wait"]);

    let first = first.end();
    assert_eq!(first.outcome(), (1, "rolled-back".to_owned()), "{first:?}");
    assert_eq!(second.outcome(), (0, "deployed".to_owned()), "{second:?}");
    assert!(
        second.stderr.contains("waiting: another deploy of project-manager is in progress"),
        "{second:?}"
    );
    assert_eq!(stage.running(), Some(good));
}

#[test]
fn two_services_of_one_project_are_deployed_at_once() {
    let stage = Stage::new();
    let good = stage.published("two at once");
    stage.publish(&SampleImage::new("frontend", &good));
    let children = [SERVICE, "frontend"].map(|service| {
        let arguments =
            ["deploy", service, "--env", "prod", "--commit", &good, "--run-now", "--output", "json"];
        stage.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
    });
    for child in children {
        let run = Run::from(child.wait_with_output().expect("the program"));
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    }
    let env_file = std::fs::read_to_string(stage.project().env_file()).expect("the env file");
    for key in ["UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT", "UNIDESK_FRONTEND_DEPLOY_COMMIT"] {
        assert!(env_file.contains(&format!("{key}={good}\n")), "{env_file}");
    }
}
