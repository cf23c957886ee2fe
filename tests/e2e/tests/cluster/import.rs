//! Images on their way from D601's registry into the containerd of its Kubernetes.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use e2e::cluster::{NAMESPACE, SERVICE, Scene, d601};
use e2e::line::until;
use e2e::{Behaviour, PushedImage, Run};
use lab::D601;
use lab::cluster::SOCKET;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Bytes of an image that takes long enough to have a middle.
const LARGE: usize = 128 << 20;
/// Where the service's images are, as containerd and pods call them.
const REPOSITORY: &str = "127.0.0.1:5000/unidesk/decision-center";

/// How an image comes into containerd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By sudo and ctr.
    Ctr,
    /// By containerd's socket.
    Socket,
}

impl Way {
    /// Opens it, until the cluster ends and the socket with it. That of ctr is always open.
    fn open(self, scene: &Scene<'_>) {
        if self == Self::Socket {
            let folder = SOCKET.trim_end_matches("/containerd.sock");
            let give = ["sudo", "chgrp", "deploy", folder, SOCKET];
            scene.d601.ssh(&give).expect("a socket for those who log in");
        }
    }

    /// Looks whether it was taken: containerd writes down whom it pulls for.
    fn was_taken(self, scene: &Scene<'_>, image: &PushedImage) {
        let unit = ["sudo", "journalctl", "--quiet", "--output=cat", "--unit=k3s-containerd"];
        let journal = scene.d601.ssh(&unit).expect("what containerd wrote");
        let pulled =
            journal.lines().any(|line| line.contains("PullImage") && line.contains(&by_digest(image)));
        assert_eq!(pulled, self == Self::Socket, "{self:?}: {journal}");
    }
}

/// What containerd fetches, or had begun to: a name and how much of it is there in each line.
fn fetching(scene: &Scene<'_>) -> Vec<String> {
    let active = scene.cluster.ctr(&["content", "active"]).expect("what is fetched");
    let first_words = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    active.lines().skip(1).map(first_words).collect()
}

/// Every name in the node's containerd with the digest that it means.
fn names(scene: &Scene<'_>) -> BTreeMap<String, String> {
    let listed = scene.cluster.ctr(&["images", "ls"]).expect("images");
    let word = |line: &str, at| line.split_whitespace().nth(at).map(str::to_owned);
    listed.lines().skip(1).filter_map(|line| Some((word(line, 0)?, word(line, 2)?))).collect()
}

fn by_commit(commit: &str) -> String {
    format!("{REPOSITORY}:{commit}")
}

fn by_digest(image: &PushedImage) -> String {
    format!("{REPOSITORY}@{}", image.digest)
}

fn forbid_ctr_as_root(d601: &D601) {
    // The last line that fits is the one that holds.
    let rule = "echo 'deploy ALL=(root) PASSWD: /usr/local/bin/ctr' > /etc/sudoers.d/zz-no-ctr";
    d601.ssh(&["sudo", "sh", "-c", rule]).expect("a rule");
}

fn permit_ctr_as_root(d601: &D601) {
    d601.ssh(&["sudo", "rm", "/etc/sudoers.d/zz-no-ctr"]).expect("removed");
}

/// A deploy in the middle of its pull.
fn pulling(scene: &Scene<'_>, commit: &str) -> Child {
    let arguments = ["deploy", SERVICE, "--env", "dev", "--commit", commit, "--output", "json", "--run-now"];
    let mut command = scene.stage.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    until("it pulls", || !fetching(scene).is_empty());
    child
}

/// The delivery as the report tells it.
fn delivery(run: &Run) -> Value {
    let report = run.json();
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    steps.into_iter().find(|step| step["operation"] == "image.deliver").expect("a delivery")
}

#[test]
fn cluster_an_image_comes_by_digest_and_has_both_names() {
    comes_by_digest(Way::Ctr);
}

#[test]
fn cluster_an_image_comes_by_the_socket_and_has_both_names() {
    comes_by_digest(Way::Socket);
}

