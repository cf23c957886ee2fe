//! However a deploy is asked for, one code path answers: the same guards, targets and provenance, and the same refusals.

use std::fs;
use std::process::Command;

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

#[test]
fn what_needs_an_approval_is_left_alone_where_nobody_names_it() {
    let desk = Desk::new();
    let desired = json!({ "dev": { "code-queue": COMMIT, "decision-center": COMMIT } });
    desk.write("deploy.json", &desired.to_string());
    let config = desk.desiring();
    let apply = |more: &[&str]| {
        let arguments = ["deploy", "apply", "--env", "dev", "--config", &config];
        desk.run(&[&arguments[..], more].concat())
    };
    let services = |run: &Run, of: &str| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let answer = run.json();
        let reports = answer[of].as_array().expect("reports").iter();
        reports.map(|report| (text(&report["service"]), text(&report["decision"]))).collect()
    };
    let pairs = |service: &str, decision: &str| vec![(service.to_owned(), decision.to_owned())];

    let dry = apply(&["--dry-run", "--output", "json"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(services(&dry, "services"), pairs("decision-center", "planned"));
    assert_eq!(services(&dry, "gated"), pairs("code-queue", "planned"));
    let text = apply(&["--dry-run"]).stdout;
    assert!(text.contains("code-queue → dev is left alone: it needs an approval"), "{text}");

    // Nothing can be reached from here: only the other one was tried.
    let live = apply(&["--run-now", "--output", "json"]);
    assert_eq!(live.outcome(), (4, "infra-blocked".to_owned()), "{live:?}");
    assert_eq!(services(&live, "services"), pairs("decision-center", "infra-blocked"));
    assert_eq!(services(&live, "gated"), pairs("code-queue", "blocked"));

    // Named, it is refused before anything of its target is read.
    let trace = desk.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--trace=%network,execve", "--output"]).arg(&trace);
    strace.arg(lab::paths::host().expect("the program"));
    let arguments =
        ["deploy", "apply", "--env", "dev", "--service", "code-queue", "--run-now", "--output", "json"];
    let named = desk.start(&mut strace, &[&arguments[..], &["--config", &config]].concat());
    assert_eq!(named.outcome(), (3, "blocked".to_owned()), "{named:?}");
    assert_eq!(services(&named, "services"), pairs("code-queue", "blocked"));
    let trace = fs::read_to_string(&trace).expect("the trace");
    assert_eq!(trace.matches("execve(").count(), 1, "no program is started: {trace}");
    assert!(!trace.contains("connect("), "nobody is asked: {trace}");
}
