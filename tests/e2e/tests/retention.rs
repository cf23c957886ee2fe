//! Old images of a service: the newest stay, with all that is somebody else's, and the others give their disk back.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use e2e::hostile::{Hostile, LIVE, meanwhile, on};
use e2e::{Run, SERVICE, SampleImage, Settings, Stage, commit, policies};
use lab::faulty::Answer;
use lab::faulty_docker::Fault;
use lab::modern::{self, Modern};
use lab::{Bench, Registry};
use serde_json::Value;

/// The name that images are delivered under.
const DELIVERED: &str = "unidesk/project-manager";

/// Bytes that only one image has, more than everything else of it.
const PADDING: usize = 12_000_000;

fn keeping(kept: u32) -> Settings {
    let tables = format!("\n[limits]\nhealth-seconds = 5\nimages-kept = {kept}\n");
    Settings { tables, ..Settings::default() }
}

/// Deploys a new commit and gives it with the answer.
fn deploy(stage: &Stage, name: &str) -> (String, Run) {
    let commit = stage.published(name);
    let run = stage.deploy(&commit, LIVE);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{name}: {run:?}");
    assert_eq!(stage.running(), Some(commit.clone()), "{name}");
    (commit, run)
}

/// What the report says of the one runtime.
fn retention(run: &Run) -> Value {
    let mut all = run.json()["retention"].as_array().cloned().unwrap_or_default();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The tags that docker shows of a repository, sorted.
fn tags(stage: &Stage, repository: &str) -> Vec<String> {
    let names = stage.project().docker().image_names(repository).expect("image names");
    names.into_keys().filter_map(|name| Some(name.rsplit_once(':')?.1.to_owned())).collect()
}

fn sorted(commits: &[&String]) -> Vec<String> {
    let mut sorted: Vec<String> = commits.iter().map(|&commit| commit.clone()).collect();
    sorted.sort();
    sorted
}

/// Both names of a commit, in the order in which they go.
fn both(commit: &str) -> Value {
    serde_json::json!([format!("{DELIVERED}:{commit}"), format!("{SERVICE}:{commit}")])
}

#[test]
fn the_newest_stay_and_so_does_what_is_somebody_elses() {
    let stage = Stage::with(keeping(3));
    let docker = stage.project().docker().clone();
    let (first, run) = deploy(&stage, "kept 1");
    assert_eq!(retention(&run)["removed"], serde_json::json!([]));
    // Somebody holds on to this commit in ways of his own.
    let elsewhere = format!("elsewhere/{SERVICE}:{first}");
    let mine = format!("{SERVICE}:mine");
    for name in [&elsewhere, &mine] {
        docker.run(&["tag", SERVICE, name]).expect("a name");
    }
    let (held, _) = deploy(&stage, "kept 2");
    docker.run(&["create", "--name", "e2e-holds-on", &format!("{SERVICE}:{held}")]).expect("a container");
    let (third, run) = deploy(&stage, "kept 3");
    assert_eq!(retention(&run)["removed"], serde_json::json!([]), "three may stay");

    let (fourth, run) = deploy(&stage, "kept 4");
    assert_eq!(retention(&run)["removed"], both(&first));
    assert_eq!((&retention(&run)["outcome"], &retention(&run)["message"]), (&"ok".into(), &Value::Null));
    let (fifth, run) = deploy(&stage, "kept 5");
    assert_eq!(retention(&run)["removed"], serde_json::json!([]), "a container holds on to the only old one");
    let (sixth, run) = deploy(&stage, "kept 6");
    assert_eq!(retention(&run)["removed"], both(&third));

    assert_eq!(tags(&stage, DELIVERED), sorted(&[&held, &fourth, &fifth, &sixth]));
    let mut of_service = sorted(&[&held, &fourth, &fifth, &sixth]);
    of_service.extend(["latest".to_owned(), "mine".to_owned()]);
    assert_eq!(tags(&stage, SERVICE), of_service);
    assert_eq!(tags(&stage, &format!("elsewhere/{SERVICE}")), std::slice::from_ref(&first));

    // The way back beyond what was kept leads through the registry.
    docker.run(&["rm", "e2e-holds-on"]).expect("removed");
    let back = stage.deploy(&third, LIVE);
    assert_eq!(back.outcome(), (0, "deployed".to_owned()), "{back:?}");
    assert_eq!(stage.running(), Some(third.clone()));
    assert_eq!(back.json()["steps"][1]["outcome"], "ok", "it was delivered again: {back:?}");
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&third, &sixth, &fifth]));
}

