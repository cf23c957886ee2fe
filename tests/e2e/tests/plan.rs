//! `host deploy plan`: several services in one answer, along the same path as one.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;

use e2e::{Run, SERVICE, SampleImage, Settings, Stage, commit};
use serde_json::{Value, json};

/// A stage whose desired state is `desired`.
fn stage(desired: &Value, settings: Settings) -> Stage {
    let tables = format!("{}\n[catalog]\ndesired = \"deploy.json\"\n", settings.tables);
    let stage = Stage::with(Settings { tables, ..settings });
    desire(&stage, &desired.to_string());
    stage
}

fn desire(stage: &Stage, text: &str) {
    fs::write(stage.folder().join("deploy.json"), text).expect("deploy.json");
}

fn plan(stage: &Stage, arguments: &[&str]) -> Run {
    stage.host(&[&["deploy", "plan", "--output", "json"], arguments].concat())
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

#[test]
fn a_plan_offline_is_the_dry_run_of_each() {
    let wanted = commit("wanted");
    let stage = stage(&json!({ "prod": { SERVICE: wanted } }), Settings::default());

    let run = plan(&stage, &["--offline"]);

    assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
    let without_what_differs = |mut report: Value| {
        report["run"] = Value::Null;
        for step in report["steps"].as_array_mut().expect("steps") {
            step["durationMs"] = Value::Null;
        }
        report
    };
    let alone = stage.deploy(&wanted, &["--dry-run"]);
    assert_eq!(without_what_differs(run.json()["services"][0].clone()), without_what_differs(alone.json()));
    assert_eq!(plan(&stage, &["--all", "--env", "prod", "--offline"]).code, 0);
}

#[test]
fn what_cannot_be_planned_does_not_keep_the_others_from_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = lab::paths::plugins().expect("components").join(format!("{SERVICE}.wasm"));
    fs::copy(component, folder.path().join(format!("{SERVICE}.wasm"))).expect("a component");
    fs::write(folder.path().join("todo-note.wasm"), "no component").expect("a file");
    let settings = Settings { plugins: Some(folder.path().to_owned()), ..Settings::default() };
    let desired = json!({ "prod": { SERVICE: commit("a"), "todo-note": commit("b") }, "dev": { SERVICE: commit("a") } });
    let stage = stage(&desired, settings);

    let run = plan(&stage, &["--offline"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    let expected = [(SERVICE, "unsupported"), (SERVICE, "planned"), ("todo-note", "failed")];
    assert_eq!(decisions(&run), pairs(&expected));
    let text = stage.host(&["deploy", "plan", "--offline"]);
    insta::assert_snapshot!(stage.stable(&text.transcript()));
}

#[test]
fn a_plan_looks_at_how_things_are_and_changes_nothing() {
    let stage = stage(&json!({ "prod": { SERVICE: commit("there") } }), Settings::default());
    stage.publish(&SampleImage::new(SERVICE, &commit("there")));
    let before = stage.snapshot();

    let there = plan(&stage, &[]);
    assert_eq!(there.outcome(), (0, "planned".to_owned()), "{there:?}");
    assert!(!there.text("/services/0/registry/digest").is_empty(), "{there:?}");

    let missing = plan(
        &stage,
        &["--env", "prod", "--service", SERVICE, "--commit", &commit("planned and never published")],
    );
    assert_ne!(missing.code, 0, "{missing:?}");
    assert_eq!(missing.text("/services/0/error/step"), "registry.resolve", "{missing:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0]);
}

#[test]
fn a_plan_that_was_not_understood_says_what_and_where() {
    let stage = stage(&json!({ "prod": { SERVICE: commit("a") } }), Settings::default());
    let mut told = String::new();
    let mut tell = |name: &str, arguments: &[&str]| {
        let run = stage.host(&[&["deploy", "plan", "--offline"], arguments].concat());
        told += &["# ", name, "\n", &stage.stable(&run.transcript()), "\n"].concat();
    };
    tell("an environment that nobody desires", &["--env", "prd"]);
    tell("a service that nobody desires", &["--service", "todo-note"]);
    tell("a commit of what", &["--commit", &commit("a")]);
    tell("a branch", &["--service", SERVICE, "--commit", "main"]);
    tell("one and all", &["--service", SERVICE, "--all"]);
    desire(&stage, r#"{"prod": {"project-manger": "main"}}"#);
    tell("a desired state with unknown names", &[]);
    desire(&stage, "{\"prod\": {},\n \"prod\": {}}");
    tell("a desired state that says a thing twice", &[]);
    fs::remove_file(stage.folder().join("deploy.json")).expect("a file");
    tell("no desired state", &[]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_plan_tells_how_what_runs_stands_to_what_is_desired() {
    let (first, second) = (commit("desired first"), commit("desired second"));
    let stage = stage(&json!({ "prod": { SERVICE: first } }), Settings::default());
    stage.publish(&SampleImage::new(SERVICE, &first));
    stage.publish(&SampleImage::new(SERVICE, &second));
    let docker = stage.project().docker();
    let told = |words: &str| {
        let run = plan(&stage, &[]);
        assert!(run.text("/services/0/state/reason").contains(words), "{words}: {run:?}");
        run.text("/services/0/state/state")
    };

    assert_eq!(told("nothing runs there"), "behind");
    let run = stage.deploy(&first, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(told(""), "in-sync");
    desire(&stage, &json!({ "prod": { SERVICE: second } }).to_string());
    assert_eq!(told(&format!("runs commit {first}")), "behind");

    desire(&stage, &json!({ "prod": { SERVICE: first } }).to_string());
    docker.run(&["stop", "--time", "0", "project-manager-backend"]).expect("it is stopped");
    assert_eq!(told("does not run"), "degraded");

    // The very image, started by hand.
    docker.run(&["rm", "--force", "project-manager-backend"]).expect("it is gone");
    let by_hand =
        ["run", "--detach", "--name", "project-manager-backend", &format!("project-manager:{first}")];
    docker.run(&by_hand).expect("a container");
    assert_eq!(told("project-manager-backend"), "drifted");
    let text = stage.host(&["deploy", "plan"]);
    assert!(text.stdout.contains(" drifted"), "{text:?}");

    desire(&stage, &json!({ "prod": { SERVICE: commit("desired and never published") } }).to_string());
    assert_eq!(told("is not in the registry"), "unknown");
}
