//! Plugins that nobody wrote, each bound to its plan, on a real engine: the guest `gambler` does something else for every
//! commit, and something else again as soon as one answer is another. Between plan and change the world is changed by hand.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;

use e2e::misbehaving::Hostile;
use e2e::{CONTAINER, Run, SERVICE, SampleImage, Stage, commit};
use serde_json::{Value, json};

/// Plans that are applied.
const APPLIED: usize = 20;
/// Commits that are tried for that: many a guest asks for what policy denies.
const TRIED: usize = 80;

const TABLES: &str = "host-calls = 30\n[catalog]\ndesired = \"deploy.json\"";

#[derive(Debug, Default)]
struct Counts {
    tried: usize,
    applied: usize,
    /// That were done in live passes.
    changes: usize,
    stale: usize,
    diverged: usize,
}

/// What somebody does by hand between plan and change.
type Hand = fn(&Stage);

const HANDS: [(&str, Hand); 5] = [
    ("nothing", |_| {}),
    ("another image under the stable name", |stage| {
        let docker = stage.project().docker();
        let names = docker.image_names(&format!("*/*/{SERVICE}")).expect("image names");
        if let Some(name) = names.keys().next() {
            docker.run(&["tag", name, SERVICE]).expect("another image");
        }
    }),
    ("the container is gone", |stage| {
        let _ = stage.project().docker().run(&["rm", "--force", CONTAINER]);
    }),
    ("nothing, again", |_| {}),
    ("an entry of the env file is gone", |stage| {
        let file = fs::read_to_string(stage.project().env_file()).expect("the env file");
        let key = "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=";
        let others = file.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n"));
        stage.project().write_env_file(others.collect::<String>()).expect("the env file");
    }),
];

struct Scene {
    hostile: Hostile,
    file: String,
}

impl Scene {
    fn set() -> Self {
        let hostile = Hostile::guest("gambler", SERVICE, TABLES);
        hostile.owns(&["prod".to_owned()], |_| {
            json!({
                "Repository": ["unidesk/project-manager", "unidesk/another"],
                "Image": ["main-server/unidesk/project-manager", "main-server/project-manager"],
                "EnvPrefix": ["main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_"],
                "ComposeService": ["main-server/project-manager"],
                "Container": ["main-server/project-manager-backend", "main-server/neighbour"],
            })
        });
        let file = hostile.stage().folder().join("prod.plan").display().to_string();
        Self { hostile, file }
    }

    fn stage(&self) -> &Stage {
        self.hostile.stage()
    }

    /// The plan of one guest, where it comes to one.
    fn planned(&self, commit: &str) -> Option<Value> {
        for service in [SERVICE, "another"] {
            self.stage().publish(&SampleImage::new(service, commit));
        }
        let desired = json!({ "prod": { SERVICE: commit } }).to_string();
        fs::write(self.stage().folder().join("deploy.json"), desired).expect("deploy.json");
        let _ = fs::remove_file(&self.file);
        let run = self.stage().host(&["deploy", "plan", "--output", "json", "--out", &self.file]);
        assert!(matches!(run.code, 0 | 1 | 3 | 4), "{run:?}");
        let Ok(text) = fs::read_to_string(&self.file) else {
            let why = run.text("/services/0/error/message");
            println!("{commit} is not planned: {}", why.lines().next().unwrap_or_default());
            return None;
        };
        let kept: Value = serde_json::from_str(&text).expect("a plan");
        Some(kept["plan"]["services"][0].clone())
    }

    fn applied(&self) -> Run {
        self.stage().host(&["deploy", "apply", &self.file, "--run-now", "--output", "json"])
    }

    /// What the journal has of the live pass of a run, without what takes a change back.
    fn live(&self, run: &Run) -> Vec<Value> {
        let id = run.text("/services/0/run/id");
        let shown = self.stage().host(&["runs", "show", &id, "--output", "json"]).json();
        let operations = shown["operations"].as_array().cloned().expect("operations");
        let own = |row: &Value| {
            row["pass"] == "live"
                && !["host.undo", "host.retain"].map(Value::from).contains(&row["operation"]["operation"])
        };
        operations.into_iter().filter(own).collect()
    }
}

/// Holds one run against the plan that it was bound to; gives how many changes were
/// begun, and how many were done.
fn judged(name: &str, plan: &Value, run: &Run, mut live: Vec<Value>) -> (usize, usize) {
    let decision = run.text("/services/0/decision");
    if decision == "diverged" {
        let refused = live.pop().expect("a refused step");
        let text = refused["step"]["outcome"]["Err"].to_string();
        assert!(text.contains("it was refused before it happened"), "{name}: {refused}");
    }
    let steps = plan["steps"].as_array().expect("steps");
    let (mut begun, mut done) = (0, 0);
    for row in &live {
        let planned = steps.iter().map(|one| &one["step"]).find(|one| one["seq"] == row["seq"]);
        let permitted = planned.map(|one| (&one["operation"], &one["verdict"]["allowed"]));
        assert_eq!(permitted, Some((&row["operation"], &json!(true))), "{name}: step {}", row["seq"]);
        let change = row["step"]["kind"] == "change";
        begun += usize::from(change);
        done += usize::from(change && !row["step"]["outcome"]["Ok"].is_null());
    }
    (begun, done)
}

#[test]
fn what_drawn_plugins_change_is_what_their_plans_say() {
    let scene = Scene::set();
    let mut counts = Counts::default();
    for number in 0..TRIED {
        let enough =
            counts.applied >= APPLIED && counts.changes > 0 && counts.stale > 0 && counts.diverged > 0;
        if enough {
            break;
        }
        counts.tried += 1;
        let commit = commit(&format!("gambler {number}"));
        let Some(plan) = scene.planned(&commit) else { continue };
        let (hand, change) = HANDS[counts.applied % HANDS.len()];
        let name = format!("guest {number} ({commit}), {hand}");
        change(scene.stage());
        let before = scene.stage().snapshot();
        let run = scene.applied();
        let live = scene.live(&run);
        let (begun, done) = judged(&name, &plan, &run, live);
        let differences = before.differences(&scene.stage().snapshot());
        assert!(begun > 0 || differences.is_empty(), "{name}: {differences:?}: {run:?}");
        assert!(!differences.contains(&"the neighbour"), "{name}: {run:?}");
        let decision = run.text("/services/0/decision");
        println!("{name}: {done} changes done, {decision}");
        counts.applied += 1;
        counts.changes += done;
        counts.stale += usize::from(decision == "stale");
        counts.diverged += usize::from(decision == "diverged");
    }
    let Counts { tried, applied, changes, stale, diverged } = counts;
    println!(
        "{tried} guests, {applied} plans applied: {changes} changes done, {diverged} divergences refused, {stale} stale"
    );
    assert!(applied >= APPLIED && changes > 0 && stale > 0 && diverged > 0, "{counts:?}");
}
