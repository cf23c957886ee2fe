//! Plans in files: what was shown is what happens, once, or nothing; each thing that is otherwise by then is named.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use e2e::{Run, SERVICE, SampleImage, Settings, Stage, commit};
use serde_json::{Value, json};

fn desire(stage: &Stage, commit: &str) {
    let desired = json!({ "prod": { SERVICE: commit } }).to_string();
    fs::write(stage.folder().join("deploy.json"), desired).expect("deploy.json");
}

/// A stage where `name` is published and planned, and the file of that plan.
struct Scene {
    stage: Stage,
    commit: String,
    file: String,
}

impl Scene {
    fn set(name: &str, flags: &[&str]) -> Self {
        let tables = "\n[catalog]\ndesired = \"deploy.json\"\n".to_owned();
        let stage = Stage::with(Settings { tables, ..Settings::default() });
        let before = stage.published(&format!("{name}, before"));
        desire(&stage, &before);
        let run = stage.deploy(&before, &["--run-now"]);
        assert_eq!(run.code, 0, "{run:?}");
        let commit = stage.published(name);
        desire(&stage, &commit);
        let file = stage.folder().join("prod.plan").display().to_string();
        let scene = Self { stage, commit, file };
        let planned = scene.plan(flags);
        assert_eq!(planned.outcome(), (0, "planned".to_owned()), "{planned:?}");
        assert_eq!(planned.json()["saved"]["plan"], scene.show().json()["plan"]);
        scene
    }

    fn plan(&self, flags: &[&str]) -> Run {
        self.stage.host(&[&["deploy", "plan", "--output", "json", "--out", &self.file], flags].concat())
    }

    fn show(&self) -> Run {
        self.stage.host(&["deploy", "show", &self.file, "--output", "json"])
    }

    fn apply(&self) -> Run {
        self.stage.host(&["deploy", "apply", &self.file, "--run-now", "--output", "json"])
    }

    /// Refused, for this reason, and nothing is otherwise than before.
    fn refused(&self, code: &str, words: &str) {
        let before = self.stage.snapshot();
        self.apply().assert_refused(code, words);
        assert_eq!(before.differences(&self.stage.snapshot()), [""; 0], "{code}");
    }

    fn changed(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.file).expect("the plan");
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&self.file, text.replacen(from, to, 1)).expect("another plan");
    }
}

#[test]
fn what_was_shown_is_what_happens_and_it_happens_once() {
    let scene = Scene::set("planned and applied", &[]);
    let shown = scene.show().json();
    let service = &shown["services"][0];
    assert_eq!(
        (&service["commit"], &service["expired"], &service["appliedBy"]),
        (&json!(scene.commit), &json!(false), &Value::Null)
    );
    let text = scene.stage.host(&["deploy", "show", &scene.file]);
    insta::with_settings!({ filters => vec![
        (r"[0-9a-f]{64}", "[digest]"), (r"engine: \S+", "engine: [id]"),
        (r"sha256:[0-9a-f]{5},", "sha256:[short],"), (r"[0-9a-f]{40}", "[commit]"), (r"[0-9]{4}-[0-9T:.Z-]+", "[time]"), (r"by [a-z0-9_-]+ at", "by [operator] at"),
        (r"[0-9a-f]{12}", "[short]"), (r"length: [0-9]+", "length: [n]"),
    ] }, { insta::assert_snapshot!("shown", scene.stage.stable(&text.stdout)); });

    let run = scene.apply();
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(scene.stage.running(), Some(scene.commit.clone()));
    let run = run.text("/services/0/run/id");
    assert_eq!(scene.show().json()["services"][0]["appliedBy"], run);
    scene.refused("plan-used", &run);

    // What is in sync needs no plan.
    fs::remove_file(&scene.file).expect("no plan");
    let again = scene.plan(&[]);
    assert_eq!(
        (again.outcome(), &again.json()["saved"]),
        ((0, "in-sync".to_owned()), &Value::Null),
        "{again:?}"
    );
    assert!(again.stderr.contains("there is nothing to do"), "{again:?}");
    assert!(fs::metadata(&scene.file).is_err());
}

#[test]
fn whatever_is_otherwise_by_then_is_named_and_nothing_is_done() {
    let scene = Scene::set("planned, and then the world changed", &[]);
    let plan = fs::read_to_string(&scene.file).expect("the plan");

    // One byte; another end; no plan at all.
    scene.changed("\"rollback\":false", "\"rollback\":true");
    scene.refused("plan-changed", "is not as it was written");
    fs::write(&scene.file, &plan[..plan.len() / 2]).expect("half a plan");
    scene.refused("plan-changed", "is not as it was written");
    let run = scene.stage.host(&["deploy", "apply", "nowhere.plan", "--run-now"]);
    assert_eq!(run.code, 2, "{run:?}");
    fs::write(&scene.file, &plan).expect("the plan");

    // Another image under the same tag.
    let image = |feature: &str| SampleImage::new(SERVICE, &scene.commit).label("feature", feature);
    scene.stage.publish(&image("another"));
    scene.refused("stale", "registry.resolve");
}

