//! A plugin can do nothing that was not decided, and every way of going wrong has its own clear error.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

mod bug;
mod files;
mod table;

use e2e::misbehaving::{Hostile, shown};
use e2e::{Run, SampleImage, Stage, commit};
use lab::image::{REVISION, SOURCE, SOURCE_REPOSITORY};

/// Stands in the environment of the container that the guest deploys.
const SECRET: &str = "correct-horse-battery";

/// The guest `mischief` under policies by which it owns what project-manager owns, so that its own limits are what is
/// tested.
struct Mischief {
    hostile: Hostile,
    commit: String,
}

impl Mischief {
    fn new() -> Self {
        let hostile = Hostile::guest("mischief", "mischief", table::TIGHT);
        let ways = hostile.ways();
        hostile.owns(&ways, |_| {
            serde_json::json!({
                "Repository": ["unidesk/mischief"],
                "Image": ["main-server/unidesk/mischief", "main-server/project-manager"],
                "EnvPrefix": ["main-server/UNIDESK_MISCHIEF_DEPLOY_"],
                "ComposeService": ["main-server/project-manager"],
                "Container": ["main-server/project-manager-backend", "main-server/another-container"],
                "Deployment": ["d601-k3s/unidesk/mischief"],
                "SecretSource": ["mischief"],
            })
        });
        let commit = commit("mischief");
        let image = SampleImage::new("mischief", &commit)
            .label(REVISION, &commit)
            .label(SOURCE, SOURCE_REPOSITORY)
            .env("CLIENT_SECRET", SECRET);
        hostile.stage().publish(&image);
        Self { hostile, commit }
    }

    fn stage(&self) -> &Stage {
        self.hostile.stage()
    }

    fn live(&self, way: &str) -> Run {
        self.stage().deploy_as("mischief", way, &self.commit, &["--run-now"])
    }

    fn dry(&self, way: &str) -> Run {
        self.stage().deploy_as("mischief", way, &self.commit, &["--dry-run"])
    }
}

#[test]
fn a_flood_of_lines_is_capped_and_cannot_write_to_the_terminal() {
    let mischief = Mischief::new();
    let run = mischief.dry("log-flood");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.len() < 200_000, "{} bytes", run.stderr.len());
    assert!(run.stderr.contains("limits.log-bytes"));
    // 64 KiB, and no line costs less than 64 bytes.
    let lines = run.stderr.lines().count();
    assert!(lines < 1100, "{lines} lines");
}

#[test]
fn the_trace_at_its_highest_level_cannot_write_to_the_terminal_either() {
    let mischief = Mischief::new();
    for (output, way) in [("text", "log-flood"), ("json", "log-flood"), ("text", "forged-stamp")] {
        let arguments = [
            "deploy",
            "mischief",
            "--env",
            way,
            "--commit",
            &mischief.commit,
            "--dry-run",
            "--output",
            output,
        ];
        let run = Run::of(mischief.stage().command(&arguments).env("HOST_LOG", "trace"));
        assert!(way == "log-flood" || run.stderr.contains("step"), "it is traced: {run:?}");
        shown(way, &run);
    }
}

#[test]
fn a_stamp_has_keys_of_its_own_service_only() {
    let mischief = Mischief::new();
    let run = mischief.dry("foreign-stamp");
    assert!(run.text("/error/message").contains("could be that of another service"), "{run:?}");
    let shown = mischief.stage().host(&["runs", "show", &run.text("/run/id"), "--output", "json"]).json();
    let operations = shown["operations"].as_array().expect("operations");
    let stamps = operations.iter().filter_map(|row| row["operation"]["stamp"].as_array()).flatten();
    let keys: Vec<&str> = stamps.filter_map(|pair| pair["key"].as_str()).collect();
    assert_eq!(
        keys,
        ["COMPOSE_FILE", "PATH", "UNIDESK_PROJECT_MANAGER"]
            .map(|key| format!("UNIDESK_MISCHIEF_DEPLOY_{key}"))
    );
}

#[test]
fn what_belongs_to_somebody_else_is_denied() {
    let mischief = Mischief::new();
    let run = mischief.live("other-container");
    assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("Container::\"main-server/database\""), "{run:?}");
}

