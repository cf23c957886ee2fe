//! Who may do what, as one table: for a terminal, for a script, and as a page for a browser.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::path::Path;

use e2e::{SERVICE, Stage, policies};
use lab::project::Settings;
use serde_json::Value;

fn any_policies() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings
}

/// The release's policies with an example beside them, and whatever `change` does.
fn stage_with(folder: &Path, examples: &[&str], change: impl Fn(&str, String) -> String) -> Stage {
    let copy = policies(folder, change);
    for name in examples {
        let file = format!("{name}.cedar");
        let example = lab::paths::policies().join("examples").join(name).join(&file);
        fs::copy(example, copy.join(file)).expect("an example");
    }
    Stage::with(Settings { policies: Some(copy), ..Settings::default() })
}

fn stable(stage: &Stage, folder: &Path, text: &str) -> String {
    let shipped = lab::paths::policies().display().to_string();
    stage.stable(&text.replace(&folder.display().to_string(), "[folder]").replace(&shipped, "[policies]"))
}

fn rows(answer: &Value) -> &Vec<Value> {
    answer["rows"].as_array().expect("rows")
}

fn cells(answer: &Value) -> Vec<&Value> {
    rows(answer).iter().flat_map(|row| row["cells"].as_array().expect("cells")).collect()
}

#[test]
fn what_the_release_permits() {
    let stage = Stage::new();

    let text = stage.host(&["policy", "matrix"]);
    let json = stage.host(&["policy", "matrix", "--output", "json"]);

    any_policies().bind(|| insta::assert_snapshot!(stable(&stage, stage.folder(), &text.transcript())));
    assert!(text.stdout.lines().all(|line| line.chars().count() <= 100), "{text:?}");
    let answer = json.json();
    assert_eq!((json.code, &answer["ok"]), (0, &true.into()), "{json:?}");
    assert!(cells(&answer).iter().all(|cell| cell["state"] == "allowed"), "each plugin may do what it does");
    let plugins: Vec<_> = rows(&answer).iter().filter(|row| row["asks"] == "plugin").collect();
    assert_eq!(plugins.len(), 24, "the specification's pairs");
    for row in plugins {
        let asked: Vec<_> =
            row["cells"].as_array().expect("cells").iter().map(|cell| cell["action"].clone()).collect();
        for always in ["resolveArtifact", "deliverImage", "checkHealth", "rollback"] {
            assert!(asked.contains(&always.into()), "{row}");
        }
    }
}

#[test]
fn it_asks_what_explain_says_that_a_deploy_asks() {
    let stage = Stage::new();
    let answer = stage.host(&["policy", "matrix", "--output", "json"]).json();
    for (service, environment) in [(SERVICE, "prod"), ("frontend", "dev"), ("baidu-netdisk", "prod")] {
        let row = rows(&answer)
            .iter()
            .find(|row| row["name"] == service && row["environment"] == environment)
            .expect("a row");
        let mut of_matrix: Vec<String> = Vec::new();
        for cell in row["cells"].as_array().expect("cells") {
            for asked in cell["requests"].as_array().expect("requests") {
                of_matrix.push(format!("{} {}", cell["action"], asked["resource"]));
            }
        }
        let explain =
            stage.host(&["policy", "explain", service, "--env", environment, "--output", "json"]).json();
        let lists =
            ["operations", "failurePath"].map(|list| explain[list].as_array().expect("a list").clone());
        let requests = lists.iter().flatten().flat_map(|one| one["requests"].as_array().expect("requests"));
        let mut of_explain: Vec<String> =
            requests.map(|asked| format!("{} {}", asked["action"], asked["resource"])).collect();
        of_matrix.sort();
        of_explain.sort();
        of_explain.dedup();
        assert_eq!(of_matrix, of_explain, "{service} {environment}");
    }
}

