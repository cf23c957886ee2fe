//! Images that the host itself sends, where an engine does not reach the registry: that of another machine, or one that is
//! only told so. What came of it is seen with docker.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use e2e::hostile::{Hostile, LIVE, on, unreached};
use e2e::{PushedImage, Run, SampleImage, Settings, Stage, commit, measured};
use lab::d601::RemoteProject;
use lab::faulty::{Answer, Asked, Faulty, Step};
use lab::faulty_docker::Fault;
use lab::project::FINDJOB;
use lab::{Bench, D601};

/// Bytes of the layer that all images here have, but for the large one's.
const PADDING: usize = 3 << 20;
/// Of the large one.
const LARGE: usize = 96 << 20;

/// D601's own project, and the registry of this machine, which D601 does not reach; all reads of it are seen.
struct Scene {
    d601: D601,
    registry: Faulty,
    stage: Stage,
}

impl Scene {
    fn set() -> Self {
        let bench = Bench::from_environment().expect("the lab");
        let d601 = D601::start(&bench).expect("D601");
        let registry = Faulty::before(bench.registry().address()).expect("a registry");
        let config = d601.ssh_config().display().to_string();
        let stage = Stage::with(Settings {
            registry: Some(format!("url = \"http://{}\"\nnamespace = \"unidesk\"", registry.address())),
            tables: format!(
                "\n[ssh.d601]\ndestination = \"d601\"\nconfig = {config:?}\n\n[runtimes.d601]\nkind = \"compose\"\n\
                 via = \"d601\"\nproject-directory = \"/srv/unidesk/sent\"\nproject = \"sent\"\n\
                 env-file = \"config.json#/providerGateway/upgrade/composeEnvFile\"\n\n[limits]\nhealth-seconds = 5\n"
            ),
            ..Settings::default()
        });
        Self { d601, registry, stage }
    }

    fn project(&self) -> RemoteProject<'_> {
        self.d601.project("sent", &[FINDJOB]).expect("a project there")
    }

    fn publish(&self, name: &str, change: impl Fn(SampleImage) -> SampleImage) -> (String, PushedImage) {
        let commit = commit(name);
        let image = change(SampleImage::new("findjob", &commit).padding(PADDING));
        let pushed = self.stage.pushed(&image);
        (commit, pushed)
    }

    fn deploy(&self, commit: &str) -> Run {
        self.stage.deploy_as("findjob", "prod", commit, &["--run-now"])
    }

    /// The same, and which layers it read.
    fn layers_of(&self, commit: &str, pushed: &PushedImage) -> (Run, usize) {
        self.registry.set(|_| None);
        let run = self.deploy(commit);
        let seen = self.registry.seen();
        let layer = |line: &&String| line.contains("/blobs/") && !line.ends_with(&pushed.config_digest);
        (run, seen.requests.iter().filter(layer).count())
    }

    /// Names and ids of the images there.
    fn images(&self) -> String {
        let format = "{{.Repository}}:{{.Tag}} {{.ID}}";
        let list = ["docker", "image", "ls", "--all", "--no-trunc", "--format", format];
        let text = self.d601.ssh(&list).expect("a list of images");
        let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("registry")).collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

fn is_layer(asked: &Asked, pushed: &PushedImage) -> bool {
    asked.path.contains("/blobs/") && !asked.path.ends_with(&pushed.config_digest)
}

