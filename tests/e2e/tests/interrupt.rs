//! Ctrl-C leaves things clean: the current change is finished or taken back, the journal says so, the exit code is 130.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use e2e::{Behaviour, Run, SERVICE, SampleImage, Stage, commit};
use rustix::process::{Pid, Signal, kill_process};

/// Starts a command and sends it SIGINT once its standard error contains `cue`.
fn interrupted_at(command: &mut Command, cue: &str) -> Run {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let pid = Pid::from_child(&child);
    let mut stderr = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
    for line in lines.by_ref().map_while(Result::ok) {
        stderr.push_str(&line);
        stderr.push('\n');
        if line.contains(cue) {
            break;
        }
    }
    kill_process(pid, Signal::INT).expect("a signal");
    for line in lines.map_while(Result::ok) {
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let mut run = Run::from(child.wait_with_output().expect("the program"));
    run.stderr = stderr;
    run
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

    let run = interrupted_at(&mut stage.command(&deploy(&commit, &[])), "compose.expect");

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("now runs commit"), "{run:?}");
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

    let run =
        interrupted_at(&mut stage.command(&deploy(&bad, &["--on-failure", "rollback"])), "compose.expect");

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
    let run = interrupted_at(&mut stage.command(&deploy(&commit, &[])), "registry.resolve");

    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{run:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0], "{run:?}");
}
