//! A plugin can do nothing that was not decided, and every way of going wrong has its own clear error.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use e2e::{Run, SERVICE, SampleImage, Settings, Stage, commit, policies};
use lab::image::{REVISION, SOURCE, SOURCE_REPOSITORY};

/// The ways that the guest knows; one that has no test here fails the last test of this file.
const TESTED: &[&str] = &[
    "another-commit",
    "approval",
    "diverge",
    "endless-calls",
    "endless-loop",
    "endless-recursion",
    "forged-stamp",
    "hold",
    "huge-call",
    "kubernetes",
    "log-flood",
    "memory",
    "nothing",
    "other-container",
    "outside",
    "reads-a-secret",
    "secrets",
    "trap",
    "unverified",
];

/// Policies under which the misbehaving plugin owns what project-manager owns, so that its own limits are what is tested.
fn owning_all(folder: &Path) -> PathBuf {
    policies(folder, |name, content| {
        if name != "entities.json" {
            return content;
        }
        let mut entities: serde_json::Value = serde_json::from_str(&content).expect("entities");
        let environments = TESTED.iter().map(|way| (*way).to_owned());
        entities["environments"] =
            ["dev".to_owned(), "prod".to_owned()].into_iter().chain(environments).collect();
        let services = entities["services"].as_object_mut().expect("services");
        services.clear();
        let owns = serde_json::json!({
            "Repository": ["unidesk/mischief"],
            "Image": ["main-server/unidesk/mischief", "main-server/project-manager"],
            "EnvPrefix": ["main-server/UNIDESK_MISCHIEF_DEPLOY_"],
            "ComposeService": ["main-server/project-manager"],
            "Container": ["main-server/project-manager-backend", "main-server/another-container"],
            "Deployment": ["d601-k3s/unidesk/mischief"],
            "SecretSource": ["mischief"],
        });
        let everywhere: serde_json::Map<_, _> =
            TESTED.iter().map(|way| ((*way).to_owned(), owns.clone())).collect();
        services.insert("mischief".to_owned(), serde_json::json!({ "team": "unidesk", "owns": everywhere }));
        serde_json::to_string_pretty(&entities).expect("entities")
    })
}

/// Stands in the environment of the container that the guest deploys.
const SECRET: &str = "correct-horse-battery";

struct Mischief {
    stage: Stage,
    commit: String,
    _policies: tempfile::TempDir,
}

impl Mischief {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let guests = lab::paths::target().expect("target").join("guests");
        let limits =
            "\n[limits]\nhealth-seconds = 5\nfuel = 50000000\nmemory-bytes = 16777216\nhost-calls = 30\n";
        let stage = Stage::with(Settings {
            plugins: Some(guests),
            policies: Some(owning_all(folder.path())),
            tables: limits.to_owned(),
            ..Settings::default()
        });
        let commit = commit("mischief");
        let image = SampleImage::new("mischief", &commit)
            .label(REVISION, &commit)
            .label(SOURCE, SOURCE_REPOSITORY)
            .env("CLIENT_SECRET", SECRET);
        stage.publish(&image);
        Self { stage, commit, _policies: folder }
    }

    fn live(&self, way: &str) -> Run {
        self.stage.deploy_as("mischief", way, &self.commit, &["--run-now"])
    }

    fn dry(&self, way: &str) -> Run {
        self.stage.deploy_as("mischief", way, &self.commit, &["--dry-run"])
    }

    /// Runs it live; it must fail like this, name the plugin by its digest, and leave everything alone.
    fn fails(&self, way: &str, code: &str, words: &[&str]) {
        let before = self.stage.snapshot();
        let run = self.live(way);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{way}: {run:?}");
        assert_eq!(run.text("/error/code"), code, "{way}: {run:?}");
        let message = run.text("/error/message");
        for word in ["mischief", "sha256:"].iter().chain(words) {
            assert!(message.contains(word), "{way}: {word:?} is missing: {message}");
        }
        assert_eq!(before.differences(&self.stage.snapshot()), [""; 0], "{way}: {run:?}");
        let journal = self.stage.host(&["runs", "show", &run.text("/run/id"), "--output", "json"]);
        assert_eq!(journal.json()["run"]["decision"], "failed", "{way}: the journal is whole");
    }
}

#[test]
fn bugs_and_exhausted_limits_have_a_name_each() {
    let mischief = Mischief::new();
    mischief.fails("trap", "plugin-trap", &["trapped", "trap"]);
    mischief.fails("endless-loop", "plugin-limit", &["limits.fuel"]);
    mischief.fails("endless-recursion", "plugin-limit", &["nested too deep"]);
    mischief.fails("memory", "plugin-limit", &["limits.memory-bytes"]);
    mischief.fails("huge-call", "plugin-limit", &["limits.call-bytes"]);
}

#[test]
fn endless_calls_end_at_the_limit() {
    let mischief = Mischief::new();
    let run = mischief.live("endless-calls");
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("limits.host-calls"), "{run:?}");
}