fn comes_by_digest(way: Way) {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    way.open(&scene);
    let (_, first) = scene.running("runs before an import", |workload| workload);
    let (second, image) = scene.published("is imported", |image| image);
    let before = names(&scene);

    let run = scene.deploy(&second, &["--run-now"]);
    assert_eq!(delivery(&run)["outcome"], "ok", "{}{}", run.stdout, run.stderr);
    let after = names(&scene);
    assert_eq!(after.get(&by_commit(&second)), Some(&image.digest), "{after:?}");
    assert_eq!(after.get(&by_digest(&image)), Some(&image.digest), "{after:?}");
    assert!(before.iter().all(|(name, digest)| after.get(name) == Some(digest)), "{before:?} {after:?}");
    way.was_taken(&scene, &image);
    let path = "jsonpath={.items[*].status.containerStatuses[*].imageID}";
    let pods = scene.cluster.kubectl(&["get", "pods", "--namespace", NAMESPACE, "--output", path]);
    assert!(pods.as_ref().is_ok_and(|ids| ids.contains(&by_digest(&image))), "{pods:?}");

    // Both names are needed: without the one, it is brought again; with both, nothing is.
    scene.cluster.ctr(&["images", "rm", &by_digest(&image)]).expect("a name");
    assert_eq!(delivery(&scene.deploy(&second, &["--run-now"]))["outcome"], "ok");
    assert_eq!(names(&scene).get(&by_digest(&image)), Some(&image.digest));
    assert_eq!(delivery(&scene.deploy(&second, &["--run-now"]))["outcome"], "already-so");

    // A commit's name never moves.
    let (third, _) = scene.published("has the name of another", |image| image);
    scene.cluster.ctr(&["images", "tag", &by_commit(&first), &by_commit(&third)]).expect("a name");
    let moved = names(&scene);
    let run = scene.deploy(&third, &["--run-now"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}", run.stdout);
    let message = run.text("/error/message");
    assert!(
        message.contains("a commit's name never moves") && message.contains("nothing was changed"),
        "{message}"
    );
    assert_eq!(names(&scene), moved);
}

#[test]
fn cluster_an_import_that_does_not_stand_leaves_no_name() {
    leaves_no_name(Way::Ctr);
}

#[test]
fn cluster_an_import_by_the_socket_that_does_not_stand_leaves_no_name() {
    leaves_no_name(Way::Socket);
}

fn leaves_no_name(way: Way) {
    let d601 = d601();
    let scene = Scene::set(&d601, "rollout-seconds = 15");
    way.open(&scene);
    drop(scene.running("runs before what is taken back", |workload| workload));
    let (bad, image) = scene.published("is taken back", |image| image.behaviour(Behaviour::NeverReady));
    let (interrupted, _) = scene.published("is interrupted", |image| image.padding(LARGE));
    let (lost, _) = scene.published("is too slow", |image| image.padding(2 * LARGE));
    let before = names(&scene);

    // By Ctrl-C.
    let child = pulling(&scene, &interrupted);
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let run = Run::from(child.wait_with_output().expect("the program"));
    assert_eq!(run.outcome(), (130, "interrupted".to_owned()), "{}{}", run.stdout, run.stderr);
    // What was fetched stays for a while; a pull that went on would fetch the rest and then give names.
    until("nothing is fetched any more", || {
        let begun = fetching(&scene);
        sleep(Duration::from_millis(300));
        begun == fetching(&scene)
    });
    assert_eq!(names(&scene), before, "{}", run.stdout);

    // By its deadline.
    let config = scene.stage.folder().join("host.toml");
    let toml = std::fs::read_to_string(&config).expect("host.toml");
    std::fs::write(&config, toml.replace("[limits]", "[limits]\ndelivery-seconds = 1")).expect("host.toml");
    let run = scene.deploy(&lost, &["--run-now"]);
    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{}{}", run.stdout, run.stderr);
    let message = run.text("/error/message");
    assert!(message.contains("took longer than 1 s (limits.delivery-seconds)"), "{message}");
    assert_eq!(names(&scene), before, "{}", run.stdout);
    std::fs::write(&config, toml).expect("host.toml");

    // By what fails after it.
    let run = scene.deploy(&bad, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(delivery(&run)["outcome"], "ok", "{}{}", run.stdout, run.stderr);
    assert_ne!(run.code, 0, "{}", run.stdout);
    assert_eq!(names(&scene), before, "{}", run.stdout);
    way.was_taken(&scene, &image);
}

#[test]
fn cluster_a_containerd_that_ends_while_it_is_asked_by_its_socket_is_named() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    Way::Socket.open(&scene);
    drop(scene.running("runs before containerd ends", |workload| workload));
    let (commit, _) = scene.published("is pulled while containerd ends", |image| image.padding(LARGE));

    let child = pulling(&scene, &commit);
    d601.ssh(&["sudo", "systemctl", "kill", "--signal=KILL", "k3s-containerd"]).expect("a signal");
    let run = Run::from(child.wait_with_output().expect("the program"));
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    let message = run.text("/error/message");
    for part in [
        "the containerd of d601 does not answer",
        "may be left behind",
        "the socket /run/k3s/containerd/containerd.sock there cannot be reached",
    ] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn cluster_where_no_socket_is_forwarded_ctr_is_run_by_whoever_may_use_the_socket() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    drop(scene.running("runs before sockets are forbidden", |workload| workload));
    let (commit, image) = scene.published("is imported without sockets", |image| image);
    Way::Socket.open(&scene);
    let forbid =
        "echo AllowStreamLocalForwarding no > /etc/ssh/sshd_config.d/sockets.conf && systemctl restart ssh";
    d601.ssh(&["sudo", "sh", "-c", forbid]).expect("a rule");
    forbid_ctr_as_root(&d601);

    let run = scene.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    permit_ctr_as_root(&d601);
    assert_eq!(names(&scene).get(&by_commit(&commit)), Some(&image.digest), "{}", run.stdout);
    Way::Ctr.was_taken(&scene, &image);
}

#[test]
fn cluster_a_node_that_images_cannot_be_brought_to_is_refused() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    drop(scene.running("runs before what is refused", |workload| workload));
    let (commit, _) = scene.published("is refused", |image| image);
    let before = names(&scene);
    let refused = |words: &[&str]| {
        let run = scene.deploy(&commit, &["--run-now"]);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
        assert_eq!(run.json()["error"]["retryable"], false, "{}", run.stdout);
        let message = run.text("/error/message");
        assert!(words.iter().all(|word| message.contains(word)), "{words:?} in: {message}");
    };

    forbid_ctr_as_root(&d601);
    refused(&["deploy may not use the containerd of d601", "NOPASSWD: /usr/local/bin/ctr"]);
    permit_ctr_as_root(&d601);

    let node = "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"second\"}}";
    scene.cluster.apply(NAMESPACE, node).expect("another node");
    refused(&["pods of d601-k3s may start on 2 nodes", "second", "kubectl cordon"]);
    assert_eq!(names(&scene), before);
    scene.cluster.kubectl(&["cordon", "second"]).expect("cordoned");
    assert_eq!(delivery(&scene.deploy(&commit, &["--run-now"]))["outcome"], "ok");
}
