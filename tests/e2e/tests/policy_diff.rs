//! What a change of the policies means, before anybody deploys under it.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use e2e::{Run, Stage, policies};

/// Two folders of the release's policies, of which `change` makes the second another.
struct Two {
    stage: Stage,
    folder: tempfile::TempDir,
    was: PathBuf,
    is: PathBuf,
}

impl Two {
    fn new(change: impl Fn(&str, String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::create_dir_all(&old).expect("a folder");
        fs::create_dir_all(&new).expect("a folder");
        let was = policies(&old, |_, content| content);
        let is = policies(&new, change);
        Self { stage: Stage::new(), folder, was, is }
    }

    fn adding(example: &str) -> Self {
        let two = Self::new(|_, content| content);
        let rule = rule(example);
        fs::write(two.is.join(format!("{example}.cedar")), rule).expect("an example");
        two
    }

    fn diff(&self, flags: &[&str]) -> Run {
        let (was, is) = (self.was.display().to_string(), self.is.display().to_string());
        self.stage.host(&[&["policy", "diff", &was, &is], flags].concat())
    }

    fn told(&self, run: &Run) -> String {
        let text = run.transcript().replace(&self.folder.path().display().to_string(), "[folder]");
        self.stage.stable(&text)
    }
}

fn rule(example: &str) -> String {
    let path = Path::new(example).join(format!("{example}.cedar"));
    fs::read_to_string(lab::paths::policies().join("examples").join(path)).expect("an example")
}

fn any_policies() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"\d+ questions?", "[n] questions");
    settings
}

#[test]
fn where_nothing_changes_it_says_so() {
    // A comment and another file for the same rules are another digest, and nothing else.
    let two = Two::new(|name, content| match name {
        "runs.cedar" => format!("// The same.\n{content}"),
        _ => content,
    });
    let run = two.diff(&["--exit-code"]);
    any_policies().bind(|| insta::assert_snapshot!(two.told(&run)));
    let json = two.diff(&["--exit-code", "--output", "json"]).json();
    assert_eq!((&json["rules"], &json["differences"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert!(json["asked"].as_u64() > Some(300), "{}", json["asked"]);
    assert_ne!(json["was"]["digest"], json["is"]["digest"]);
}

#[test]
fn what_is_denied_and_permitted_for_whom() {
    let two = Two::new(|name, content| match name {
        "entities.json" => content.replace(
            r#""Container": ["main-server/todo-note-backend"]"#,
            r#""Container": ["main-server/todo-note"]"#,
        ),
        "retention.cedar" => String::new(),
        "registry.cedar" => content.replace("registry-inspects", "registry-looks"),
        _ => content,
    });
    let run = two.diff(&[]);
    any_policies().bind(|| insta::assert_snapshot!(two.told(&run)));
    let back = two.stage.host(&[
        "policy",
        "diff",
        &two.is.display().to_string(),
        &two.was.display().to_string(),
        "--output",
        "json",
    ]);
    let differences = back.json()["differences"].as_array().cloned().expect("differences");
    let permitted = differences.iter().filter(|one| one["change"] == "permitted");
    assert!(permitted.count() > 3, "the other way round: {back:?}");
}

#[test]
fn a_rule_about_time_and_approvals() {
    let two = Two::adding("late-on-friday");
    let json = two.diff(&["--exit-code", "--output", "json"]);
    assert_eq!(json.code, 1, "{json:?}");
    let answer = json.json();
    let differences = answer["differences"].as_array().expect("differences");
    assert!(differences.iter().all(|one| one["environment"] == "prod" && one["change"] == "denied"));
    let asked = |action: &str| differences.iter().any(|one| one["action"] == action);
    assert!(
        asked("recreateService") && asked("patchDeployment") && !asked("rollback") && !asked("checkHealth")
    );
    assert_eq!(json.text("/rules/0/change"), "added");
    let denied = &differences[0]["is"]["answers"][1];
    assert_eq!(denied["policies"], serde_json::json!(["late-on-friday"]));
    assert_eq!(
        denied["when"],
        serde_json::json!([{
            "operator": null, "verifiedBefore": null, "approvers": { "supervisor": [], "operator": [] },
            "times": [{ "weekdays": ["friday"], "from": "16:00", "until": "24:00" }]
        }])
    );
}

#[test]
fn a_page_of_what_changes() {
    let two = Two::new(|name, content| match name {
        "health.cedar" => content.replacen("@reason(\"", "@reason(\"<b title='x'>", 1),
        _ => content,
    });
    fs::write(two.is.join("late-on-friday.cedar"), rule("late-on-friday")).expect("a rule");
    let file = two.folder.path().join("change.html").display().to_string();

    let run = two.diff(&["--output", "json", "--html", &file]);

    assert_eq!(run.code, 0, "{run:?}");
    let page = fs::read_to_string(&file).expect("the page");
    e2e::page::needs_nothing_but_itself(&page);
    assert!(page.contains("<dt>added <code>late-on-friday</code></dt>"), "{page}");
    assert!(page.contains("&lt;b title=&#39;x&#39;&gt;"), "shown as it is");
    let answer = run.json();
    for one in answer["differences"].as_array().expect("differences") {
        let (kind, id) = (&one["resource"]["type"], &one["resource"]["id"]);
        let (kind, id) = (kind.as_str().expect("a type"), id.as_str().expect("an id"));
        let what =
            format!("{} <code>{kind}::&quot;{id}&quot;</code>", one["action"].as_str().expect("an action"));
        assert!(page.contains(&what), "{what}");
    }
    assert!(page.contains("<td class=\"cell denied\">less is permitted</td>"), "{page}");
    let nowhere = two.diff(&["--html", "/nowhere/change.html"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("/nowhere/change.html"), "{nowhere:?}");
}

#[test]
fn only_the_hours_are_others() {
    let two = Two::adding("late-on-friday");
    fs::write(two.was.join("late-on-friday.cedar"), rule("late-on-friday")).expect("a rule");
    let earlier = rule("late-on-friday").replace(">= 960", ">= 840");
    fs::write(two.is.join("late-on-friday.cedar"), earlier).expect("a rule");

    let run = two.diff(&[]);

    assert_eq!(run.code, 0);
    let told = two.told(&run);
    let first = told.split("\n\n").take(3).collect::<Vec<_>>().join("\n\n");
    any_policies().bind(|| insta::assert_snapshot!(first));
    let json = two.diff(&["--output", "json"]).json();
    let differences = json["differences"].as_array().expect("differences");
    assert!(!differences.is_empty() && differences.iter().all(|one| one["change"] == "circumstances"));
}

#[test]
fn a_folder_that_is_broken_or_is_not_there() {
    let two = Two::new(|name, content| match name {
        "compose.cedar" => content.replace("principal.service &&", "principal.serivce &&"),
        _ => content,
    });
    let run = two.diff(&[]);
    assert_eq!(run.code, 2, "{run:?}");
    let folder = two.is.display().to_string();
    assert!(run.stderr.contains(&folder) && run.stderr.contains("serivce"), "{run:?}");
    let missing = two.stage.host(&["policy", "diff", "/nowhere", &folder, "--output", "json"]);
    assert_eq!((missing.code, missing.text("/error/code")), (2, "policy-missing".to_owned()));
}
