//! What is refused, and that nobody is asked anything before it is.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::{COMMIT, Desk, PAIRS};

/// What can only be planned, and the words with which a live deploy of it is refused.
const HELD: [(&str, &str, &[&str]); 8] = [
    ("baidu-netdisk", "dev", &["guard.hold", "dev only validates"]),
    ("code-queue", "dev", &["guard.require-approval", "in the role supervisor or operator"]),
    ("code-queue-mgr", "prod", &["guard.require-approval", "in the role supervisor", "guard.require-pinned"]),
    ("findjob", "dev", &["guard.hold", "dev only validates"]),
    (
        "k3sctl-adapter",
        "prod",
        &["guard.require-approval", "guard.hold", "a supervisor's separate confirmation"],
    ),
    (
        "met-nonlinear",
        "dev",
        &["guard.hold", "the registered Dockerfile and the long-running service contract disagree"],
    ),
    (
        "met-nonlinear",
        "prod",
        &["guard.hold", "the registered Dockerfile and the long-running service contract disagree"],
    ),
    ("pipeline", "dev", &["guard.hold", "dev only validates"]),
];

#[test]
fn a_live_deploy_that_is_held_ends_before_anybody_is_asked() {
    let desk = Desk::new();
    for (service, environment, words) in HELD {
        for flags in [&["--run-now"][..], &["--run-now", "--wait"]] {
            let trace = desk.path().join("trace");
            let mut command = Command::new("strace");
            command.args(["--follow-forks", "--trace=%network,execve", "--output"]).arg(&trace);
            command.arg(lab::paths::host().expect("the program"));
            let arguments = ["deploy", service, "--env", environment, "--commit", COMMIT, "--output", "json"];
            let run = desk.start(&mut command, &[&arguments, flags].concat());
            assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
            let report = run.json();
            for word in words {
                assert!(run.text("/error/message").contains(word), "{service}: {word} is missing: {run:?}");
            }
            assert_eq!(report["retryable"], false);
            let trace = fs::read_to_string(&trace).expect("the trace");
            assert_eq!(trace.matches("execve(").count(), 1, "no program is started: {trace}");
            for call in ["socket(", "connect("] {
                assert!(!trace.contains(call), "{service} to {environment} asks somebody: {trace}");
            }
            let steps = report["steps"].as_array().expect("steps");
            let asked: Vec<_> = steps
                .iter()
                .filter(|step| step["kind"] != "gate")
                .filter(|step| {
                    !["not-asked", "planned"].contains(&step["outcome"].as_str().unwrap_or_default())
                })
                .collect();
            assert!(asked.is_empty() && steps.len() > 4, "{asked:?}");
        }
    }
}

#[test]
fn the_guards_are_told_by_a_dry_run() {
    let desk = Desk::new();
    let supervised: Vec<_> = PAIRS
        .iter()
        .filter(|(service, environment, _)| {
            desk.planned(service, environment)["requiresSupervisorApproval"] == true
        })
        .map(|(service, ..)| *service)
        .collect();
    assert_eq!(supervised, ["code-queue", "code-queue-mgr", "k3sctl-adapter"]);

    let queue = desk.planned("code-queue", "dev");
    let names = ["scheduler", "read", "write", "provider-egress-proxy"];
    let deployments: Vec<_> = names
        .map(|name| {
            let name = format!("code-queue-{name}-dev");
            let image = format!("127.0.0.1:5000/unidesk/code-queue:{COMMIT}");
            json!({ "namespace": "unidesk-dev", "name": name, "container": name, "image": image })
        })
        .into();
    assert_eq!(queue["target"]["deployments"], Value::Array(deployments));
    let affected: Vec<_> =
        names.map(|name| json!(format!("d601-k3s/unidesk-dev/code-queue-{name}-dev"))).into();
    assert_eq!(queue["affectedRuntime"], Value::Array(affected));
    let patches = queue["steps"].as_array().expect("steps").iter();
    assert_eq!(
        patches.filter(|step| step["operation"] == "kubernetes.patch").count(),
        1,
        "one patch, or none"
    );
    excludes(&queue, &["production", "scheduler", "runner", "active tasks", "interrupt", "cancel"]);

    let manager = desk.planned("code-queue-mgr", "prod");
    assert_eq!(manager["target"]["composeService"], "code-queue-mgr");
    assert_eq!(manager["target"]["containerName"], "code-queue-mgr-backend");
    assert_eq!(
        manager["affectedRuntime"],
        json!(["main-server/code-queue-mgr (container code-queue-mgr-backend)"])
    );
    excludes(&manager, &["scheduler", "runner", "queued tasks", "interrupt", "cancel"]);

    for report in [&queue, &manager] {
        let guard = &report["selfBootstrapGuard"];
        assert_eq!((&guard["applies"], &guard["result"]), (&json!(true), &json!("outside")), "{guard}");
        assert!(!guard["evidence"].as_array().expect("evidence").is_empty());
    }
}

