//! What goes wrong while an image is on its way from D601's registry to the main server's engine: there is nothing half-made
//! anywhere, what ran still runs, and the next deploy works.

use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use e2e::line::{carries, is_loopback, listening, masters, signal, until};
use e2e::{Run, SampleImage, Stage, commit};
use lab::D601;
use lab::d601::USER;
use lab::project::{FINDJOB, FRONTEND};
use lab::snapshot::{Running, Snapshot};
use rustix::process::Signal;

use super::{d601, decision, publish, running_there, stage};

/// Bytes of an image that takes long enough to have a middle, and how many of them are on their way there.
const LARGE: usize = 96 << 20;
const MIDDLE: u64 = 8 << 20;
/// What is lost is told within this time.
const SOON: Duration = Duration::from_secs(20);

/// A deploy whose image is on its way.
struct Delivering(Child);

impl Delivering {
    fn of(stage: &Stage, commit: &str) -> Self {
        let arguments = ["deploy", "frontend", "--env", "prod", "--commit", commit, "--output", "json"];
        let mut command = stage.command(&arguments);
        command.args(["--run-now", "--on-failure", "rollback"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        carries(MIDDLE);
        Self(child)
    }

    /// Does something while nothing comes through its connection: what is on its way cannot arrive before.
    fn halted(self, meanwhile: impl FnOnce()) -> Self {
        let line = masters();
        signal(&line, Signal::STOP);
        meanwhile();
        signal(&line, Signal::CONT);
        self
    }

    fn killed(mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("its end");
    }

    fn end(self) -> Run {
        Run::from(self.0.wait_with_output().expect("the program"))
    }
}

/// An image that takes its time.
fn large(d601: &D601, name: &str) -> String {
    let commit = commit(name);
    d601.push(&SampleImage::new("frontend", &commit).padding(LARGE)).expect("an image in D601's registry");
    commit
}

/// What a delivery that ended in the middle must say, in time, and leave: everything as it was.
fn holds(stage: &Stage, before: &Snapshot, lost: Instant, run: &Run, words: &[&str]) {
    assert!(lost.elapsed() < SOON, "{:?}: {}", lost.elapsed(), run.stdout);
    assert_eq!(decision(run), (4, "infra-blocked".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.text("/error/step"), "image.deliver", "{}", run.stdout);
    assert_eq!(run.json()["error"]["retryable"], true, "{}", run.stdout);
    let message = run.text("/error/message");
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} in: {message}");
    let after = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    assert_eq!(before.differences(&after), [""; 0], "{}", run.stdout);
}

#[test]
fn d601_lost_in_the_middle_of_a_delivery_changes_nothing() {
    let d601 = d601();
    let stage = stage(&d601, "none");
    let first = publish(&d601, "frontend", "frontend before its registry is lost");
    let quiet = listening();
    assert_eq!(stage.deploy_as("frontend", "prod", &first, &["--run-now"]).code, 0);
    let before = Snapshot::of_service(stage.project(), &FRONTEND).expect("a snapshot");
    let lost = large(&d601, "frontend that is lost on its way");

    // The line is cut: its sessions on D601 die, as those of a network that is gone, and with them the one that says so.
    let deploy = Delivering::of(&stage, &lost)
        .halted(|| drop(d601.ssh(&["sudo", "pkill", "-KILL", "-u", USER, "sshd"])));
    let cut = Instant::now();
    holds(&stage, &before, cut, &deploy.end(), &["d601", "connection was lost"]);

    // The registry is killed.
    let deploy = Delivering::of(&stage, &lost).halted(|| {
        d601.ssh(&["sudo", "systemctl", "kill", "--signal=KILL", "docker-registry"]).expect("killed");
        d601.ssh(&["sudo", "systemctl", "stop", "docker-registry"]).expect("stopped");
    });
    let killed = Instant::now();
    holds(&stage, &before, killed, &deploy.end(), &["d601", "127.0.0.1:5000 there"]);
    d601.ssh(&["sudo", "systemctl", "start", "docker-registry"]).expect("started");
    d601.wait().expect("it answers again");
    assert_eq!(listening(), quiet);

    // The program is killed; meanwhile only this machine could reach what it listens on.
    let deploy = Delivering::of(&stage, &lost);
    let new: Vec<_> = listening().into_iter().filter(|address| !quiet.contains(address)).collect();
    assert!(!new.is_empty() && new.iter().all(|address| is_loopback(address)), "{new:?}");
    let outside = format!("{}:5000", d601.address()).parse().expect("an address");
    let refused = TcpStream::connect_timeout(&outside, SOON).expect_err("only D601 reaches its registry");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{refused}");
    deploy.killed();
    until("nothing of the killed run is left", || masters().is_empty() && listening() == quiet);

    let run = stage.deploy_as("frontend", "prod", &lost, &["--run-now", "--wait"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    let running = Running::of_service(stage.project(), &FRONTEND).expect("what runs");
    assert!(running.is(&lost), "{running:?}");
    let names = stage.project().docker().image_names("*/*").expect("image names");
    assert!(!names.keys().any(|name| name.starts_with("127.0.0.1")), "a name of the way is left: {names:?}");
    until("nothing of the run is left", || masters().is_empty());
    assert_eq!(listening(), quiet);
}

#[test]
fn d601_with_a_full_disk_keeps_what_it_has() {
    let d601 = d601();
    // The engine there begins anew, on a disk of its own.
    for command in [
        "systemctl stop docker.service docker.socket",
        "mount -t tmpfs -o size=64m small /var/lib/docker",
        "systemctl start docker.socket docker.service",
    ] {
        d601.ssh(&["sudo", "sh", "-c", command]).expect(command);
    }
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let commits =
        ["before the disk is full", "after the disk was full"].map(|name| publish(&d601, "findjob", name));
    assert_eq!(stage.deploy_as("findjob", "prod", &commits[0], &["--run-now"]).code, 0);
    let now = || {
        let container = project.container(FINDJOB.container).expect("docker there").expect("a container");
        let images =
            d601.ssh(&["docker", "image", "ls", "--all", "--no-trunc", "--digests"]).expect("images");
        // Names of one age come in any order.
        let mut images: Vec<_> = images.lines().map(str::to_owned).collect();
        images.sort();
        (container["Id"].to_string(), images, project.read_env_file().expect("the env file"))
    };
    let before = now();

    let large = commit("findjob that is too large for the disk");
    d601.push(&SampleImage::new("findjob", &large).padding(LARGE)).expect("an image in D601's registry");
    let run = stage.deploy_as("findjob", "prod", &large, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(decision(&run), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["retryable"], false, "{}", run.stdout);
    let message = run.text("/error/message");
    assert!(
        message.contains("no space left on device") && message.contains("nothing was changed"),
        "{message}"
    );
    assert_eq!(now(), before);

    let run = stage.deploy_as("findjob", "prod", &commits[1], &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| commits[1].clone()));
}