#[test]
fn d601_gets_images_of_a_registry_that_it_does_not_reach() {
    let scene = Scene::set();
    let project = scene.project();

    let (first, image) = scene.publish("sent first", |image| image);
    let (run, layers) = scene.layers_of(&first, &image);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(layers, 2, "{}", run.stderr);
    let container = project.container(FINDJOB.container).expect("docker there").expect("a container");
    assert_eq!(container["Image"], image.config_digest.as_str());
    assert_eq!(project.health(FINDJOB.container).expect("health")["deploy"]["commit"], first.as_str());
    let names = scene.images();
    for name in [format!("findjob:{first}"), "findjob:latest".to_owned()] {
        assert!(names.contains(&format!("{name} {}", image.config_digest)), "{names}");
    }
    assert!(!names.contains("<none>") && !names.contains("127.0.0.1"), "{names}");

    // Another image on the same layers: none of them travels. One with a layer more: only that one.
    let (second, image) = scene.publish("sent second", |image| image);
    let (run, layers) = scene.layers_of(&second, &image);
    assert_eq!((run.outcome(), layers), ((0, "deployed".to_owned()), 0), "{}{}", run.stdout, run.stderr);
    let (third, image) = scene.publish("sent third", |image| image.file("one-more"));
    let (run, layers) = scene.layers_of(&third, &image);
    assert_eq!((run.outcome(), layers), ((0, "deployed".to_owned()), 1), "{}{}", run.stdout, run.stderr);
    assert_eq!(project.health(FINDJOB.container).expect("health")["deploy"]["commit"], third.as_str());

    // What is damaged or cut on its way leaves nothing, and what runs stays.
    let before = scene.images();
    for (name, fault, code, retryable) in [
        ("sent damaged", (|answer| answer.flipped().steps()) as fn(Answer) -> Vec<Step>, "mismatch", false),
        ("sent and cut", |answer| answer.cut(), "unavailable", true),
    ] {
        let (commit, image) = scene.publish(name, |image| image.padding(PADDING + name.len()));
        scene.registry.set(move |asked| is_layer(asked, &image).then(|| fault(asked.answered())));
        let run = scene.deploy(&commit);
        assert_eq!(run.text("/error/step"), "image.deliver", "{name}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.text("/error/code"), code, "{name}: {}", run.stdout);
        assert_eq!(run.json()["error"]["retryable"], retryable, "{name}: {}", run.stdout);
        assert_eq!(scene.images(), before, "{name}: {}", run.stdout);
    }
    assert_eq!(project.health(FINDJOB.container).expect("health")["deploy"]["commit"], third.as_str());
}

/// However large an image is: what is held of it at a time are some pieces.
#[test]
fn d601_gets_a_large_image_in_little_memory() {
    let scene = Scene::set();
    let _project = scene.project();
    let peak = |name: &str, bytes: usize| {
        let (commit, _) = scene.publish(name, |image| image.padding(bytes));
        let arguments = ["deploy", "findjob", "--env", "prod", "--commit", &commit, "--run-now"];
        let (run, peak) = measured(scene.stage.command(&arguments).args(["--output", "json"]));
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
        peak
    };
    let small = peak("sent small", PADDING);
    let large = peak("sent large", LARGE);
    assert!(large < small + (16 << 10), "{large} kB for the large one, {small} kB for the small one");
}

/// The engine of this machine, where a port that is open to the host is closed to it.
#[test]
fn an_engine_that_does_not_get_through_is_sent_the_image() {
    let hostile = Hostile::in_service("health-seconds = 5");
    let commit = hostile.stage.published("sent by the host");
    hostile.engine.fault(on(&["/images/create"], 9, unreached()));
    let run = hostile.stage.deploy(&commit, LIVE);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(hostile.stage.running(), Some(commit));
    let requests = hostile.engine.requests();
    assert!(requests.iter().any(|line| line.contains("/images/load")), "{requests:?}");

    // Neither way: both reasons are told, and nothing is named.
    let commit = hostile.stage.published("neither pulled nor sent");
    let before = hostile.stage.snapshot();
    hostile.engine.fault(move |line| {
        let is = |word: &str| line.contains(word);
        if is("/images/create") || is("/images/load") { unreached() } else { Fault::None }
    });
    let run = hostile.stage.deploy(&commit, LIVE);
    let message = run.text("/error/message");
    assert_eq!(run.text("/error/step"), "image.deliver", "{}{}", run.stdout, run.stderr);
    for part in ["loading an image", "could not pull", "connection refused"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(before.differences(&hostile.stage.snapshot()), [""; 0]);
}
