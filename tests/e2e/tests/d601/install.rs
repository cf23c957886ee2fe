//! `host registry install` on D601, from a bare machine on: what it would do and what it does, again and again, and what it
//! leaves alone.

use std::collections::BTreeSet;

use e2e::{Run, SampleImage, commit};
use serde_json::{Value, json};

use super::d601;
use super::registry::{COMPOSE, CONFIG, CONTAINER, STORAGE, Scene, UNIT};

/// Every file that an install could touch, with owner, rights, times and content; and what Docker has.
const EVERYTHING: &str = "{ find /etc /home /usr/local /opt /srv /root -xdev -printf '%p %y %u:%g %m %T@\\n' | sort; \
     find /etc /home /opt /srv /root -xdev -type f -exec sha256sum {} + | sort; docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}'; \
     systemctl list-unit-files --no-legend --no-pager | grep -v transient; } 2>&1";

fn everything(scene: &Scene<'_>) -> BTreeSet<String> {
    scene.root(&["sh", "-c", EVERYTHING]).lines().map(str::to_owned).collect()
}

/// Not a byte there is another one.
fn untouched(scene: &Scene<'_>, before: &BTreeSet<String>, what: &str) {
    let after = everything(scene);
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "{what}: {changed:#?}");
}

/// Which container runs since when, and since when the unit is active.
fn running(scene: &Scene<'_>) -> String {
    let container = ["docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", CONTAINER];
    let unit = ["systemctl", "show", UNIT, "--property=ActiveEnterTimestampMonotonic"];
    scene.root(&container) + &scene.root(&unit)
}

/// The commands of an answer, in their order.
fn commands(run: &Run) -> Vec<String> {
    let actions = run.json()["actions"].as_array().cloned().unwrap_or_default();
    actions.iter().map(|action| action["command"].as_str().unwrap_or_default().to_owned()).collect()
}

