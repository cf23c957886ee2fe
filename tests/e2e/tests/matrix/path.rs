//! However a deploy is asked for, one code path answers: the same guards, targets and provenance, and the same refusals.

use e2e::Run;
use serde_json::{Value, json};

use crate::{COMMIT, Desk, PAIRS};

/// How a dry run of one service may be asked for; the specification's own words among them.
const WAYS: [&[&str]; 5] = [
    &["deploy", "SERVICE", "--env", "ENV", "--commit", "COMMIT", "--dry-run"],
    &["deploy", "plan", "--env", "ENV", "--service", "SERVICE", "--commit", "COMMIT", "--offline"],
    &["deploy", "apply", "--env", "ENV", "--service", "SERVICE", "--commit", "COMMIT", "--dry-run"],
    &[
        "registry",
        "deploy-service",
        "--service",
        "SERVICE",
        "--env",
        "ENV",
        "--commit",
        "COMMIT",
        "--dry-run",
    ],
    &[
        "artifact-registry",
        "deploy-service",
        "--service",
        "SERVICE",
        "--env",
        "ENV",
        "--commit",
        "COMMIT",
        "--dry-run",
    ],
];

fn ask(desk: &Desk, way: &[&str], service: &str, environment: &str, commit: &str) -> Run {
    let word = |word: &&str| match *word {
        "SERVICE" => service.to_owned(),
        "ENV" => environment.to_owned(),
        "COMMIT" => commit.to_owned(),
        other => other.to_owned(),
    };
    let words: Vec<String> = way.iter().map(word).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.extend(["--output", "json"]);
    desk.run(&words)
}

/// The one report of an answer, without what differs from run to run.
fn report(run: &Run) -> Value {
    let answer = run.json();
    let mut report = answer.get("services").map_or_else(|| answer.clone(), |all| all[0].clone());
    report["run"] = Value::Null;
    for steps in ["steps", "failurePath", "retention"] {
        for step in report[steps].as_array_mut().into_iter().flatten() {
            step["durationMs"] = Value::Null;
        }
    }
    report
}

#[test]
fn every_way_of_asking_shows_the_same() {
    let desk = Desk::new();
    let queue_in_prod = ("code-queue", "prod", "");
    for (service, environment, _) in PAIRS.into_iter().chain([queue_in_prod]) {
        let mut told = Vec::new();
        for way in WAYS {
            let run = ask(&desk, way, service, environment, COMMIT);
            told.push((run.code, report(&run)));
        }
        let (code, first) = &told[0];
        let expected =
            if (service, environment) == ("code-queue", "prod") { "unsupported" } else { "planned" };
        assert_eq!(first["decision"], expected, "{service} to {environment}");
        assert_eq!(*code, if expected == "planned" { 0 } else { 3 });
        for (way, (code_there, other)) in WAYS.iter().zip(&told) {
            assert_eq!(code_there, code, "{way:?}");
            assert_eq!(other, first, "{way:?}");
        }
    }
}

#[test]
fn what_moves_is_no_commit_in_any_of_them() {
    let desk = Desk::new();
    for moving in ["latest", "main", "HEAD", "v1.2.3", "0123456", &COMMIT[..39], &COMMIT.to_uppercase()] {
        for way in WAYS {
            let live: Vec<&str> =
                way.iter().copied().filter(|word| !["--dry-run", "--offline"].contains(word)).collect();
            for way in [way, &live] {
                let run = ask(&desk, way, "project-manager", "prod", moving);
                assert_eq!(run.code, 2, "{way:?} {moving}: {run:?}");
                assert!(
                    run.stderr.contains("40") && run.stderr.contains("--commit"),
                    "it is said what a commit is: {way:?} {moving}: {run:?}"
                );
            }
        }
        desk.write("deploy.json", &json!({ "prod": { "project-manager": moving } }).to_string());
        let run = desk.run(&["deploy", "plan", "--config", &desk.desiring(), "--output", "json"]);
        assert_eq!(run.code, 2, "{moving}: {run:?}");
        assert!(run.stderr.contains("deploy.json") && run.stderr.contains("project-manager"), "{run:?}");
    }
}

#[test]
fn the_manager_of_code_queue_has_to_be_pinned() {
    let desk = Desk::new();
    let gate = |desired: Option<Value>| -> (Value, Value) {
        let arguments = [
            "deploy",
            "code-queue-mgr",
            "--env",
            "prod",
            "--commit",
            COMMIT,
            "--dry-run",
            "--output",
            "json",
        ];
        let run = match desired {
            None => desk.run(&arguments),
            Some(desired) => {
                desk.write("deploy.json", &desired.to_string());
                desk.run(&[&arguments[..], &["--config", &desk.desiring()]].concat())
            }
        };
        assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
        let report = run.json();
        let steps = report["steps"].as_array().expect("steps");
        let pinned = steps.iter().find(|step| step["operation"] == "guard.require-pinned").expect("a gate");
        (pinned["outcome"].clone(), pinned["message"].clone())
    };

    let (outcome, message) = gate(None);
    assert_eq!(outcome, "pending", "{message}");
    assert!(message.as_str().is_some_and(|text| text.contains("[catalog]")), "{message}");
    assert_eq!(gate(Some(json!({ "prod": { "project-manager": COMMIT } }))).0, "pending");
    assert_eq!(gate(Some(json!({ "dev": { "code-queue-mgr": COMMIT } }))).0, "pending");
    assert_eq!(gate(Some(json!({ "prod": { "code-queue-mgr": COMMIT } }))).0, "met");
}
