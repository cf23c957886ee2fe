//! Images through SSH into both kinds of engine: Docker's own store, which knows an image by its configuration, and that of
//! containerd, which knows it by its manifest. `lab run` prepares the modern engine for tests whose names begin with
//! `modern_`.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::hostile::{on, unreached};
use e2e::{Behaviour, Format, SERVICE, SampleImage, Settings, Stage, commit};
use lab::engine::Place;
use lab::faulty::Faulty;
use lab::faulty_docker::FaultyDocker;
use lab::modern::{self, Modern};
use lab::{Bench, Docker, Registry, Sshd};

/// Bytes of the disk of an engine, and of an image that has no place on it.
const DISK: usize = 64 << 20;
const TOO_LARGE: usize = 80 << 20;

/// A project on `docker`, fed through `sshd` from the registry at `authority`.
fn stage(docker: &Docker, sshd: &Sshd, authority: &str) -> Stage {
    let bench = Bench::from_environment().expect("the lab");
    let docker = docker.clone().with_config(bench.docker().config().map(PathBuf::from));
    let config = sshd.config().expect("a configuration").display().to_string();
    let settings = Settings {
        registry: Some(format!("url = \"http://{authority}\"\nnamespace = \"unidesk\"\nvia = \"d601\"")),
        tables: format!("\n[ssh.d601]\ndestination = \"d601\"\nconfig = {config:?}\n"),
        ..Settings::default()
    };
    Stage::on(Bench::new(docker, Registry::at(bench.registry().address())), settings)
}

fn modern() -> Modern {
    Modern::start(modern::place_of_tests().expect("a place")).expect("the modern engine")
}

/// What the engine calls the image that has the commit's name.
fn id(stage: &Stage, commit: &str) -> String {
    let name = format!("{SERVICE}:{commit}");
    let docker = stage.project().docker();
    docker.run(&["image", "inspect", "--format", "{{.Id}}", &name]).expect("an image of the commit's name")
}