#[test]
fn what_runs_is_part_of_what_was_planned() {
    let scene = Scene::set("planned, and then somebody deployed", &[]);
    let other = scene.stage.published("deployed in between");
    let run = scene.stage.deploy(&other, &["--run-now", "--override-desired", "in between"]);
    assert_eq!(run.code, 0, "{run:?}");
    scene.refused("stale", "compose.activate");
}

#[test]
fn plugin_policy_and_time_are_part_of_it_too() {
    let scene = Scene::set("planned, and then the rules changed", &[]);
    let toml = fs::read_to_string(scene.stage.project().host_toml()).expect("host.toml");
    let policies = e2e::policies(scene.stage.folder(), |name, content| match name {
        "registry.cedar" => content + "\n// Reviewed.\n",
        _ => content,
    });
    let (before, after) = toml.split_once("policies = ").expect("policies");
    let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
    let other = format!("{before}policies = {:?}\n{rest}", policies.display().to_string());
    fs::write(scene.stage.project().host_toml(), other).expect("host.toml");
    scene.refused("plan-policy", "the policy is another one now");
    fs::write(scene.stage.project().host_toml(), toml).expect("host.toml");

    let short = Scene::set("planned for a moment", &["--expires-in", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    short.refused("plan-expired", "the plan expired at");
    assert_eq!(short.show().json()["services"][0]["expired"], true);
}

#[test]
fn what_cannot_be_done_as_a_whole_is_not_written() {
    let scene = Scene::set("planned well", &[]);
    desire(&scene.stage, &commit("published by nobody"));
    let plan = fs::read_to_string(&scene.file).expect("the plan");
    let run = scene.plan(&[]);
    assert_eq!((run.code, &run.json()["saved"]), (1, &Value::Null), "{run:?}");
    assert_eq!(fs::read_to_string(&scene.file).expect("the plan"), plan, "the plan that was there");

    let asked = scene.stage.host(&["deploy", "apply", &scene.file]);
    assert_eq!(asked.code, 2, "{asked:?}");
    for flags in [["--env", "prod"], ["--service", SERVICE], ["--on-failure", "leave"]] {
        let run =
            scene.stage.host(&[&["deploy", "apply", scene.file.as_str(), "--run-now"], &flags[..]].concat());
        assert_eq!(run.code, 2, "{flags:?}: {run:?}");
    }
}

/// A program that sits at a terminal and is told `answer`.
fn at_a_terminal(stage: &Stage, arguments: &[&str], answer: &str) -> (i32, String) {
    let command = stage.command(arguments);
    let mut typed = Command::new("script");
    typed.args(["--quiet", "--return", "--command", &lab::process::show(&command), "/dev/null"]);
    typed.current_dir(command.get_current_dir().unwrap_or(stage.folder()));
    typed.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let mut child = typed.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a terminal");
    child.stdin.take().expect("a keyboard").write_all(answer.as_bytes()).expect("an answer");
    let output = child.wait_with_output().expect("an end");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_yes_at_a_terminal_does_what_was_just_shown() {
    let scene = Scene::set("asked at a terminal", &[]);
    let deploy = ["deploy", SERVICE, "--env", "prod", "--commit", &scene.commit];
    let (code, said) = at_a_terminal(&scene.stage, &deploy, "n\n");
    assert_eq!(code, 0, "{said}");
    assert_ne!(scene.stage.running(), Some(scene.commit.clone()), "{said}");
    let (code, said) = at_a_terminal(&scene.stage, &deploy, "y\n");
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.stage.running(), Some(scene.commit.clone()), "{said}");
    assert!(said.contains("deploy project-manager to prod now? [y/N]"), "{said}");
}

/// What nobody could look at is not told to be otherwise, and the plan may be applied later.
#[test]
fn a_registry_that_is_out_of_reach_makes_no_plan_stale() {
    let scene = Scene::set("planned, and then nobody could look", &[]);
    let toml = fs::read_to_string(scene.stage.project().host_toml()).expect("host.toml");
    let elsewhere = toml.replace(&scene.stage.registry_url(), "http://127.0.0.1:9");
    assert_ne!(toml, elsewhere);
    fs::write(scene.stage.project().host_toml(), elsewhere).expect("host.toml");
    let run = scene.apply();
    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");
    fs::write(scene.stage.project().host_toml(), toml).expect("host.toml");
    assert_eq!(scene.apply().outcome(), (0, "deployed".to_owned()));
}
