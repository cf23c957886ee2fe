//! What a policy author reads: everything that is wrong at once, data tests by name, and what decides each operation.

use std::path::Path;

use e2e::{Run, SERVICE, Stage, policies};
use lab::project::Settings;

/// What differs between releases and runs, made the same.
fn any_release() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"\d+ (rule|service|test)s?\b", "[n] ${1}s");
    settings.add_filter(r"\b\d+\.\d+\.\d+\b", "[version]");
    settings
}

fn transcript(stage: &Stage, folder: &Path, run: &Run) -> String {
    stage.stable(&run.transcript().replace(&folder.display().to_string(), "[folder]"))
}

/// A stage whose policies are those of the release, changed.
fn stage_with(folder: &Path, change: impl Fn(&str, String) -> String) -> Stage {
    Stage::with(Settings { policies: Some(policies(folder, change)), ..Settings::default() })
}

/// A rule file without the rule called `id`.
fn without(content: &str, id: &str) -> String {
    let kept = content.split_inclusive("\n\n").filter(|rule| !rule.contains(&format!("@id(\"{id}\")")));
    kept.collect()
}

#[test]
fn the_policies_of_the_release_are_fine_and_pass_their_tests() {
    let stage = Stage::new();
    let (check, test) = (
        stage.host(&["policy", "check", "--output", "json"]),
        stage.host(&["policy", "test", "--output", "json"]),
    );

    assert_eq!((check.code, check.json()["ok"].as_bool()), (0, Some(true)), "{check:?}");
    assert_eq!(check.json()["warnings"].as_array().map(Vec::len), Some(0), "{check:?}");
    assert_eq!((test.code, test.json()["failed"].as_u64()), (0, Some(0)), "{test:?}");
    assert_eq!(test.json()["passed"], check.json()["tests"]);
    let told = stage.host(&["policy", "check"]);
    assert!(told.stdout.ends_with("\n0 problems, 0 warnings\n"), "{told:?}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(folder.path(), |name, content| match name {
        "entities.json" => content.replacen(r#""team": "unidesk""#, r#""team": "uniedsk""#, 1),
        "health.cedar" => content.replace("@reason", "@raeson"),
        "compose.cedar" => content.replace("principal.service &&", "principal.serivce &&"),
        "rollback.cedar" => format!(
            "{content}\n@id(\"owner-rolls-back\") @reason(\"Again.\")\nforbid (principal, action, resource == Container::\"x\");\n"
        ),
        "kubernetes.cedar" => content.replacen("permit (", "permit ", 1),
        _ => content,
    });

    let check = stage.host(&["policy", "check"]);
    any_release().bind(|| insta::assert_snapshot!(transcript(&stage, folder.path(), &check)));

    let json = stage.host(&["policy", "check", "--output", "json"]);
    assert_eq!(json.code, 2, "{json:?}");
    assert!(!json.json()["problems"].as_array().expect("problems").is_empty());
    let deploy = stage.deploy(&e2e::commit("first"), &["--dry-run"]);
    assert_eq!(deploy.code, 2, "what check refuses is refused by a deploy too: {deploy:?}");
    assert!(deploy.text("/error/message").contains("compose.cedar:"), "{deploy:?}");
}

#[test]
fn services_and_plugins_that_miss_each_other_are_warnings() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).expect("a folder");
    std::fs::write(plugins.join("project-manger.wasm"), "").expect("a file");
    let settings = Settings { plugins: Some(plugins), ..Settings::default() };
    let only = policies(folder.path(), |name, content| match name {
        "entities.json" => one_service(&content),
        _ => content,
    });
    let stage = Stage::with(Settings { policies: Some(only), ..settings });

    let check = stage.host(&["policy", "check", "--output", "json"]);

    assert_eq!(check.code, 0, "{check:?}");
    let warnings = serde_json::to_string_pretty(&check.json()["warnings"]).expect("JSON");
    insta::assert_snapshot!(
        stage.stable(&warnings.replace(&folder.path().display().to_string(), "[folder]"))
    );
}

/// Entities with nothing but the project manager.
fn one_service(content: &str) -> String {
    let mut entities: serde_json::Value = serde_json::from_str(content).unwrap_or_default();
    if let Some(services) = entities["services"].as_object_mut() {
        services.retain(|name, _| name == SERVICE);
    }
    entities.to_string()
}

