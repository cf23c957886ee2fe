//! The lock of a service in a namespace, which is there for all who deploy to that cluster.

use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::Run;
use e2e::cluster::{NAMESPACE, SERVICE, Scene, d601};
use e2e::line::until;

/// Bytes of an image that takes long enough to be killed meanwhile.
const LARGE: usize = 128 << 20;
/// Within this time a lock is free that a killed program held.
const FREE: Duration = Duration::from_secs(40);

fn holder(scene: &Scene<'_>) -> Option<String> {
    let lease = scene.cluster.get(NAMESPACE, "lease/host-decision-center").ok()?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
}

/// A Lease as another program would hold it.
fn lease(holder: &str, renewed: &str) -> String {
    format!(
        "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata:\n  name: host-decision-center\nspec:\n  \
         holderIdentity: {holder}\n  leaseDurationSeconds: 15\n  renewTime: {renewed}\n"
    )
}

fn blocked(run: &Run, who: &str) {
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["retryable"], true, "{}", run.stdout);
    let message = run.text("/error/message");
    for part in ["another deploy of decision-center is in progress", who, "unidesk-dev/host-decision-center"]
    {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn cluster_a_lease_keeps_others_away_and_ends_with_its_holder() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    drop(scene.running("runs before a lease is taken", |workload| workload));
    let (first, _) = scene.published("is deployed under a lease", |image| image);

    // Somebody else's, who lives.
    let now = d601.ssh(&["date", "--utc", "+%Y-%m-%dT%H:%M:%S.000000Z"]).expect("a time");
    scene.cluster.apply(NAMESPACE, &lease("ann on laptop runs 7", now.trim())).expect("a Lease");
    blocked(&scene.deploy(&first, &["--run-now"]), "ann on laptop runs 7");

    // Somebody else's, who was killed long ago.
    scene
        .cluster
        .apply(NAMESPACE, &lease("bob on laptop runs 8", "2020-01-01T00:00:00.000000Z"))
        .expect("a Lease");
    let run = scene.deploy(&first, &["--run-now"]);
    assert_ne!(run.text("/error/code"), "locked", "{}{}", run.stdout, run.stderr);
    assert_eq!(holder(&scene), None, "it was given back");

    // Of a run that is killed while it pulls.
    let (lost, _) = scene.published("is killed under a lease", |image| image.padding(LARGE));
    let arguments = ["deploy", SERVICE, "--env", "dev", "--commit", &lost, "--output", "json", "--run-now"];
    let mut command = scene.stage.command(&arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    until("it holds the Lease", || holder(&scene).is_some());
    child.kill().expect("killed");
    child.wait().expect("its end");
    let killed = Instant::now();
    let who = holder(&scene).expect("nobody gave it back");
    assert!(who.contains(" runs 20"), "{who}");
    blocked(&scene.deploy(&first, &["--run-now"]), &who);
    let run = scene.deploy(&first, &["--run-now", "--wait"]);
    assert_ne!(run.text("/error/code"), "locked", "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(&who), "{}", run.stderr);
    assert!(killed.elapsed() < FREE, "{:?}", killed.elapsed());
    assert_eq!(holder(&scene), None, "it was given back");
}

#[test]
fn cluster_a_lease_that_is_lost_ends_a_deploy_before_it_changes_more() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    drop(scene.running("runs before a lease is lost", |workload| workload));
    let (commit, _) = scene.published("is not deployed under a lost lease", |image| image.padding(LARGE));
    let before = scene.cluster.get(NAMESPACE, "deployment/decision-center-dev").expect("a Deployment");

    let arguments = ["deploy", SERVICE, "--env", "dev", "--commit", &commit, "--output", "json", "--run-now"];
    let mut command = scene.stage.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    until("it pulls", || d601.ssh(&["pgrep", "-x", "ctr"]).is_ok());
    // Its image does not arrive before it is told.
    d601.ssh(&["sudo", "systemctl", "kill", "--signal=STOP", "docker-registry"]).expect("stopped");
    scene
        .cluster
        .kubectl(&["delete", "lease", "--namespace", NAMESPACE, "host-decision-center"])
        .expect("deleted");
    std::thread::sleep(Duration::from_secs(7));
    d601.ssh(&["sudo", "systemctl", "kill", "--signal=CONT", "docker-registry"]).expect("goes on");
    let run = Run::from(child.wait_with_output().expect("the program"));
    let message = run.text("/error/message");
    assert!(message.contains("the Lease that this deploy held is lost: somebody removed it"), "{message}");
    let after = scene.cluster.get(NAMESPACE, "deployment/decision-center-dev").expect("a Deployment");
    assert_eq!(before["spec"], after["spec"]);
}