#[test]
fn what_runs_and_what_ran_before_stay_whatever_the_number() {
    let stage = Stage::with(keeping(0));
    let (first, _) = deploy(&stage, "least 1");
    let (second, _) = deploy(&stage, "least 2");
    let (third, run) = deploy(&stage, "least 3");
    assert_eq!(retention(&run)["removed"], both(&first));
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&second, &third]));

    // Back, and forward to a new one: the one that ran before is now an older one.
    let back = stage.deploy(&second, LIVE);
    assert_eq!(back.json()["steps"][1]["outcome"], "already-so", "{back:?}");
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&second, &third]));
    let (fourth, run) = deploy(&stage, "least 4");
    assert_eq!(retention(&run)["removed"], both(&third));
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&second, &fourth]));

    // The same once more: the run cannot see what ran before it, and it stays.
    let again = stage.deploy(&fourth, LIVE);
    assert_eq!(again.outcome(), (0, "deployed".to_owned()), "{again:?}");
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&second, &fourth]));
}

#[test]
fn a_dry_run_says_the_rule_and_the_journal_has_it() {
    let stage = Stage::with(keeping(3));
    let commit = stage.published("said");

    let said = stage.host(&["deploy", SERVICE, "--env", "prod", "--commit", &commit, "--dry-run"]);
    let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let rule = format!("afterwards keeps the newest 3 commits of {DELIVERED} and {SERVICE} in main-server");
    assert!(words.contains(&rule), "{}", said.stdout);

    let run = stage.deploy(&commit, LIVE);
    let shown = stage.host(&["runs", "show", &run.text("/run/id"), "--output", "json"]).json();
    let rows: Vec<&Value> = shown["operations"]
        .as_array()
        .expect("operations")
        .iter()
        .filter(|row| row["operation"]["operation"] == "host.retain")
        .collect();
    let passes: Vec<&Value> = rows.iter().map(|row| &row["pass"]).collect();
    assert_eq!(passes, ["observing", "live"]);
    assert_eq!(rows[0]["operation"], rows[1]["operation"]);
    assert_eq!(rows[1]["requests"][0]["principal"]["builtIn"], "retention");
    assert_eq!(rows[1]["verdict"]["policies"], serde_json::json!(["retention-removes-old-image"]));
}

#[test]
fn without_a_permit_all_stay_and_the_deploy_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = policies(folder.path(), |name, content| match name {
        "retention.cedar" => String::new(),
        _ => content,
    });
    let stage = Stage::with(Settings { policies: Some(policies), ..keeping(0) });
    let commits: Vec<String> = ["denied 1", "denied 2"].iter().map(|name| deploy(&stage, name).0).collect();

    let (last, run) = deploy(&stage, "denied 3");

    let told = retention(&run);
    assert_eq!((&told["outcome"], &told["decision"]["allowed"]), (&"denied".into(), &false.into()), "{told}");
    assert_eq!(told["removed"], serde_json::json!([]));
    assert!(told["message"].as_str().is_some_and(|why| why.contains("retention-removeImage")), "{told}");
    let said = "old images stay: policy denies Action::\"removeImage\" on Image::\"main-server/unidesk/project-manager\"";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(tags(&stage, DELIVERED), sorted(&[&commits[0], &commits[1], &last]));

    let explained = stage.host(&["policy", "explain", SERVICE, "--env", "prod"]);
    assert_eq!(explained.code, 0, "{explained:?}");
    assert!(explained.stdout.ends_with("\nthe deploy is permitted; old images stay\n"), "{explained:?}");
    let dry = stage.deploy(&last, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()));
    assert_eq!(retention(&dry)["outcome"], "denied");
}

