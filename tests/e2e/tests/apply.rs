//! `host deploy apply`, and the desired state as a guardrail.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;

use e2e::{Behaviour, Run, SERVICE, SampleImage, Settings, Stage, commit};
use serde_json::{Value, json};

const FRONTEND: &str = "frontend";

/// A stage whose desired state is `desired`.
fn stage(desired: &Value) -> Stage {
    let tables = "\n[catalog]\ndesired = \"deploy.json\"\n\n[limits]\nhealth-seconds = 5\n".to_owned();
    let stage = Stage::with(Settings { tables, ..Settings::default() });
    fs::write(stage.folder().join("deploy.json"), desired.to_string()).expect("deploy.json");
    stage
}

fn apply(stage: &Stage, arguments: &[&str]) -> Run {
    stage.host(&[&["deploy", "apply", "--env", "prod", "--output", "json"], arguments].concat())
}

/// Service and decision of each report.
fn decisions(run: &Run) -> Vec<(String, String)> {
    let text = |report: &Value, key: &str| report[key].as_str().unwrap_or_default().to_owned();
    let answer = run.json();
    let reports = answer["services"].as_array().expect("reports");
    reports.iter().map(|report| (text(report, "service"), text(report, "decision"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// The commit that runs in a container, by its image's label.
fn running(stage: &Stage, container: &str) -> Option<String> {
    let found = stage.project().docker().container(container).expect("docker")?;
    let label = &found["Config"]["Labels"]["org.opencontainers.image.revision"];
    label.as_str().map(str::to_owned)
}

#[test]
fn what_is_desired_is_deployed_together_and_one_that_fails_is_alone_with_it() {
    let (good, ill) = (commit("applied"), commit("applied and ill"));
    let stage = stage(&json!({ "prod": { SERVICE: good, FRONTEND: ill } }));
    stage.publish(&SampleImage::new(SERVICE, &good));
    stage.publish(&SampleImage::new(FRONTEND, &ill).behaviour(Behaviour::OldCommit));

    let dry = apply(&stage, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    let undecided = apply(&stage, &[]);
    assert_eq!(undecided.code, 2, "{undecided:?}");
    assert!(
        undecided.stderr.contains("--run-now") && undecided.stderr.contains("--dry-run"),
        "{undecided:?}"
    );
    assert_eq!(running(&stage, "project-manager-backend"), None, "nothing was deployed yet");

    let run = apply(&stage, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{run:?}");
    assert_eq!(decisions(&run), pairs(&[(FRONTEND, "rolled-back"), (SERVICE, "deployed")]));
    assert_eq!(running(&stage, "project-manager-backend"), Some(good));
    assert_eq!(running(&stage, "unidesk-frontend"), None);
    let again = apply(&stage, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(decisions(&again), pairs(&[(SERVICE, "in-sync"), (FRONTEND, "rolled-back")]));
    assert_eq!(again.text("/services/0/state/state"), "in-sync", "and left alone: {again:?}");
    for service in [SERVICE, FRONTEND] {
        assert!(run.stderr.contains(&format!("{service} → prod: ")), "steps say whose they are: {run:?}");
    }
}

#[test]
fn another_commit_than_the_desired_one_needs_a_reason_and_the_reason_is_kept() {
    let (wanted, other) = (commit("wanted here"), commit("not wanted here"));
    let stage = stage(&json!({ "prod": { SERVICE: wanted } }));
    stage.publish(&SampleImage::new(SERVICE, &other));

    let dry = stage.deploy(&other, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(dry.json()["desiredState"], json!({ "commit": wanted, "matches": false, "override": null }));
    for refused in [
        stage.deploy(&other, &["--run-now"]),
        stage.host(&[
            "artifact-registry",
            "deploy-service",
            "--service",
            SERVICE,
            "--commit",
            &other,
            "--run-now",
            "--output",
            "json",
        ]),
    ] {
        assert_eq!(refused.outcome(), (3, "blocked".to_owned()), "{refused:?}");
        assert!(refused.text("/error/message").contains(&wanted), "{refused:?}");
        assert!(refused.text("/recommendedAction").contains("--override-desired"), "{refused:?}");
    }
    assert_eq!(running(&stage, "project-manager-backend"), None);

    let run = stage.deploy(&other, &["--run-now", "--override-desired", "issue 12: the last one loses mail"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let kept = stage.host(&["runs", "show", &run.text("/run/id"), "--output", "json"]);
    let kept = kept.json()["report"]["desiredState"]["override"].clone();
    assert_eq!(kept, "issue 12: the last one loses mail");
    assert!(run.text("/rollback/command").ends_with("--override-desired rollback"), "{run:?}");
}

#[test]
fn the_old_entry_for_backend_core_names_the_new_one_and_does_nothing() {
    let stage = stage(&json!({ "prod": {} }));
    let run = stage.host(&[
        "artifact-registry",
        "deploy-backend-core",
        "--commit",
        "abc",
        "--whatever",
        "--run-now",
        "--output",
        "json",
    ]);
    assert_eq!(run.outcome(), (3, "deprecated".to_owned()), "{run:?}");
    assert!(
        run.text("/replacement").contains("deploy apply --env dev|prod --service backend-core"),
        "{run:?}"
    );
}

/// A catalogue in which the service is published as `image` from `repository`.
fn catalogue(stage: &Stage, image: &str, repository: &str) {
    let digest = format!("sha256:{}", "5".repeat(64));
    let catalogue = json!({ "artifacts": {
        SERVICE: {
            "kind": "source-build", "repository": repository, "dockerfile": "ci/Dockerfile",
            "producer": "ci publish-user-service", "image": image,
        },
        "searxng": {
            "kind": "upstream-image", "upstream": format!("docker.io/searxng/searxng@{digest}"),
            "mirror": "unidesk/searxng",
        },
    }});
    fs::write(stage.folder().join("CI.json"), catalogue.to_string()).expect("CI.json");
}

#[test]
fn the_catalogue_says_where_an_artifact_comes_from_and_must_not_contradict_its_plugin() {
    let tables = "\n[catalog]\nartifacts = \"CI.json\"\n".to_owned();
    let stage = Stage::with(Settings { tables, ..Settings::default() });
    let some = commit("catalogued");
    catalogue(&stage, "unidesk/project-manager", "UniDesk");
    let dry = stage.deploy(&some, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(dry.text("/source/dockerfile"), "ci/Dockerfile", "{dry:?}");
    let listed = stage.host(&["services", "--catalog", "--output", "json"]).json();
    let upstream =
        listed["artifacts"].as_array().and_then(|all| all.iter().find(|one| one["service"] == "searxng"));
    let upstream = upstream.cloned().unwrap_or_default();
    assert_eq!(upstream["upstream"]["name"], "docker.io/searxng/searxng", "{listed:#}");
    assert_eq!((&upstream["image"], &upstream["supported"]), (&json!("unidesk/searxng"), &json!(false)));
    let unsupported = stage.deploy_as("searxng", "prod", &some, &["--run-now"]);
    assert_eq!(unsupported.outcome(), (3, "unsupported".to_owned()), "{unsupported:?}");

    for (image, repository, words) in [
        ("unidesk/project-manger", "UniDesk", "change the image of project-manager in"),
        ("unidesk/project-manager", "https://gitee.com/elsewhere", "change the plugin's source"),
    ] {
        catalogue(&stage, image, repository);
        let run = stage.deploy(&some, &["--dry-run"]);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(words), "{words}: {run:?}");
    }
    fs::write(stage.folder().join("CI.json"), r#"{"artifacts": {}}"#).expect("CI.json");
    let run = stage.deploy(&some, &["--dry-run"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("add project-manager to"), "{run:?}");
}

#[test]
fn what_ci_published_is_held_against_what_the_registry_serves() {
    let stage = stage(&json!({ "prod": {} }));
    let (some, other) = (commit("summarised"), commit("summarised otherwise"));
    let pushed = stage.pushed(&SampleImage::new(SERVICE, &some));
    let summary = |commit: &str, digest: &str| {
        let path = stage.folder().join("summary.json");
        let summary = json!({
            "serviceId": SERVICE, "sourceCommit": commit, "sourceRepo": "UniDesk",
            "dockerfile": "src/components/microservices/project-manager/Dockerfile",
            "imageRef": format!("127.0.0.1:5000/unidesk/{SERVICE}:{commit}"), "tag": commit,
            "digest": digest, "digestRef": format!("127.0.0.1:5000/unidesk/{SERVICE}@{digest}"),
        });
        fs::write(&path, summary.to_string()).expect("a summary");
        path.display().to_string()
    };
    let published = summary(&some, &pushed.digest);
    let run = stage.deploy(&some, &["--artifact", &published, "--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");

    let again = summary(&some, &format!("sha256:{}", "6".repeat(64)));
    let before = stage.snapshot();
    let run = stage.deploy(&some, &["--artifact", &again, "--run-now"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert_eq!(run.text("/error/code"), "artifact", "{run:?}");
    assert!(run.text("/error/message").contains(&pushed.digest), "{run:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0]);

    let of_another = summary(&other, &pushed.digest);
    let run = stage.deploy(&some, &["--artifact", &of_another, "--dry-run"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("its sourceCommit is"), "{run:?}");
}