fn excludes(report: &Value, words: &[&str]) {
    let excluded = report["excludedTargets"].as_array().expect("a list");
    for word in words {
        assert!(
            excluded.iter().any(|one| one.as_str().is_some_and(|one| one.contains(word))),
            "{word}: {excluded:?}"
        );
    }
}

#[test]
fn an_unsupported_pair_lists_those_that_are_supported() {
    let desk = Desk::new();
    let pairs = |service: Option<&str>| -> Value {
        let listed = PAIRS.iter().filter(|(one, ..)| service.is_none_or(|service| service == *one));
        listed
            .map(|(service, environment, _)| json!({ "service": service, "environment": environment }))
            .collect()
    };
    let mut missing: Vec<_> = PAIRS.iter().map(|(service, ..)| (*service, "staging")).collect();
    missing.dedup();
    for environment in ["dev", "prod"] {
        let lacks =
            |service: &str| !PAIRS.iter().any(|(one, there, _)| *one == service && *there == environment);
        let lacking: Vec<_> =
            missing.iter().map(|(service, _)| *service).filter(|service| lacks(service)).collect();
        missing.extend(lacking.into_iter().map(|service| (service, environment)));
    }
    missing.sort_unstable();
    missing.dedup();
    assert!(
        missing.contains(&("code-queue", "prod")) && missing.contains(&("todo-note", "dev")),
        "{missing:?}"
    );
    for (service, environment) in missing {
        for mode in ["--dry-run", "--run-now"] {
            let arguments =
                ["deploy", service, "--env", environment, "--commit", COMMIT, mode, "--output", "json"];
            let run = desk.run(&arguments);
            assert_eq!(run.outcome(), (3, "unsupported".to_owned()), "{run:?}");
            let report = run.json();
            assert_eq!(report["supported"], pairs(Some(service)), "{service} to {environment}");
            // Decided before approvals: there is nothing that could be approved.
            assert_eq!(report["steps"], json!([]));
            assert_eq!(report["requiresSupervisorApproval"], false);
        }
    }
    let unknown =
        ["deploy", "bookmarks", "--env", "prod", "--commit", COMMIT, "--dry-run", "--output", "json"];
    let run = desk.run(&unknown);
    assert_eq!(run.outcome(), (3, "unsupported".to_owned()), "{run:?}");
    assert_eq!(run.json()["supported"], pairs(None));
}

#[test]
fn code_queue_to_prod_can_be_neither_planned_nor_approved() {
    let desk = Desk::new();
    let file = desk.path().join("queue.plan").display().to_string();
    let what = ["deploy", "plan", "--env", "prod", "--service", "code-queue", "--commit", COMMIT];
    let run = desk.run(&[&what[..], &["--output", "json", "--out", &file]].concat());
    assert_eq!(run.outcome(), (3, "unsupported".to_owned()), "{run:?}");
    assert!(!desk.path().join("queue.plan").exists(), "nothing is written");
    let run = desk.run(&["deploy", "approve", &file, "--role", "supervisor", "--print"]);
    assert_eq!(run.code, 2, "there is no plan: {run:?}");
    assert!(run.stderr.contains("queue.plan cannot be read"), "{run:?}");
}
