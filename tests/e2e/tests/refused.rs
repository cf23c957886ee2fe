//! What must not happen is known before the first change: image names, env file and container are then as they were.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use e2e::{Run, SERVICE, SampleImage, Settings, Snapshot, Stage, commit, policies};
use lab::image::REVISION;

/// A stage on which a first commit runs already, so that there is something to leave alone.
fn in_service(settings: Settings) -> (Stage, String, Snapshot) {
    let stage = Stage::with(settings);
    let first = stage.published("first");
    let run = stage.deploy(&first, &["--run-now"]);
    assert_eq!(run.code, 0, "{run:?}");
    let snapshot = stage.snapshot();
    (stage, first, snapshot)
}

fn assert_untouched(stage: &Stage, before: &Snapshot, run: &Run) {
    assert_eq!(before.differences(&stage.snapshot()), [""; 0], "{run:?}");
}

#[test]
fn an_artifact_that_nobody_published() {
    let (stage, _, before) = in_service(Settings::default());

    let run = stage.deploy(&commit("nobody built this"), &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/step"), "registry.resolve");
    assert_eq!(run.text("/error/code"), "not-found");
    assert_untouched(&stage, &before, &run);
}

#[test]
fn an_image_that_lies_about_its_revision() {
    let (stage, first, before) = in_service(Settings::default());
    let liar = commit("liar");
    stage.publish(&SampleImage::new(SERVICE, &liar).label(REVISION, &first));

    let run = stage.deploy(&liar, &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/code"), "mismatch");
    let message = run.text("/error/message");
    assert!(message.contains(REVISION) && message.contains(&liar) && message.contains(&first), "{message}");
    assert_untouched(&stage, &before, &run);
}

#[test]
fn an_image_without_the_required_label() {
    let (stage, _, before) = in_service(Settings::default());
    let bare = commit("bare");
    stage.publish(&SampleImage::new(SERVICE, &bare).without_label(REVISION));

    let run = stage.deploy(&bare, &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains(REVISION), "{run:?}");
    assert_untouched(&stage, &before, &run);
}

#[test]
fn an_activation_that_no_policy_permits() {
    let folder = tempfile::tempdir().expect("a folder");
    let without = policies(folder.path(), |name, content| match name {
        "compose.cedar" => without_policy(&content, "owner-activates-compose"),
        _ => content,
    });
    let (stage, _, before) = in_service(Settings::default());
    let second = stage.published("second");
    let toml = stage.project().host_toml();
    let release = format!("policies = {:?}", lab::paths::policies());
    let content = std::fs::read_to_string(&toml).expect("host.toml");
    let changed = content.replace(&release, &format!("policies = {without:?}"));
    assert_ne!(content, changed, "host.toml names the policies");
    std::fs::write(&toml, changed).expect("host.toml");

    let live = stage.deploy(&second, &["--run-now"]);
    let dry = stage.deploy(&second, &["--dry-run"]);

    for run in [&live, &dry] {
        assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
        assert_eq!(run.text("/error/step"), "compose.activate");
    }
    assert_eq!(live.text("/error/message"), dry.text("/error/message"), "the dry run says the same");
    assert_eq!(live.text("/steps/1/outcome"), "planned", "the delivery before it was not made");
    assert_untouched(&stage, &before, &live);
    insta::assert_snapshot!(live.text("/error/message"));
}

#[test]
fn a_rollback_that_no_policy_permits_stops_the_deploy_that_asks_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let without = policies(folder.path(), |name, content| match name {
        "rollback.cedar" => String::new(),
        _ => content,
    });
    let stage = Stage::with(Settings { policies: Some(without), ..Settings::default() });
    let commit = stage.published("first");
    let before = stage.snapshot();

    let run = stage.deploy(&commit, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("rollback"), "{run:?}");
    assert_untouched(&stage, &before, &run);
    assert_eq!(stage.deploy(&commit, &["--run-now"]).code, 0, "without a rollback it is permitted");
}

#[test]
fn a_registry_that_does_not_answer() {
    let (stage, first, before) = in_service(Settings::default());
    let toml = stage.project().host_toml();
    let content = std::fs::read_to_string(&toml).expect("host.toml");
    let url = content.lines().find(|line| line.starts_with("url = ")).expect("a registry").to_owned();
    std::fs::write(&toml, content.replace(&url, "url = \"http://127.0.0.1:1\"")).expect("host.toml");

    let run = stage.deploy(&first, &["--run-now"]);

    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/step"), "registry.resolve");
    assert!(run.text("/error/message").contains("127.0.0.1:1"), "{run:?}");
    assert_eq!(run.json()["retryable"], true);
    assert_untouched(&stage, &before, &run);
}

#[test]
fn an_engine_that_does_not_answer() {
    let stage = Stage::new();
    let commit = stage.published("first");
    let toml = stage.project().host_toml();
    let content = std::fs::read_to_string(&toml).expect("host.toml");
    let docker = content.lines().find(|line| line.starts_with("docker = ")).expect("an engine").to_owned();
    std::fs::write(&toml, content.replace(&docker, "docker = \"unix:///nowhere/docker.sock\""))
        .expect("host.toml");

    let run = stage.deploy(&commit, &["--run-now"]);

    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("/nowhere/docker.sock"), "{run:?}");
}

/// The text of a policy file without one of its policies.
fn without_policy(content: &str, id: &str) -> String {
    let start = content.find(&format!("@id(\"{id}\")")).expect("the policy");
    let end = content[start..].find(";\n").expect("its end") + start + 2;
    format!("{}{}", &content[..start], &content[end..])
}
