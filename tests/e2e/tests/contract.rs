//! The contract of `--output json`. Every document that any test reads is held to its kept schema (`Run::json`); here are
//! those that no other test reads, and the schemas themselves.

use e2e::{Run, SERVICE, Stage, commit};
use serde_json::{Map, Value};

#[test]
fn every_document_keeps_its_schema() {
    let stage = Stage::new();
    let commit = commit("contract");
    let report = stage.deploy(&commit, &["--dry-run", "--on-failure", "rollback"]);
    let run = report.text("/run/id");
    for (arguments, part) in [
        (&["services"][..], "/services/0/environments/0/shape"),
        (&["runs", "list"], "/runs/0/id"),
        (&["runs", "show", &run], "/operations/0/requests/0/access/action"),
        (&["runs", "show", "1999"], "/error/code"),
        (&["deploy", SERVICE, "--env", "staging", "--commit", &commit, "--dry-run"], "/error/code"),
    ] {
        let answer = stage.host(&[arguments, &["--output", "json"]].concat());
        assert!(!answer.text(part).is_empty(), "{answer:?}");
    }
}

#[test]
fn a_document_that_keeps_no_schema_fails_the_test_that_reads_it() {
    let stage = Stage::new();
    let good = stage.host(&["services", "--output", "json"]);
    let whole = good.json();
    let changes: [fn(&mut Map<String, Value>); 3] = [
        |document| drop(document.remove("ok")),
        |document| drop(document.insert("more".to_owned(), 1.into())),
        |document| drop(document.insert("schemaVersion".to_owned(), "1".into())),
    ];
    for change in changes {
        let mut document = whole.clone();
        document.as_object_mut().into_iter().for_each(change);
        let bad = Run { code: 0, stdout: document.to_string(), stderr: String::new() };
        assert!(std::panic::catch_unwind(|| bad.json()).is_err(), "{document}");
    }
}

#[test]
fn the_kept_schemas_are_printed() {
    let stage = Stage::new();
    let kept =
        std::fs::read_to_string(lab::paths::root().join("host/schemas/report.json")).expect("a schema");
    assert_eq!(stage.host(&["schema", "report"]).stdout, kept);
    let all: Value = serde_json::from_str(&stage.host(&["schema", "--output", "json"]).stdout).expect("JSON");
    let listed = stage.host(&["schema"]).stdout;
    let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.len(), all.as_object().map_or(0, Map::len));
    assert!(names.iter().all(|name| all[name]["$id"].is_string()), "{listed}");
    let help = stage.host(&["schema", "--help"]);
    assert!(help.stdout.contains("Example"), "{help:?}");
}