#[test]
fn a_failed_test_shows_what_was_expected_and_what_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(folder.path(), |_, content| content);
    let tests = folder.path().join("policies/tests");
    std::fs::create_dir(&tests).expect("a folder");
    let case = |name: &str, image: &str| {
        format!(
            r#"{{ "name": "{name}", "action": "tagImage",
                 "resource": {{ "type": "Image", "id": "main-server/{image}" }},
                 "expect": "permit", "policies": ["owner-activates-compose"] }}"#
        )
    };
    let cases = format!(
        r#"{{ "plugin": "project-manager",
             "context": {{ "environment": "prod", "operator": "operator", "weekday": "monday", "minuteOfDay": 600 }},
             "cases": [{}, {}] }}"#,
        case("its stable name may be moved", "project-manager"),
        case("another's may not", "somebody-elses")
    );
    std::fs::write(tests.join("names.json"), cases).expect("a test");

    let text = stage.host(&["policy", "test"]);
    let json = stage.host(&["policy", "test", "--output", "json"]);

    insta::assert_snapshot!(transcript(&stage, folder.path(), &text));
    assert_eq!((text.code, json.code), (1, 1));
    assert_eq!(json.text("/cases/1/found/effect"), "deny");
    assert_eq!(json.text("/cases/1/expected/policies/0"), "owner-activates-compose");
}

#[test]
fn what_decides_each_operation_of_a_deploy() {
    let stage = Stage::new();

    let text = stage.host(&["policy", "explain", SERVICE, "--env", "prod"]);
    let json = stage.host(&["policy", "explain", SERVICE, "--env", "prod", "--output", "json"]);

    any_release().bind(|| insta::assert_snapshot!(stage.stable(&text.transcript())));
    let answer = json.json();
    assert_eq!((json.code, &answer["ok"], &answer["placeholderCommit"]), (0, &true.into(), &true.into()));
    assert_eq!(json.text("/commit"), "0".repeat(40));
    assert_eq!(json.text("/operations/0/requests/0/policies/0"), "owner-resolves-artifact");
    assert_eq!(json.text("/failurePath/0/operation"), "host.undo");
    let commit = e2e::commit("first");
    let named = ["policy", "explain", SERVICE, "--env", "prod", "--commit", &commit, "--output", "json"];
    let named = stage.host(&named);
    assert_eq!((named.text("/commit"), &named.json()["placeholderCommit"]), (commit, &false.into()));
}

#[test]
fn what_is_denied_and_what_would_permit_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(folder.path(), |name, content| match name {
        "compose.cedar" => without(&content, "owner-activates-compose"),
        _ => content,
    });

    let text = stage.host(&["policy", "explain", SERVICE, "--env", "prod"]);
    let json = stage.host(&["policy", "explain", SERVICE, "--env", "prod", "--output", "json"]);

    any_release().bind(|| insta::assert_snapshot!(stage.stable(&text.transcript())));
    assert_eq!(json.outcome(), (3, "denied".to_owned()), "{json:?}");
    let dry_run = stage.deploy(&"0".repeat(40), &["--dry-run"]);
    assert_eq!(json.text("/operations/2/reason"), dry_run.text("/error/message").trim_end(), "{dry_run:?}");
}

#[test]
fn a_way_back_that_is_denied_is_shown_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(folder.path(), |name, content| match name {
        "rollback.cedar" => String::new(),
        _ => content,
    });

    let run = stage.host(&["policy", "explain", SERVICE, "--env", "prod", "--output", "json"]);

    assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
    let answer = run.json();
    let allowed = |list: &str| -> Vec<bool> {
        let list = answer[list].as_array().expect("a list");
        list.iter().filter_map(|one| one["allowed"].as_bool()).collect()
    };
    assert!(allowed("operations").iter().all(|allowed| *allowed), "{run:?}");
    assert_eq!(allowed("failurePath"), [false, false], "{run:?}");
}

#[test]
fn what_cannot_be_explained() {
    let stage = Stage::new();
    let asked = |arguments: &[&str]| {
        let mut all = vec!["policy", "explain", "--output", "json"];
        all.extend(arguments);
        stage.host(&all)
    };
    assert_eq!(asked(&["project-manger", "--env", "prod"]).outcome(), (3, "unsupported".to_owned()));
    assert_eq!(asked(&[SERVICE, "--env", "staging"]).outcome(), (3, "unsupported".to_owned()));
    let short = asked(&[SERVICE, "--env", "prod", "--commit", "0123456"]);
    assert_eq!((short.code, short.text("/error/code")), (2, "usage".to_owned()));
    let missing = stage.host(&["policy", "test", "/nowhere", "--output", "json"]);
    assert_eq!((missing.code, missing.text("/error/code")), (2, "policy-missing".to_owned()));
}

#[test]
fn help_has_examples() {
    let stage = Stage::new();
    let commands = ["check", "test", "explain", "matrix", "diff"].map(|command| vec!["policy", command]);
    for command in commands.into_iter().chain([vec!["policy"]]) {
        let run = stage.host(&[command.as_slice(), &["--help"]].concat());
        assert!(run.code == 0 && run.stdout.contains("Example"), "{run:?}");
    }
}
