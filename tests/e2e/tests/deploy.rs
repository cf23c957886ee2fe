//! A commit-pinned image goes from a real registry into a real engine and is what answers afterwards.

use e2e::{Behaviour, SERVICE, SampleImage, Stage, commit};

#[test]
fn the_first_deploy_runs_what_was_asked_for() {
    let stage = Stage::new();
    let first = stage.published("first");

    let run = stage.deploy(&first, &["--run-now"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(first.clone()));
    let report = run.json();
    assert!(report["registry"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    assert_eq!(report["rollback"]["previousCommit"], serde_json::Value::Null);
    for verification in report["verification"].as_array().expect("verification") {
        assert_eq!(verification["satisfied"], true, "{verification}");
    }
}

#[test]
fn the_next_deploy_replaces_it_and_knows_the_way_back() {
    let stage = Stage::new();
    let (first, second) = (stage.published("first"), stage.published("second"));
    assert_eq!(stage.deploy(&first, &["--run-now"]).code, 0);
    let before = stage.snapshot();

    let run = stage.deploy(&second, &["--run-now"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(second));
    assert_eq!(run.text("/rollback/previousCommit"), first);
    assert!(run.text("/rollback/command").contains(&first));
    assert_eq!(before.neighbour, stage.snapshot().neighbour);

    let back = stage.deploy(&first, &["--run-now"]);
    assert_eq!(back.outcome(), (0, "deployed".to_owned()), "{back:?}");
    assert_eq!(stage.running(), Some(first));
    let delivered = &back.json()["steps"][1];
    assert_eq!(delivered["operation"], "image.deliver");
    assert_eq!(delivered["outcome"], "already-so", "the image was still there: {delivered}");
}

#[test]
fn the_image_for_this_machine_is_taken_out_of_an_index() {
    let stage = Stage::new();
    let commit = commit("index");
    let other = SampleImage::new(SERVICE, &commit);
    stage.publish(&SampleImage::new(SERVICE, &commit).with_platform("s390x", other));

    let run = stage.deploy(&commit, &["--run-now"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(commit));
}

#[test]
fn a_slow_start_is_waited_for() {
    let stage = Stage::new();
    let commit = commit("slow start");
    stage.publish(&SampleImage::new(SERVICE, &commit).behaviour(Behaviour::SlowStart));

    let run = stage.deploy(&commit, &["--run-now"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
}

#[test]
fn every_run_is_in_the_journal() {
    let stage = Stage::new();
    let commit = stage.published("journal");
    let planned = stage.deploy(&commit, &["--dry-run"]);
    let deployed = stage.deploy(&commit, &["--run-now"]);

    let list = stage.host(&["runs", "list", "--output", "json"]).json();

    let decisions: Vec<_> =
        list["runs"].as_array().expect("runs").iter().map(|run| &run["decision"]).collect();
    assert_eq!(decisions, ["deployed", "planned"]);
    let id = deployed.text("/run/id");
    assert_ne!(id, planned.text("/run/id"));
    let shown = stage.host(&["runs", "show", &id, "--output", "json"]).json();
    let passes: Vec<_> = shown["operations"]
        .as_array()
        .expect("operations")
        .iter()
        .map(|row| {
            format!(
                "{} {}",
                row["pass"].as_str().unwrap_or(""),
                row["operation"]["operation"].as_str().unwrap_or("")
            )
        })
        .collect();
    insta::assert_snapshot!(passes.join("\n"), @r"
    observing host.registry
    observing registry.resolve
    observing image.deliver
    observing compose.activate
    observing compose.expect
    observing health.expect
    observing host.retain
    live registry.resolve
    live image.deliver
    live compose.activate
    live compose.expect
    live health.expect
    live host.retain
    ");
    assert_eq!(shown["report"], deployed.json(), "the journal keeps the report as it was printed");
}

#[test]
fn a_plan_looks_at_everything_changes_nothing_and_is_no_silent_success() {
    let stage = Stage::new();
    let commit = stage.published("plan");
    let before = stage.snapshot();

    let run = stage.deploy(&commit, &[]);

    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(run.text("/decision"), "planned");
    assert!(run.stderr.contains("--dry-run") && run.stderr.contains("--run-now"), "{}", run.stderr);
    assert_eq!(before.differences(&stage.snapshot()), [""; 0]);
}
