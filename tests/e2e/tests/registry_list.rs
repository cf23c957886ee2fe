//! `host registry list` against real registries that are each test's own.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::path::PathBuf;

use e2e::{Run, SERVICE, SampleImage, Settings, Stage, commit, policies};
use lab::faulty::Faulty;
use lab::registry::Source;
use lab::{Bench, Registry, Sshd, sshd};
use serde_json::{Value, json};
use tempfile::TempDir;

const FRONTEND: &str = "frontend";
const CATALOG: &str = "\n[catalog]\ndesired = \"deploy.json\"\n";

/// A registry that has nothing yet, and where it keeps what it gets.
struct Own {
    registry: Registry,
    folder: TempDir,
}

impl Own {
    fn start() -> Self {
        let docker = Bench::from_environment().expect("the lab").docker().clone();
        let folder = TempDir::with_prefix("host-e2e-registry-").expect("a folder");
        let source = Source::find(&docker, &|_| ()).expect("a registry's program");
        Self { registry: source.start(folder.path(), None).expect("a registry"), folder }
    }

    /// A project that deploys from it, and wants this.
    fn stage(&self, desired: &Value, settings: Settings) -> Stage {
        let docker = Bench::from_environment().expect("the lab").docker().clone();
        let stage = Stage::on(Bench::new(docker, Registry::at(self.registry.address())), settings);
        fs::write(stage.folder().join("deploy.json"), desired.to_string()).expect("deploy.json");
        stage
    }

    fn storage(&self, path: &str) -> PathBuf {
        self.folder.path().join("storage/docker/registry/v2").join(path)
    }
}

fn wanting() -> Settings {
    Settings { tables: CATALOG.to_owned(), ..Settings::default() }
}

fn list(stage: &Stage, flags: &[&str]) -> Run {
    stage.host(&[&["registry", "list", "--output", "json"], flags].concat())
}

/// Repository and commit of everything on a page.
fn shown(page: &Value) -> Vec<String> {
    let repositories = page["repositories"].as_array().expect("repositories");
    let rows = repositories.iter().flat_map(|row| {
        let artifacts = row["artifacts"].as_array().expect("artifacts");
        artifacts.iter().map(|one| format!("{}:{}", text(&row["repository"]), text(&one["commit"])))
    });
    rows.collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is told of one artifact.
fn row<'a>(page: &'a Value, commit: &str) -> &'a Value {
    let repositories = page["repositories"].as_array().expect("repositories");
    let mut artifacts = repositories.iter().flat_map(|row| row["artifacts"].as_array().into_iter().flatten());
    artifacts.find(|one| one["commit"] == commit).expect("an artifact of that commit")
}