#[test]
fn modern_engine_is_deployed_to_through_ssh() {
    let (bench, modern) = (Bench::from_environment().expect("the lab"), modern());
    let (sshd, registry) = (Sshd::start(&[]).expect("a server"), Faulty::before(bench.registry().address()));
    let registry = registry.expect("a proxy");
    // Nothing goes wrong: it only counts what the engine fetches.
    let fetched = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fetched);
    registry.set(move |asked| {
        let blob = asked.by_engine() && asked.path.contains("/blobs/");
        counter.fetch_add(usize::from(blob), Ordering::Relaxed);
        None
    });
    let stage = stage(modern.docker(), &sshd, &registry.address());
    let first = commit("through ssh onto the modern engine");
    let pushed = stage.pushed(&SampleImage::new(SERVICE, &first));

    let run = stage.deploy(&first, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running().as_ref(), Some(&first));
    assert_eq!(id(&stage, &first), pushed.manifest_digest);
    let by_first = fetched.swap(0, Ordering::Relaxed);
    assert!(by_first > 0, "it came from the registry");

    // One that never gets healthy is taken back, and of the first one nothing has to come again.
    let bad = commit("never ready on the modern engine");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(Behaviour::NeverReady));
    let run = stage.deploy(&bad, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert_eq!(stage.running().as_ref(), Some(&first));
    let by_bad = fetched.swap(0, Ordering::Relaxed);
    assert!((1..by_first).contains(&by_bad), "only what is missing comes: {by_bad} of {by_first}");
    let before = stage.snapshot();
    let run = stage.deploy(&first, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(fetched.load(Ordering::Relaxed), 0, "it was already there");
    assert_eq!(before.images, stage.snapshot().images);
}

#[test]
fn modern_engine_is_sent_what_it_does_not_reach() {
    let (bench, modern) = (Bench::from_environment().expect("the lab"), modern());
    let sshd = Sshd::start(&[]).expect("a server");
    let stage = stage(modern.docker(), &sshd, bench.registry().address());
    let engine =
        FaultyDocker::start(modern.docker(), &stage.folder().join("docker.sock")).expect("a stand-in");
    let toml = std::fs::read_to_string(stage.project().host_toml()).expect("host.toml");
    let real = modern.docker().endpoint().expect("an address");
    std::fs::write(stage.project().host_toml(), toml.replace(&real, &engine.address())).expect("host.toml");
    engine.fault(on(&["/images/create"], usize::MAX, unreached()));

    for (name, in_index) in [("sent to the modern engine", false), ("sent to it out of an index", true)] {
        let commit = commit(name);
        let image = SampleImage::new(SERVICE, &commit);
        let pushed = stage.pushed(&if in_index { image.in_index() } else { image });
        let run = stage.deploy(&commit, &["--run-now"]);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
        assert_eq!(stage.running().as_ref(), Some(&commit));
        assert_eq!(id(&stage, &commit), pushed.manifest_digest, "{name}");
    }
    let loads = engine.requests().iter().filter(|line| line.contains("/images/load")).count();
    assert_eq!(loads, 2);
    let names = stage.project().docker().run(&["image", "ls", "--all"]).expect("a list");
    assert!(!names.contains("<none>") && !names.contains("dangling"), "{names}");
}

#[test]
fn modern_engine_takes_every_kind_of_image() {
    let place = || modern::place_of_tests().expect("a place");
    let modern = modern();
    takes(modern.docker(), "containerd's store", &ZSTD);
    takes(modern.docker(), "containerd's store", &DOCKER);
    drop(modern);
    let classic = Modern::start_with_classic_store(place()).expect("the engine with the classic store");
    takes(classic.docker(), "Docker's store", &ZSTD);
    takes(classic.docker(), "Docker's store", &DOCKER);
}

/// The lab's own engine may be Debian's, which is too old for Zstandard.
#[test]
fn the_engine_of_the_lab_takes_docker_manifests() {
    takes(Bench::from_environment().expect("the lab").docker(), "the lab's engine", &DOCKER);
}

/// In which format an image is, and whether it is in an index with that of another machine.
type Kind = (Format, bool);

const ZSTD: [Kind; 2] = [(Format::OciZstd, false), (Format::OciZstd, true)];
const DOCKER: [Kind; 2] = [(Format::Docker, false), (Format::Docker, true)];

/// Images of these kinds are deployed through SSH.
fn takes(docker: &Docker, engine: &str, kinds: &[Kind]) {
    let (bench, sshd) = (Bench::from_environment().expect("the lab"), Sshd::start(&[]).expect("a server"));
    let stage = stage(docker, &sshd, bench.registry().address());
    for (format, in_index) in kinds {
        let commit = commit(&format!("{format:?} {in_index} for {engine}"));
        let mut image = SampleImage::new(SERVICE, &commit).format(*format);
        if *in_index {
            let other = SampleImage::new(SERVICE, &commit).format(*format).env("OTHER", "machine");
            image = image.with_platform("s390x", other);
        }
        let pushed = stage.pushed(&image);
        let run = stage.deploy(&commit, &["--run-now"]);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{engine}: {image:?}: {run:?}");
        assert_eq!(stage.running(), Some(commit.clone()), "{engine}: {image:?}");
        let ids = [pushed.digest, pushed.manifest_digest, pushed.config_digest];
        assert!(ids.contains(&id(&stage, &commit)), "{engine}: {ids:?}");
    }
}

/// A disk of its own for an engine.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted() -> Self {
        let folder = PathBuf::from("/run/host-lab-small-disk");
        std::fs::create_dir_all(&folder).expect("a folder");
        let size = format!("size={DISK}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "small"]).arg(&folder).status();
        assert!(mount.expect("mount").success());
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nobody is left to tell; it ends with the namespaces of the lab at the latest.
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
        std::fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn modern_engine_whose_disk_is_full_keeps_what_it_has() {
    let (bench, sshd) = (Bench::from_environment().expect("the lab"), Sshd::start(&[]).expect("a server"));
    let disk = SmallDisk::mounted();
    let place = modern::place_of_tests().expect("a place");
    let modern = Modern::start(Place { data: disk.0.join("data"), ..place }).expect("the modern engine");
    let stage = stage(modern.docker(), &sshd, bench.registry().address());
    let first = stage.published("before the disk is full");
    assert_eq!(stage.deploy(&first, &["--run-now"]).code, 0);
    let before = stage.snapshot();

    let large = commit("too large for the disk");
    stage.publish(&SampleImage::new(SERVICE, &large).padding(TOO_LARGE));
    let run = stage.deploy(&large, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.json()["error"]["retryable"], false, "{run:?}");
    let message = run.text("/error/message");
    assert!(
        message.contains("no space left on device") && message.contains("nothing was changed"),
        "{message}"
    );
    assert_eq!(before.differences(&stage.snapshot()), [""; 0], "{run:?}");

    let second = stage.published("after the disk was full");
    let run = stage.deploy(&second, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    drop((stage, modern));
}