#[test]
fn an_engine_that_does_not_remove_keeps_no_deploy_from_standing() {
    let hostile = Hostile::in_service("docker-seconds = 3\nhealth-seconds = 5\nimages-kept = 0");
    deploy(&hostile.stage, "stuck 2");
    let conflict = Answer::new("409 Conflict", r#"{"message":"conflict: somebody uses it"}"#);
    let conflict = Fault::Answer(conflict.with("Content-Type", "application/json").bytes());
    hostile.engine.fault(on(&["DELETE ", "/images/unidesk"], 1, conflict));

    let (_, run) = deploy(&hostile.stage, "stuck 3");

    let told = retention(&run);
    let first = commit("first");
    assert_eq!(
        told["removed"],
        serde_json::json!([format!("{SERVICE}:{first}")]),
        "the next one goes: {told}"
    );
    let why = told["message"].as_str().unwrap_or_default();
    assert!(
        why.starts_with(&format!("{DELIVERED}:{first} stays: ")) && why.contains("somebody uses it"),
        "{why}"
    );
    assert!(run.stderr.contains("old images stay: "), "{}", run.stderr);

    // Silence is waited for once.
    hostile.engine.fault(on(&["GET ", "/images/json?"], usize::MAX, Fault::Silence));
    let (_, run) = deploy(&hostile.stage, "stuck 4");
    assert_eq!(retention(&run)["outcome"], "unavailable");
    hostile.engine.mend().expect("a stand-in");
    let (_, run) = deploy(&hostile.stage, "stuck 5");
    assert_eq!(retention(&run)["message"], Value::Null);
    assert_eq!(tags(&hostile.stage, DELIVERED), sorted(&[&commit("stuck 4"), &commit("stuck 5")]));
}

#[test]
fn an_interrupt_ends_it_between_two_names_and_the_deploy_stands() {
    let hostile = Hostile::in_service("health-seconds = 5\nimages-kept = 0");
    deploy(&hostile.stage, "interrupted 2");
    let commit = hostile.stage.published("interrupted 3");
    let process = Arc::new(AtomicI32::new(0));
    let asked = Arc::clone(&process);
    let interrupt = move || {
        let process = rustix::process::Pid::from_raw(asked.load(Ordering::SeqCst)).expect("a process");
        rustix::process::kill_process(process, rustix::process::Signal::INT).expect("it runs");
    };
    let late = Fault::Late(Duration::from_millis(300));
    hostile.engine.fault(meanwhile(&["DELETE ", "/images/unidesk"], interrupt, late));

    let arguments =
        ["deploy", SERVICE, "--env", "prod", "--commit", &commit, "--output", "json", "--run-now"];
    let mut command = hostile.stage.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    process.store(i32::try_from(child.id()).expect("a process id"), Ordering::SeqCst);
    let run = Run::from(child.wait_with_output().expect("an answer"));

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let told = retention(&run);
    assert_eq!(
        told["removed"],
        serde_json::json!([format!("{DELIVERED}:{}", e2e::commit("first"))]),
        "{told}"
    );
    assert!(told["message"].as_str().is_some_and(|why| why.starts_with("interrupted; ")), "{told}");
}

/// Deploys images that are large by themselves, and holds what they take on the disk against what two of them take.
fn disk_is_given_back(stage: &Stage, name: &str) {
    let docker = stage.project().docker();
    let deploy = |number: usize| {
        let commit = commit(&format!("{name} {number}"));
        // Another size is another layer.
        stage.publish(&SampleImage::new(SERVICE, &commit).padding(PADDING + number));
        let run = stage.deploy(&commit, LIVE);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
        run
    };
    let used = || {
        let text = docker.run(&["system", "df", "--format", "{{.Type}} {{.Size}}"]).expect("disk usage");
        let size = text.lines().find_map(|line| line.strip_prefix("Images ")).expect("images").to_owned();
        size.trim_end_matches("MB").parse::<f64>().expect("a size in MB")
    };
    deploy(1);
    let one = used();
    deploy(2);
    let two = used();
    assert!(two - one > 10.0, "an image takes its place: {one} MB, then {two} MB");

    let mut took = Vec::new();
    for number in 3..=5 {
        let told = retention(&deploy(number));
        assert_eq!(told["removed"].as_array().map(Vec::len), Some(2));
        took.push(told["durationMs"].to_string());
    }

    let five = used();
    assert!((five - two).abs() < 2.0, "two images took {two} MB, the two that stay of five take {five} MB");
    let all = docker.run(&["image", "ls", "--all", "--quiet", "--filter", "dangling=true"]).expect("a list");
    assert_eq!(all, "", "nothing stays without a name");
    println!(
        "one image {one} MB, two {two} MB, after five deploys {five} MB; removed in {} ms",
        took.join(", ")
    );
}

#[test]
fn the_disk_is_given_back() {
    disk_is_given_back(&Stage::with(keeping(2)), "disk");
}

#[test]
fn modern_engine_gives_the_disk_back_too() {
    let bench = Bench::from_environment().expect("the lab");
    let engine = Modern::start(modern::place_of_tests().expect("a place")).expect("the modern engine");
    let config = bench.docker().config().map(Into::into);
    let docker = engine.docker().clone().with_config(config);
    let modern = Bench::new(docker, Registry::at(bench.registry().address()));
    disk_is_given_back(&Stage::on(modern, keeping(2)), "disk of the modern engine");
}