#[test]
fn an_empty_registry_lacks_all_that_is_wanted() {
    let own = Own::start();
    let wanted = commit("wanted, and never published");
    let stage = own.stage(&json!({ "prod": { SERVICE: wanted } }), wanting());
    let missing = json!([{ "repository": "unidesk/project-manager", "service": SERVICE, "commit": wanted, "wantedIn": ["prod"] }]);

    let run = list(&stage, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let answer = run.json();
    assert_eq!(
        (&answer["ok"], &answer["repositories"], &answer["next"]),
        (&json!(true), &json!([]), &Value::Null)
    );
    assert_eq!(answer["missing"], missing);
    assert_eq!(list(&stage, &["--service", SERVICE]).json()["missing"], missing);
    assert_eq!(list(&stage, &["--service", FRONTEND]).json()["missing"], json!([]));
    assert_eq!(
        list(&stage, &["--after", "unidesk/todo-note"]).json()["missing"],
        json!([]),
        "not on this page"
    );

    let run = stage.host(&["registry", "list"]);
    assert_eq!(
        run.stdout,
        format!(
            "no artifacts\n\nwanted, and not in the registry: publish them with CI, or change the desired state\n  unidesk/{SERVICE}:{wanted}  wanted in prod\n"
        )
    );
}

#[test]
fn all_that_was_published_is_on_some_page_with_what_runs_and_what_is_wanted() {
    let own = Own::start();
    let [runs, second, third] = ["runs and is wanted", "second", "third"].map(commit);
    let (whole, never) = (commit("of two platforms"), commit("never published"));
    let desired = json!({ "prod": { SERVICE: runs, FRONTEND: never }, "dev": { FRONTEND: whole } });
    let stage = own.stage(&desired, wanting());
    let pushed = stage.pushed(&SampleImage::new(SERVICE, &runs));
    for commit in [&second, &third] {
        stage.publish(&SampleImage::new(SERVICE, commit));
    }
    let other = SampleImage::new(FRONTEND, &whole);
    let index = stage.pushed(&SampleImage::new(FRONTEND, &whole).with_platform("arm99", other));
    stage.publish(&SampleImage::new(FRONTEND, "nightly"));
    let run = stage.deploy(&runs, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");

    // Every page follows the one before, and the last one says that it is.
    let mut all = Vec::new();
    let mut next = list(&stage, &["--limit", "2"]).json();
    let mut pages = 1;
    let first = next.clone();
    loop {
        all.extend(shown(&next));
        let Some(after) = next["next"].as_str().map(str::to_owned) else { break };
        next = list(&stage, &["--limit", "2", "--after", &after]).json();
        pages += 1;
    }
    let mut expected: Vec<String> =
        [&runs, &second, &third].map(|commit| format!("unidesk/{SERVICE}:{commit}")).to_vec();
    expected.push(format!("unidesk/{FRONTEND}:{whole}"));
    expected.sort();
    assert_eq!((all, pages), (expected.clone(), 2));
    assert_eq!(first["repositories"][0]["otherTags"], 1, "{first:#}");
    let missing = json!([{ "repository": "unidesk/frontend", "service": FRONTEND, "commit": never,
        "wantedIn": ["prod"] }]);
    assert_eq!(first["missing"], missing, "told with the page that its repository is on");
    assert_eq!(next["missing"], json!([]));

    let answer = list(&stage, &[]).json();
    assert_eq!(shown(&answer), expected);
    let running = row(&answer, &runs);
    assert_eq!(running["digest"], pushed.digest.as_str());
    assert_eq!(running["size"], pushed.size + pushed.config.len() as u64);
    assert_eq!(running["created"], "2026-01-01T00:00:00Z");
    assert_eq!(running["wantedIn"], json!(["prod"]));
    let deployed = &running["deployed"];
    assert_eq!(deployed.as_array().map(Vec::len), Some(1), "{answer:#}");
    assert_eq!(deployed[0]["runtime"], "main-server");
    assert_eq!(deployed[0]["deploy"]["run"], run.text("/run/id").as_str());
    assert_eq!(deployed[0]["inJournal"], true);
    assert_eq!(
        (&row(&answer, &second)["deployed"], &row(&answer, &second)["wantedIn"]),
        (&json!([]), &json!([]))
    );
    let platforms = row(&answer, &whole);
    assert_eq!(platforms["digest"], index.digest.as_str());
    // Both platforms have the same layers, and configurations of the same length; the attestation is none of them.
    assert_eq!(platforms["size"], index.size + 2 * index.config.len() as u64);
    assert_eq!(platforms["wantedIn"], json!(["dev"]));

    let only = list(&stage, &["--service", SERVICE]).json();
    assert_eq!(shown(&only).len(), 3, "{only:#}");
    assert_eq!(only["repositories"].as_array().map(Vec::len), Some(1), "{only:#}");
    assert_eq!(only["missing"], json!([]));
    let people = stage.host(&["registry", "list", "--limit", "2"]).stdout;
    assert!(people.contains("unidesk/frontend: 1 commit, 1 tag that is no commit\n"), "{people}");
    let next =
        format!("next page: host registry list --limit 2 --config {}", stage.project().host_toml().display());
    assert!(people.contains(&next), "{people}");
    let people = stage.host(&["registry", "list", "--service", SERVICE]).stdout;
    assert!(people.contains("      wanted in prod\n      deployed on main-server to prod\n"), "{people}");

    // Damage on the registry's own disk is told with what it damaged.
    let blob = |digest: &str| format!("blobs/sha256/{}/{}/data", &digest[7..9], &digest[7..]);
    fs::remove_file(own.storage(&blob(&pushed.config_digest))).expect("a blob");
    fs::remove_dir_all(own.storage("repositories/unidesk/frontend/_manifests")).expect("tags");
    let run = list(&stage, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let answer = run.json();
    let damaged = row(&answer, &runs);
    assert!(text(&damaged["error"]).contains(&pushed.config_digest), "{answer:#}");
    assert_eq!((&damaged["digest"], &damaged["wantedIn"]), (&Value::Null, &json!(["prod"])));
    assert_eq!(row(&answer, &second)["error"], Value::Null);
    assert!(text(&answer["repositories"][0]["error"]).contains("404"), "{answer:#}");
    assert_eq!(answer["missing"].as_array().map(Vec::len), Some(2), "both commits are gone: {answer:#}");
}

#[test]
fn what_policy_forbids_is_not_asked() {
    let own = Own::start();
    let folder = TempDir::new().expect("a folder");
    let policies = policies(folder.path(), |name, content| match name {
        "registry.cedar" => {
            content.replace("action == Action::\"listArtifacts\"", "action == Action::\"inspectRegistry\"")
        }
        _ => content,
    });
    let proxy = Faulty::before(own.registry.address()).expect("a proxy");
    let registry = Some(format!("url = \"http://{}\"", proxy.address()));
    let permitted = own.stage(&json!({}), Settings { registry: registry.clone(), ..wanting() });
    let run = list(&permitted, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(proxy.seen().connections > 0, "it goes by the proxy");
    drop(permitted);

    proxy.set(|_| None);
    let stage = own.stage(&json!({}), Settings { registry, policies: Some(policies), ..wanting() });
    let run = list(&stage, &[]);
    assert_eq!((run.code, run.text("/error/code").as_str()), (3, "denied"), "{run:?}");
    assert!(run.stdout.contains("listArtifacts"), "{run:?}");
    assert_eq!(proxy.seen().connections, 0);
}

#[test]
fn bad_arguments_say_what_they_should_be() {
    let stage = Stage::new();
    for (flags, says) in [
        (["--after", "unidesk/frontend:latest"], "--after: \"latest\" is no commit"),
        (["--service", "Frontend"], "is no service name"),
        (["--limit", "0"], "1..=1000"),
    ] {
        let run = list(&stage, &flags);
        assert_eq!(run.code, 2, "{run:?}");
        assert!((run.stderr + &run.stdout).replace("\\\"", "\"").contains(says), "{says}");
    }
}

#[test]
fn it_is_listed_through_ssh_and_what_is_out_of_reach_is_named() {
    let own = Own::start();
    let mut server = Sshd::start(&[]).expect("a server");
    let config = server.config().expect("a configuration").display().to_string();
    let registry = Some(format!("url = \"http://{}\"\nvia = \"d601\"", own.registry.address()));
    let tables = format!("{CATALOG}\n[ssh.d601]\ndestination = {:?}\nconfig = {config:?}\n", sshd::NAME);
    let published = commit("behind ssh");
    let stage = own.stage(
        &json!({ "prod": { SERVICE: published } }),
        Settings { registry, tables, ..Settings::default() },
    );
    stage.publish(&SampleImage::new(SERVICE, &published));

    let run = list(&stage, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(shown(&run.json()), [format!("unidesk/{SERVICE}:{published}")]);
    assert_eq!(server.sessions(), 0, "a session stays");

    let out_of_reach = |names: &str| {
        let run = list(&stage, &[]);
        assert_eq!((run.code, run.text("/error/code").as_str()), (4, "unavailable"), "{run:?}");
        let answer = run.json();
        assert_eq!(
            (&answer["ok"], &answer["error"]["retryable"]),
            (&json!(false), &json!(true)),
            "{answer:#}"
        );
        assert_eq!(
            (&answer["missing"], &answer["repositories"]),
            (&json!([]), &json!([])),
            "nothing is known"
        );
        assert!(text(&answer["error"]["message"]).contains(names), "{answer:#}");
    };
    let address = own.registry.address().to_owned();
    drop(own);
    out_of_reach(&address);
    server.stop().expect("a server that stops");
    out_of_reach("d601");
}

#[test]
fn a_registry_that_is_stopped_is_out_of_reach() {
    let own = Own::start();
    let stage = own.stage(&json!({}), wanting());
    let address = own.registry.address().to_owned();
    drop(own);
    let run = list(&stage, &[]);
    assert_eq!((run.code, run.text("/error/code").as_str()), (4, "unavailable"), "{run:?}");
    assert!(run.text("/error/message").contains(&address), "{run:?}");
    let people = stage.host(&["registry", "list"]);
    assert!(people.stdout.starts_with("the registry could not be listed: "), "{people:?}");
}