fn error(run: &Run) -> String {
    run.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

fn installed(scene: &Scene<'_>) -> Value {
    let run = scene.host_with(&["install", "--run-now"]);
    assert_eq!(run.outcome(), (0, "healthy".to_owned()), "{run:?}");
    run.json()
}

fn edit(scene: &Scene<'_>, expression: &str, file: &str) {
    scene.root(&["sed", "-i", expression, file]);
}

#[test]
fn d601_gets_a_registry_and_keeps_it() {
    let d601 = d601();
    let scene = Scene::set(&d601);

    // A look, and a plan: not a byte there is another one after them.
    let before = everything(&scene);
    let status = scene.host_with(&["status"]);
    assert_eq!(
        (status.code, &status.json()["ok"], &status.json()["installed"]),
        (0, &json!(true), &json!(false))
    );
    let planned = scene.host_with(&["install", "--dry-run"]);
    assert_eq!((planned.code, &planned.json()["changed"]), (0, &json!(false)), "{planned:?}");
    insta::assert_snapshot!("from_nothing", commands(&planned).join("\n"));
    untouched(&scene, &before, "a dry run");
    let asked = scene.host_with(&["install"]);
    assert_eq!(asked.code, 2, "{asked:?}");
    untouched(&scene, &before, "a plan");

    // Exactly that is done, and then there is nothing to do.
    let done = installed(&scene);
    assert_eq!((&done["actions"], &done["changed"]), (&planned.json()["actions"], &json!(true)));
    assert_eq!(scene.host_with(&["health"]).outcome(), (0, "healthy".to_owned()));
    let ran = running(&scene);
    let again = installed(&scene);
    assert_eq!((&again["actions"], &again["changed"]), (&json!([]), &json!(false)), "{again}");
    assert_eq!(running(&scene), ran, "what was so already was restarted");
    assert!(scene.stage.host(&["registry", "install", "--run-now"]).stdout.contains("nothing was restarted"));

    kept(&scene);
    drifted(&scene);
    journalled(&scene);
    warned(&scene);

    // It comes up with its machine.
    d601.reboot().expect("D601 again");
    e2e::line::until("the registry is well", || scene.host_with(&["health"]).code == 0);
}

/// What is in the registry outlives another configuration of it.
fn kept(scene: &Scene<'_>) {
    let image = SampleImage::new("project-manager", &"5e".repeat(20));
    let pushed = scene.d601.push(&image).expect("an image");
    let owner = scene.root(&["stat", "--format", "%i %u:%g %a", STORAGE]);
    let ran = running(scene);
    let other = |toml: String| toml + "\n[registry.installation]\nimage = \"registry:2.7\"\n";
    let run = scene.with_toml(other, &["install", "--run-now"]);
    assert_eq!(run.outcome(), (0, "healthy".to_owned()), "{run:?}");
    assert_eq!(
        commands(&run),
        [format!("install -m 644 compose.yml {COMPOSE}"), format!("systemctl reload {UNIT}")]
    );
    assert_ne!(running(scene), ran, "another image is another container");
    let tags = scene.ssh(&[
        "curl",
        "--fail",
        "--silent",
        "http://127.0.0.1:5000/v2/unidesk/project-manager/tags/list",
    ]);
    assert!(tags.contains(&"5e".repeat(20)), "{tags} lacks {pushed:?}");
    assert_eq!(scene.root(&["stat", "--format", "%i %u:%g %a", STORAGE]), owner, "the storage was touched");
    installed(scene);
}

/// What somebody changed is shown and overwritten; what is somebody else's is not.
fn drifted(scene: &Scene<'_>) {
    edit(scene, "s/interval: 10s/interval: 11s/; $ a secretkey: hunter2", CONFIG);
    let run = scene.host_with(&["install", "--dry-run"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stdout.contains("hunter2"), "{run:?}");
    insta::assert_snapshot!(
        "a_changed_configuration",
        serde_json::to_string_pretty(&run.json()["actions"]).expect("JSON")
    );
    let ran = running(scene);
    installed(scene);
    assert_ne!(running(scene), ran, "it goes on with the configuration that somebody wrote");

    // A unit that is written anew restarts nothing.
    let ran = running(scene);
    edit(scene, "s/TimeoutStartSec=300/TimeoutStartSec=301/", &format!("/etc/systemd/system/{UNIT}"));
    let run = scene.host_with(&["install", "--run-now"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        commands(&run),
        [format!("install -m 644 {UNIT} /etc/systemd/system/{UNIT}"), "systemctl daemon-reload".to_owned()]
    );
    assert_eq!(running(scene), ran);

    // A disabled unit and a stopped container are brought back, and nothing else is done.
    scene.root(&["systemctl", "disable", UNIT]);
    scene.root(&["docker", "stop", CONTAINER]);
    let run = scene.host_with(&["install", "--run-now"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(commands(&run), [format!("systemctl enable {UNIT}"), format!("systemctl reload {UNIT}")]);

    for (what, wrong, back, told) in [
        (
            "a file without the first line of managed files",
            ["sed", "-i", "1d", COMPOSE].as_slice(),
            ["rm", COMPOSE].as_slice(),
            "compose.yml is not managed by host",
        ),
        (
            "a link in the place of a file",
            &[
                "sh",
                "-c",
                "mv /home/ubuntu/.unidesk/artifact-registry/config.yml /root/config.yml && echo >> /root/config.yml && ln -s /root/config.yml /home/ubuntu/.unidesk/artifact-registry/config.yml",
            ],
            &["rm", CONFIG],
            "config.yml is not managed by host",
        ),
        (
            "the storage is gone, perhaps with its disk",
            &["mv", STORAGE, "/home/ubuntu/elsewhere"],
            &["mv", "/home/ubuntu/elsewhere", STORAGE],
            "if a disk is not mounted",
        ),
    ] {
        scene.root(wrong);
        let before = everything(scene);
        let run = scene.host_with(&["install", "--run-now"]);
        assert_eq!((run.code, &run.json()["changed"]), (1, &json!(false)), "{what}: {run:?}");
        assert!(error(&run).contains(told), "{what}: {}", error(&run));
        untouched(scene, &before, what);
        scene.root(back);
        installed(scene);
    }
}

/// Who may do it, and what is written down.
fn journalled(scene: &Scene<'_>) {
    let forbidden = |name: &str, content: String| match name {
        "registry.cedar" => content.replace("Action::\"installRegistry\"", "Action::\"readRuns\""),
        _ => content,
    };
    let run = scene.under(forbidden, &["install", "--run-now"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(scene.under(forbidden, &["health"]).code, 0);

    // No right of root, no question for a password.
    let rootless = |toml: String| {
        toml + "\n[registry.installation]\nsudo = [\"sudo\", \"-n\", \"-u\", \"nobody\", \"sudo\", \"-n\"]\n"
    };
    let run = scene.with_toml(rootless, &["install", "--dry-run"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(error(&run).contains("the rights of root cannot be had on d601"), "{run:?}");

    let runs = scene.stage.host(&["runs", "list", "--journal", "--limit", "100", "--output", "json"]).json();
    let runs = runs["runs"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = runs.iter().map(|run| [&run["command"], &run["mode"], &run["decision"]]).collect();
    assert!(told.contains(&[&json!("registry install"), &json!("live"), &json!("healthy")]), "{told:?}");
    assert!(told.contains(&[&json!("registry health"), &json!("look"), &json!("healthy")]), "{told:?}");
    let changed =
        runs.iter().find(|run| run["command"] == "registry install" && run["mode"] == "live").expect("one");
    let shown = scene.stage.host(&["runs", "show", changed["id"].as_str().expect("an id")]);
    assert!(shown.stdout.contains("host.registry"), "{shown:?}");
    let other = runs.iter().find(|run| run["command"] == "registry status").expect("one");
    assert_eq!(scene.stage.host(&["runs", "show", other["id"].as_str().expect("an id")]).code, 0);
}

/// A deploy is not stopped by how the registry is kept running; its look-up says how that is.
fn warned(scene: &Scene<'_>) {
    let deploy = |name: &str| {
        let commit = commit(name);
        scene.d601.push(&SampleImage::new("project-manager", &commit)).expect("an image");
        let run = scene.stage.deploy(&commit, &["--run-now"]);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
        let steps = run.json()["steps"].as_array().cloned().unwrap_or_default();
        let lookup =
            steps.into_iter().find(|step| step["operation"] == "registry.resolve").expect("a look-up");
        (lookup["warning"].clone(), run.text("/run/id"))
    };
    assert_eq!(deploy("a registry that is well").0, Value::Null);
    scene.root(&["systemctl", "stop", UNIT]);
    scene.root(&["docker", "start", CONTAINER]);
    let (warning, run) = deploy("a registry whose unit is down");
    assert_eq!(
        warning,
        "the registry is service-degraded (unidesk-artifact-registry.service is inactive, not active); \
         `host registry health` tells more"
    );
    let shown = scene.stage.host(&["runs", "show", &run]);
    assert!(shown.stdout.contains("the registry is service-degraded"), "{shown:?}");
    assert!(shown.stdout.contains("observing     0  host.registry"), "{shown:?}");
    installed(scene);
}

#[test]
fn d601_has_something_else_on_that_port() {
    let d601 = d601();
    let scene = Scene::set(&d601);
    scene.root(&[
        "systemd-run",
        "--unit=taken",
        "systemd-socket-activate",
        "--listen=127.0.0.1:5000",
        "sleep",
        "1000",
    ]);
    let run = scene.host_with(&["install", "--run-now"]);
    assert_eq!((run.code, &run.json()["changed"]), (1, &json!(true)), "{run:?}");
    for words in [
        "address already in use",
        "wrote /home/ubuntu/.unidesk/artifact-registry/compose.yml",
        "install again",
    ] {
        assert!(error(&run).contains(words), "{words}: {}", error(&run));
    }
    scene.root(&["systemctl", "stop", "taken"]);
    let run = scene.host_with(&["install", "--run-now"]);
    assert_eq!(run.outcome(), (0, "healthy".to_owned()), "{run:?}");
    assert_eq!(commands(&run), [format!("systemctl start {UNIT}")], "it goes on from there");
}
