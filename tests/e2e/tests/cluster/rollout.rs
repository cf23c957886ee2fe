//! Rollouts that go well, and all the ways in which they do not: each is made for real, and told in one snapshot.

use std::thread;
use std::time::{Duration, Instant};

use e2e::cluster::{DEPLOYMENT, NAMESPACE, Scene, d601};
use host::answer::{Answer, CallError};
use lab::cluster::Workload;
use sample_service::Behaviour;
use serde_json::json;

use crate::asked::Asking;

/// What differs between runs, made the same.
fn stable(text: &str) -> String {
    let mut stable = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let (bare, end) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        let hex = bare.len() == 40 && bare.chars().all(|c| c.is_ascii_hexdigit());
        match bare.strip_prefix(DEPLOYMENT).filter(|rest| rest.starts_with('-')) {
            _ if hex => stable += "[commit]",
            Some(rest) if rest.matches('-').count() == 2 => stable += "[pod]",
            Some(_) => stable += "[set]",
            None if bare.parse::<std::net::Ipv4Addr>().is_ok() => stable += "[address]",
            None => stable += bare,
        }
        stable += end;
    }
    stable
}

fn error(answer: Result<Answer, CallError>) -> String {
    let error = answer.expect_err("a rollout that fails");
    format!("{}, retryable: {}\n{}", error.code(), error.retryable(), stable(error.message()))
}

fn pods(answer: Result<Answer, CallError>) -> Vec<host::answer::PodView> {
    let Ok(Answer::Pods(pods)) = answer else { unreachable!("a rollout that goes well: {answer:?}") };
    pods
}

#[test]
fn cluster_a_rollout_ends_when_its_last_pod_is_ready() {
    let d601 = d601();
    let scene = Scene::set(&d601, "");
    let asking = Asking::of(&scene.stage);
    let (_, commit) = scene.running("rollout-first", |workload| workload.replicas(2));
    // One that is rolled out is so at once.
    assert_eq!(pods(asking.rolled_out(30)).len(), 2);
    asking.notes();

    let (second, pushed) = scene.published("rollout-second", |image| image.behaviour(Behaviour::SlowStart));
    assert_ne!(second, commit);
    let workload = Workload::new(NAMESPACE, DEPLOYMENT, &pushed.reference).replicas(2);
    scene.cluster.run(&workload).expect("patched");
    let (found, done, by_kubectl) = thread::scope(|threads| {
        let by_kubectl = threads.spawn(|| {
            scene.cluster.rolled_out(&workload).expect("rolled out");
            Instant::now()
        });
        let found = pods(asking.rolled_out(30));
        (found, Instant::now(), by_kubectl.join().expect("kubectl"))
    });
    // How long either takes after the other; nothing fails on a time.
    let (after, before) =
        (done.saturating_duration_since(by_kubectl), by_kubectl.saturating_duration_since(done));
    println!("done {after:?} after `kubectl rollout status`, or {before:?} before it");
    assert_eq!(found.len(), 2);
    for pod in &found {
        assert!(pod.ready, "{found:?}");
        assert_eq!(pod.image_digest.as_deref(), Some(pushed.digest.as_str()), "{found:?}");
    }
    let notes = asking.notes();
    assert!(notes.iter().any(|note| note.contains("0 of 2 new pods ready")), "{notes:#?}");
    assert!(notes.iter().any(|note| note.contains("1 of 2 new pods ready (")), "{notes:#?}");
}

#[test]
fn cluster_a_rollout_that_fails_says_what_keeps_it_and_what_serves() {
    let d601 = d601();
    let scene = Scene::set(&d601, "rollout-seconds = 60");
    let asking = Asking::of(&scene.stage);
    let (good, _) = scene.running("rollout-good", |workload| workload);
    let (_, never) = scene.published("rollout-never", |image| image.behaviour(Behaviour::NeverReady));
    let (_, crash) = scene.published("rollout-crash", |image| image.behaviour(Behaviour::Crash));
    let workload = |image: &str| Workload::new(NAMESPACE, DEPLOYMENT, image);
    let (repository, _) = never.reference.rsplit_once(':').expect("a tag");
    let missing = format!("{repository}:{}", "0".repeat(40));
    let quota = ["create", "quota", "few", "--hard=pods=1", "--namespace", NAMESPACE];
    let no_quota = ["delete", "quota", "few", "--namespace", NAMESPACE];
    let from_nowhere = json!({ "valueFrom": { "configMapKeyRef": { "name": "nowhere", "key": "x" } } });
    let much = json!({ "requests": { "memory": "1Ti" } });

    let ways: [(&str, Workload, u32); 8] = [
        ("an image that is not there", workload(&missing), 60),
        ("a crash", workload(&crash.reference), 60),
        ("a probe that fails, until the deadline", workload(&never.reference), 4),
        (
            "a probe that fails, until the Deployment's own deadline",
            workload(&never.reference).env("WAY", "progress").spec("progressDeadlineSeconds", json!(3)),
            60,
        ),
        ("no place, until the deadline", workload(&never.reference).container("resources", much), 3),
        ("a value from nowhere", workload(&never.reference).env_from("X", from_nowhere), 60),
        ("a quota", workload(&never.reference).env("WAY", "quota"), 60),
        ("a pause", workload(&never.reference).env("WAY", "pause").spec("paused", json!(true)), 60),
    ];
    let mut told = Vec::new();
    for (way, workload, within) in ways {
        if way == "a quota" {
            scene.cluster.kubectl(&quota).expect("a quota");
        }
        scene.cluster.run(&workload).expect("patched");
        let begun = Instant::now();
        told.push(format!("# {way}\n{}\n", error(asking.rolled_out(within))));
        println!("{way}: {:?}", begun.elapsed());
        if way == "a quota" {
            scene.cluster.kubectl(&no_quota).expect("no quota");
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{way}: {:?}", begun.elapsed());
        let paused = way == "a pause";
        let good = if paused { good.clone().spec("paused", json!(false)) } else { good.clone() };
        scene.cluster.run(&good).expect("the old one");
        scene.cluster.rolled_out(&good).expect("the old one");
    }
    let delete = ["delete", "deployment", DEPLOYMENT, "--namespace", NAMESPACE];
    scene.cluster.kubectl(&delete).expect("no Deployment");
    told.push(format!("# no Deployment\n{}\n", error(asking.rolled_out(60))));
    insta::assert_snapshot!(told.join("\n"));
}
