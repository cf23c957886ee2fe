//! D601 is out of reach, its connection is cut, or the program is killed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::Run;
use e2e::line::listening;
use lab::project::{FINDJOB, FRONTEND};
use lab::snapshot::Snapshot;

use super::{d601, decision, publish, running_there, stage};

#[test]
fn d601_that_is_down_or_shows_another_key_is_a_missing_channel() {
    let d601 = d601();
    let stage = stage(&d601, "unidesk");
    let commit = publish(&d601, "frontend", "frontend of a lost machine");
    let before = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    let blocked = |words: &[&str], retryable: bool| {
        for service in ["frontend", "findjob"] {
            let begun = Instant::now();
            let run = stage.deploy_as(service, "prod", &commit, &["--run-now"]);
            assert_eq!(decision(&run), (4, "infra-blocked".to_owned()), "{}{}", run.stdout, run.stderr);
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
            let message = run.text("/error/message");
            assert!(words.iter().all(|word| message.contains(word)), "{words:?} in: {message}");
            assert_eq!(run.json()["error"]["retryable"], retryable, "{}", run.stdout);
        }
    };

    // Somebody else answers in its place; only a person can say whether that is well.
    let known = std::fs::read_to_string(d601.known_hosts()).expect("its key");
    let other = stage.folder().join("other_key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&other).status();
    assert!(made.expect("ssh-keygen").success());
    let key = std::fs::read_to_string(other.with_extension("pub")).expect("another key");
    std::fs::write(d601.known_hosts(), format!("d601,{} {key}", d601.address())).expect("known hosts");
    blocked(&["d601", "host key has changed", "SHA256:", "remove the old line", "ssh-keygen -f"], false);
    std::fs::write(d601.known_hosts(), known).expect("known hosts");

    d601.cut_power().expect("no power");
    blocked(&["d601", "cannot be reached"], true);
    let after = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    assert_eq!(before.differences(&after), [""; 0]);
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
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| commits[1].clone()));
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
    // Its sessions on D601 die when Compose is at work there, as those of a network that is gone, and with them the one that
    // says so.
    let cut = "while ! pgrep -f '[u]p -d --no-build' >/dev/null; do sleep 0.01; done; sudo pkill -KILL -u deploy sshd";
    let _ = d601.ssh(&["sh", "-c", cut]);
    let rest: Vec<_> = told.collect();
    let run = Run::from(child.wait_with_output().expect("the program"));

    assert!([1, 4].contains(&run.code), "{}{rest:?}", run.stdout);
    let message = run.text("/error/message");
    assert!(message.contains("d601") && message.contains("lost"), "{message}");
    assert_eq!(run.text("/error/step"), "compose.activate", "{}", run.stdout);
    let run = stage.deploy_as("findjob", "prod", &commits[1], &["--run-now", "--wait"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| commits[1].clone()));
}
