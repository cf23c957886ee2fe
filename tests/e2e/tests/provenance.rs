//! What a deploy leaves on its target, and what a colleague with a journal of their own sees of it.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use e2e::{CONTAINER, Run, SERVICE, SampleImage, Stage, commit};
use serde_json::Value;

const LIVE: &[&str] = &["--run-now"];

/// A command as somebody else types it: with the same configuration, and another journal.
fn colleague(stage: &Stage, arguments: &[&str]) -> Run {
    let toml = std::fs::read_to_string(stage.project().host_toml()).expect("host.toml");
    let theirs = stage.folder().join("colleague");
    std::fs::create_dir_all(&theirs).expect("a folder");
    let own_journal = toml.lines().find(|line| line.starts_with("state")).expect("a journal");
    let their_journal = format!("state = \"{}\"", theirs.display());
    let file = stage.folder().join("colleague.toml");
    std::fs::write(&file, toml.replace(own_journal, &their_journal)).expect("host.toml");
    let file = file.display().to_string();
    stage.host(&[arguments, &["--config", &file, "--output", "json"]].concat())
}

fn target(run: &Run) -> Value {
    run.json()["targets"][0].clone()
}

#[test]
fn a_colleague_sees_what_ran_and_what_was_changed_by_hand() {
    let stage = Stage::new();
    assert_eq!(colleague(&stage, &["runs", "list"]).json()["targets"], Value::Array(Vec::new()));
    let first = stage.published("the first of two people");
    let run = stage.deploy(&first, LIVE);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    let id = run.text("/run/id");

    // They have not run anything, and know of it all the same.
    let seen = colleague(&stage, &["runs", "list"]);
    assert_eq!(seen.json()["runs"], Value::Array(Vec::new()));
    let told = target(&seen);
    assert_eq!(told["runtime"], "main-server");
    assert_eq!(told["service"], SERVICE);
    assert_eq!(told["deploy"]["run"], id.as_str());
    assert_eq!(told["deploy"]["commit"], first.as_str());
    assert_eq!(told["inJournal"], false);
    let own = stage.host(&["runs", "list", "--output", "json"]);
    assert_eq!(target(&own)["inJournal"], true);
    let text = stage.host(&["runs", "list"]).stdout;
    assert!(text.contains(&format!("main-server/{SERVICE}: {} to prod by ", &first[..12])), "{text}");
    let only = stage.host(&["runs", "list", "--journal", "--output", "json"]);
    assert_eq!(only.json()["targets"], Value::Array(Vec::new()));

    // Their deploy says whose it follows; after it, the first one's journal is behind, and their list is not.
    let second = stage.published("the second of two people");
    let arguments = ["deploy", SERVICE, "--env", "prod", "--commit", &second, "--run-now"];
    let theirs = colleague(&stage, &arguments);
    assert_eq!(theirs.outcome(), (0, "deployed".to_owned()), "{}{}", theirs.stdout, theirs.stderr);
    assert_eq!(theirs.json()["lastDeploy"]["run"], id.as_str());
    assert_eq!(theirs.json()["lastDeploy"]["drift"], Value::Null);
    let own = target(&stage.host(&["runs", "list", "--output", "json"]));
    assert_eq!(
        (&own["deploy"]["commit"], &own["inJournal"]),
        (&Value::from(second.clone()), &Value::Bool(false))
    );

    // A deploy that is taken back leaves what was written before it.
    let bad = commit("the third is never ready");
    stage.publish(&SampleImage::new(SERVICE, &bad).behaviour(e2e::Behaviour::NeverReady));
    let run = stage.deploy(&bad, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(target(&colleague(&stage, &["runs", "list"]))["deploy"]["commit"], second.as_str());

    // Somebody makes another image run, without any deploy.
    let docker = stage.project().docker();
    docker.run(&["tag", &format!("{SERVICE}:{first}"), &format!("{SERVICE}:latest")]).expect("a name");
    let compose = ["up", "--detach", "--no-build", "--no-deps", "--force-recreate", SERVICE];
    lab::process::run(stage.project().compose().args(compose)).expect("a container by hand");
    docker.run(&["container", "inspect", CONTAINER]).expect("it is there");
    let plan = stage.deploy(&first, &["--dry-run"]);
    assert_eq!(plan.json()["lastDeploy"], Value::Null, "a dry run asks nobody");
    let run = stage.deploy(&first, LIVE);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    let drift = run.text("/lastDeploy/drift");
    assert!(drift.contains("the container runs image sha256:"), "{}", run.stdout);
    assert_eq!(run.text("/lastDeploy/commit"), second);
}