#[test]
fn the_environment_of_a_container_is_not_for_a_plugin() {
    let mischief = Mischief::new();
    assert_eq!(mischief.live("unverified").text("/error/code"), "unproven", "the container runs");
    let run = mischief.live("reads-a-secret");
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("got 1 labels and 0 env: "), "{run:?}");
    let shown = mischief.stage().host(&["runs", "show", &run.text("/run/id"), "--output", "json"]);
    for text in [&run.stdout, &run.stderr, &shown.stdout] {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(shown.stdout.contains("UNIDESK_MISCHIEF_DEPLOY_CLIENT_SECRET"), "{}", shown.stdout);
}

#[test]
fn an_unmet_gate_is_shown_by_a_dry_run_and_stops_a_live_run_before_its_first_change() {
    let mischief = Mischief::new();
    for (way, word) in [
        ("hold", "disagree"),
        ("approval", "approval in the role supervisor"),
        ("secrets", "secret source mischief"),
    ] {
        let before = mischief.stage().snapshot();
        let dry = mischief.dry(way);
        assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{way}: {dry:?}");
        assert_eq!(dry.json()["steps"][0]["outcome"], "pending", "{way}: {dry:?}");

        let live = mischief.live(way);
        assert_eq!(live.outcome(), (3, "blocked".to_owned()), "{way}: {live:?}");
        assert!(live.text("/error/message").contains(word), "{way}: {live:?}");
        assert_eq!(before.differences(&mischief.stage().snapshot()), [""; 0], "{way}");
    }
    assert_eq!(mischief.dry("approval").json()["requiresSupervisorApproval"], true);
}

#[test]
fn a_plugins_word_is_no_proof() {
    let mischief = Mischief::new();
    for way in ["nothing", "unverified"] {
        let run = mischief.live(way);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{way}: {run:?}");
        assert_eq!(run.text("/error/code"), "unproven", "{way}: {run:?}");
        assert!(run.text("/error/message").contains("the health payload names the commit"), "{way}: {run:?}");
    }
}

#[test]
fn what_was_not_planned_is_refused_before_it_happens() {
    let mischief = Mischief::new();
    let run = mischief.live("diverge");
    assert_eq!(run.outcome(), (5, "diverged".to_owned()), "{run:?}");
    let message = run.text("/error/message");
    assert!(message.contains("compose.activate") && message.contains("the end of the run"), "{message}");
    let docker = mischief.stage().project().docker();
    assert!(docker.container("another-container").expect("docker").is_none());
}

#[test]
fn kubernetes_can_be_planned_and_says_live_what_is_missing() {
    let mischief = Mischief::new();
    let dry = mischief.dry("kubernetes");
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(dry.json()["target"]["deployments"][0]["name"], "mischief");

    let live = mischief.live("kubernetes");
    assert_eq!(live.outcome(), (4, "infra-blocked".to_owned()), "{live:?}");
    assert!(live.text("/error/message").contains("[runtimes.d601-k3s] with kind"), "{live:?}");
}

#[test]
fn the_release_plugin_imports_the_contract_only() {
    let run = Stage::new().deploy(&commit("any"), &["--dry-run"]);
    let imports = run.json()["plugin"]["imports"].clone();
    let imports: Vec<_> =
        imports.as_array().expect("imports").iter().filter_map(|name| name.as_str()).collect();
    assert!(!imports.is_empty());
    assert!(imports.iter().all(|name| name.starts_with("deploy:consumer/")), "{imports:?}");
}

#[test]
fn compiled_code_is_used_again_and_a_damaged_or_foreign_entry_never() {
    let stage = Stage::new();
    let dry = || stage.deploy(&commit("any"), &["--dry-run"]);
    assert_eq!(dry().code, 0);
    let folder = stage.folder().join("cache/compiled");
    let entry = std::fs::read_dir(&folder).expect("the cache").flatten().next().expect("an entry").path();
    let sound = std::fs::read(&entry).expect("an entry");
    let written = || std::fs::metadata(&entry).expect("an entry").modified().expect("a time");
    let first = written();
    assert_eq!(dry().code, 0);
    assert_eq!(written(), first, "a sound entry is used");

    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    // What another user of another machine sealed: everything is right but the key.
    let foreign: Vec<u8> = std::iter::repeat_n(7, 32).chain(sound[32..].iter().copied()).collect();
    for bad in [damaged, foreign, sound[..10].to_vec()] {
        std::fs::write(&entry, &bad).expect("an entry");
        let run = dry();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains("compiling again"), "{}", run.stderr);
        assert_eq!(std::fs::read(&entry).expect("an entry")[32..], sound[32..], "it was replaced");
    }
}