#[test]
fn a_flood_of_lines_is_capped_and_cannot_write_to_the_terminal() {
    let mischief = Mischief::new();
    let run = mischief.dry("log-flood");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        !run.stderr.contains('\u{1b}') && !run.stdout.contains('\u{1b}'),
        "an escape reached the terminal"
    );
    assert!(run.stderr.len() < 200_000, "{} bytes", run.stderr.len());
    assert!(run.stderr.contains("limits.log-bytes"));
    // 64 KiB, and no line costs less than 64 bytes.
    let lines = run.stderr.lines().count();
    assert!(lines < 1100, "{lines} lines");
}

#[test]
fn arguments_that_break_a_rule_never_reach_a_far_side() {
    let mischief = Mischief::new();
    for (way, word) in [("another-commit", "this run is for commit"), ("forged-stamp", "is no plain value")] {
        let before = mischief.stage.snapshot();
        let run = mischief.live(way);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{way}: {run:?}");
        assert!(run.text("/error/message").contains(word), "{way}: {run:?}");
        assert_eq!(before.differences(&mischief.stage.snapshot()), [""; 0], "{way}");
    }
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
    let shown = mischief.stage.host(&["runs", "show", &run.text("/run/id"), "--output", "json"]);
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
        ("approval", "approval by a supervisor"),
        ("outside", "project-manager-backend"),
        ("secrets", "secret source mischief"),
    ] {
        let before = mischief.stage.snapshot();
        let dry = mischief.dry(way);
        assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{way}: {dry:?}");
        assert_eq!(dry.json()["steps"][0]["outcome"], "pending", "{way}: {dry:?}");

        let live = mischief.live(way);
        assert_eq!(live.outcome(), (3, "blocked".to_owned()), "{way}: {live:?}");
        assert!(live.text("/error/message").contains(word), "{way}: {live:?}");
        assert_eq!(before.differences(&mischief.stage.snapshot()), [""; 0], "{way}");
    }
    assert_eq!(mischief.dry("approval").json()["requiresSupervisorApproval"], true);
    assert_eq!(mischief.dry("outside").json()["selfBootstrapGuard"]["applies"], true);
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
    let docker = mischief.stage.project().docker();
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
    assert!(live.text("/error/message").contains("API server"), "{live:?}");
}

#[test]
fn a_file_that_is_no_plugin_of_this_contract_is_named() {
    let good =
        std::fs::read(lab::paths::target().expect("target").join("guests/mischief.wasm")).expect("the guest");
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::with(Settings { plugins: Some(folder.path().to_path_buf()), ..Settings::default() });
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("plugin-not-a-component", b"#!/bin/sh\n".to_vec(), "no WebAssembly component"),
        ("plugin-not-a-component", good[..good.len() / 2].to_vec(), "no WebAssembly component"),
        ("plugin-contract-version", replaced(&good, "@0.1.0", "@0.2.0"), "deploy:consumer@0.1.0"),
        (
            "plugin-foreign-import",
            replaced(&good, "deploy:consumer/log@0.1.0", "wasi:clocks/wallclk@0.2.0"),
            "imports wasi:clocks/wallclk@0.2.0",
        ),
    ];
    for (code, bytes, words) in cases {
        std::fs::write(folder.path().join(format!("{SERVICE}.wasm")), &bytes).expect("a plugin");
        let run = stage.deploy(&commit("any"), &["--dry-run"]);
        assert_eq!(run.code, 2, "{code}: {run:?}");
        assert_eq!(run.text("/error/code"), code, "{run:?}");
        let message = run.text("/error/message");
        assert!(
            message.contains(words) && message.contains("sha256:") && message.contains(SERVICE),
            "{message}"
        );
    }
    std::fs::remove_file(folder.path().join(format!("{SERVICE}.wasm"))).expect("a plugin");
    let run = stage.deploy(&commit("any"), &["--dry-run"]);
    assert_eq!((run.code, run.text("/error/code")), (2, "plugin-file".to_owned()), "{run:?}");
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

#[test]
fn every_way_of_the_guest_has_a_test() {
    let mischief = Mischief::new();
    let services = mischief.stage.host(&["services", "--output", "json"]).json();
    let known: BTreeSet<String> = services["services"][0]["environments"]
        .as_array()
        .expect("environments")
        .iter()
        .filter_map(|one| one["name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(known, TESTED.iter().map(|way| (*way).to_owned()).collect());
    let source = std::fs::read_to_string(file!().rsplit_once('/').map_or_else(PathBuf::new, |(_, name)| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
    }))
    .expect("this file");
    let tests = &source[source.find("fn bugs_and").expect("the tests")..];
    for way in TESTED {
        assert!(tests.contains(&format!("\"{way}\"")), "no test uses {way}");
    }
}

/// `bytes` with every `old` replaced by a `new` of the same length, which keeps a component well formed.
fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old.as_bytes()) {
        bytes[at + found..at + found + old.len()].copy_from_slice(new.as_bytes());
        at += found + old.len();
    }
    bytes
}