#[test]
fn what_depends_is_told_and_what_is_denied_does_not_end_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(
        folder.path(),
        &["late-on-friday", "team-namespaces"],
        |name, content| match name {
            // Its first question is denied; the others are asked all the same.
            "entities.json" => content
                .replace(r#""Repository": ["unidesk/todo-note"],"#, "")
                .replace(r#""d601-k3s/unidesk": "unidesk", "#, "")
                .replace(
                    r#""Image": ["main-server/unidesk/oa-event-flow", "main-server/oa-event-flow"]"#,
                    r#""Image": ["main-server/unidesk/oa-event-flow"]"#,
                ),
            "rollback.cedar" => format!(
                "{content}\n@id(\"tried-before-prod\") @reason(\"Dev first.\")\nforbid (principal is Plugin, action == Action::\"patchDeployment\", resource)\nwhen {{ context.environment == Environment::\"prod\" && !context.verifiedBefore }};\n"
            ),
            "runs.cedar" => String::new(),
            _ => content,
        },
    );

    let text = stage.host(&["policy", "matrix"]);

    any_policies().bind(|| insta::assert_snapshot!(stable(&stage, folder.path(), &text.transcript())));
    assert_eq!(text.code, 0);
}

#[test]
fn services_without_a_plugin_and_plugins_that_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).expect("a folder");
    fs::write(plugins.join("frontend.wasm"), "no component").expect("a file");
    let kept = ["project-manager", "frontend", "decision-center"];
    let only = policies(folder.path(), |name, content| match name {
        "entities.json" => {
            let mut entities: Value = serde_json::from_str(&content).unwrap_or_default();
            let services = entities["services"].as_object_mut().expect("services");
            services.retain(|name, _| kept.contains(&name.as_str()));
            entities.to_string()
        }
        _ => content,
    });
    let stage = Stage::with(Settings { policies: Some(only), plugins: Some(plugins), ..Settings::default() });

    let text = stage.host(&["policy", "matrix"]);
    let json = stage.host(&["policy", "matrix", "--output", "json"]);

    any_policies().bind(|| insta::assert_snapshot!(stable(&stage, folder.path(), &text.transcript())));
    assert_eq!((text.code, json.code, json.text("/unheard/0/service")), (2, 2, "frontend".to_owned()));
    let owner = |row: &&Value| row["asks"] == "owner";
    assert_eq!(rows(&json.json()).iter().filter(owner).count(), 5);
}

#[test]
fn a_page_that_needs_nothing_but_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = stage_with(folder.path(), &["late-on-friday"], |name, content| match name {
        "health.cedar" => content.replacen(
            "@reason(\"",
            "@reason(\"<script>alert('1')</script> & <img src=http://127.0.0.1/x> \u{202e}",
            1,
        ),
        _ => content,
    });
    let file = stage.folder().join("matrix.html");

    let run = stage.host(&["policy", "matrix", "--output", "json", "--html", &file.display().to_string()]);

    assert_eq!(run.code, 0, "{run:?}");
    let page = fs::read_to_string(&file).expect("the page");
    let answer = run.json();
    e2e::page::needs_nothing_but_itself(&page);
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &lt;img"), "shown as it is");
    assert!(!page.contains('\u{202e}') && page.contains("default-src 'none'"));
    let shown = |class: &str| page.matches(&format!("<td class=\"cell {class}\"")).count();
    for (state, class) in [("allowed", "allowed"), ("depends", "depends"), ("denied", "denied")] {
        let expected = cells(&answer).iter().filter(|cell| cell["state"] == state).count();
        assert_eq!(shown(class), expected, "{state}");
    }
    assert!(shown("depends") > 10);
    for row in rows(&answer) {
        let (name, environment) = (row["name"].as_str(), row["environment"].as_str().unwrap_or_default());
        let name = name.expect("a name");
        assert!(page.contains(&format!("<th scope=\"row\">{name}</th><td>{environment}</td>")), "{name}");
        for cell in row["cells"].as_array().expect("cells") {
            for asked in cell["requests"].as_array().expect("requests") {
                let resource = &asked["resource"];
                let told = format!(
                    "{}::&quot;{}&quot;",
                    resource["type"].as_str().expect("a type"),
                    resource["id"].as_str().expect("an id")
                );
                assert!(page.contains(&told), "{told}");
            }
        }
    }
    for number in page
        .match_indices("href=\"#note-")
        .map(|(at, text)| page[at + text.len()..].split('"').next().unwrap_or_default())
    {
        assert!(page.contains(&format!("<li id=\"note-{number}\">")), "note {number}");
    }
    let nowhere = stage.host(&["policy", "matrix", "--html", "/nowhere/matrix.html"]);
    assert!(nowhere.code == 2 && nowhere.stderr.contains("/nowhere/matrix.html"), "{nowhere:?}");
}
