//! A patch of Deployments: what it changes, what it leaves alone, what it refuses, and its way back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::cluster::{DEPLOYMENT, NAMESPACE, SERVICE, Scene, d601};
use e2e::line::until;
use e2e::misbehaving::guest;
use e2e::{Run, Settings, policies};
use lab::D601;
use lab::cluster::Workload;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The other Deployment of a patch of two.
const OTHER: &str = "decision-center-other";
/// Ways of the guest.
const WAYS: [&str; 5] = ["asks-before", "looks", "mistyped", "patches", "patches-two"];

/// Admits the rehearsal of a patch of the other Deployment, and not the patch.
const TWO_FACED: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: two-faced }
spec:
  matchConstraints:
    resourceRules:
    - { apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments] }
  validations:
  - expression: >-
      object.metadata.name != "decision-center-other" || (has(request.dryRun) && request.dryRun)
      || object.spec.template == oldObject.spec.template
    message: not today
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: two-faced }
spec: { policyName: two-faced, validationActions: [Deny] }
"#;

/// A stage whose plugin is the guest that patches, and owns what it patches.
fn scene<'a>(d601: &'a D601, folder: &Path, tables: &str) -> Scene<'a> {
    let plugins = folder.join("plugins");
    fs::create_dir(&plugins).expect("a folder");
    fs::copy(guest("patcher"), plugins.join(format!("{SERVICE}.wasm"))).expect("the guest");
    let policies =
        policies(folder, |name, content| if name == "entities.json" { owning(&content) } else { content });
    let settings = Settings { plugins: Some(plugins), policies: Some(policies), ..Settings::default() };
    Scene::with(d601, tables, settings)
}

fn owning(entities: &str) -> String {
    let mut entities: Value = serde_json::from_str(entities).expect("entities");
    let deployments = [DEPLOYMENT, OTHER].map(|name| format!("d601-k3s/{NAMESPACE}/{name}"));
    let owned = json!({
        "Repository": [format!("unidesk/{SERVICE}")],
        "Deployment": deployments,
        "HealthTarget": ["between"],
    });
    let owns: serde_json::Map<_, _> = WAYS.iter().map(|way| ((*way).to_owned(), owned.clone())).collect();
    let environments = entities["environments"].as_array_mut().expect("environments");
    environments.extend(WAYS.map(Value::from));
    entities["services"][SERVICE]["owns"] = owns.into();
    entities.to_string()
}

fn deploy(scene: &Scene<'_>, way: &str, commit: &str, flags: &[&str]) -> Run {
    let flags: Vec<&str> = ["--run-now"].iter().chain(flags).copied().collect();
    scene.stage.deploy_as(SERVICE, way, commit, &flags)
}

fn deployment(scene: &Scene<'_>, name: &str) -> Value {
    scene.cluster.get(NAMESPACE, &format!("deployment/{name}")).expect("the Deployment")
}

fn template(scene: &Scene<'_>) -> Value {
    deployment(scene, DEPLOYMENT)["spec"]["template"].clone()
}

fn kubectl(scene: &Scene<'_>, arguments: &[&str]) {
    let namespaced: Vec<&str> = ["--namespace", NAMESPACE].iter().chain(arguments).copied().collect();
    scene.cluster.kubectl(&namespaced).expect("kubectl");
}

fn entry(container: &Value, key: &str) -> Value {
    let entries = container["env"].as_array().into_iter().flatten();
    entries.into_iter().find(|one| one["name"] == key).cloned().unwrap_or_default()
}

/// The outcome and the message of the step `kubernetes.patch`.
fn patched(run: &Run) -> (String, String) {
    let steps = run.json()["steps"].as_array().cloned().unwrap_or_default();
    let step = steps.into_iter().rfind(|step| step["operation"] == "kubernetes.patch").expect("a patch");
    let text = |field: &str| step[field].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("message"))
}

#[test]
fn cluster_a_patch_changes_what_it_says_and_goes_back_whole() {
    let (d601, folder) = (d601(), TempDir::new().expect("a folder"));
    let scene = scene(&d601, folder.path(), "");
    let from_pod =
        json!({ "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.name" } } });
    let (workload, first) = scene.running("before a patch", |workload| {
        workload.env("A", "1").env_from("UNIDESK_DEPLOY_COMMIT", from_pod.clone()).env("TOKEN", "hunter2")
    });
    let before = template(&scene);
    let service = scene.cluster.get(NAMESPACE, &format!("service/{DEPLOYMENT}")).expect("the Service");

    // Without a verification it is no success: what it changed is taken back, and nobody sees a trace of it.
    let (second, _) = scene.published("patched", |image| image);
    let run = deploy(&scene, "patches", &second, &["--on-failure", "rollback"]);
    assert_eq!(run.outcome(), (1, "rolled-back".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.text("/rollback/previousCommit"), first);
    assert_eq!(template(&scene), before);
    assert_eq!(deployment(&scene, DEPLOYMENT)["metadata"]["annotations"]["host.unidesk/run"], Value::Null);

    let run = deploy(&scene, "patches", &second, &[]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    let message = run.text("/error/message");
    assert!(
        message.contains(&format!("{NAMESPACE}/{DEPLOYMENT} of d601-k3s asks for commit {second}")),
        "{message}"
    );
    let now = deployment(&scene, DEPLOYMENT);
    let mut expected = before.clone();
    let container = &mut expected["spec"]["containers"][0];
    container["image"] = json!(format!("127.0.0.1:5000/unidesk/{SERVICE}:{second}"));
    container["env"] = now["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    expected["metadata"]["annotations"] =
        json!({ "UNIDESK_DEPLOY_COMMIT": second, "UNIDESK_DEPLOY_SERVICE_ID": SERVICE });
    assert_eq!(now["spec"]["template"], expected, "and nothing else");
    let container = &now["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"].as_array().map(Vec::len), Some(4));
    for (key, value) in [
        ("A", "1"),
        ("TOKEN", "hunter2"),
        ("UNIDESK_DEPLOY_COMMIT", &second),
        ("UNIDESK_DEPLOY_SERVICE_ID", SERVICE),
    ] {
        assert_eq!(entry(container, key), json!({ "name": key, "value": value }));
    }
    let provenance =
        now["metadata"]["annotations"]["host.unidesk/run"].as_str().unwrap_or_default().to_owned();
    assert!(provenance.contains(&format!("run:{},", run.text("/run/id"))), "{provenance}");
    assert!(provenance.contains(&format!("commit:{second},")), "{provenance}");
    assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"));
    let after = scene.cluster.get(NAMESPACE, &format!("service/{DEPLOYMENT}")).expect("the Service");
    assert_eq!((&service["spec"], &service["metadata"]), (&after["spec"], &after["metadata"]));

    // The pods are held against the artifact; a patch that finds everything so writes nothing.
    scene.cluster.rolled_out(&workload).expect("its pods");
    let version = deployment(&scene, DEPLOYMENT)["metadata"]["resourceVersion"].clone();
    let run = deploy(&scene, "looks", &second, &[]);
    assert_eq!(patched(&run).0, "already-so", "{}{}", run.stdout, run.stderr);
    assert_eq!(deployment(&scene, DEPLOYMENT)["metadata"]["resourceVersion"], version);
    assert_eq!(run.text("/lastDeploy/commit"), second);
    assert_eq!(run.json()["lastDeploy"]["drift"], Value::Null);
    let pods = run.json()["verification"].as_array().cloned().unwrap_or_default();
    let pods = pods.into_iter().find(|one| one["what"] == "pods").expect("what was found of the pods");
    assert_eq!(pods["satisfied"], true, "{pods:#}");
    assert_eq!(pods["expectations"].as_array().map(Vec::len), Some(6), "{pods:#}");

    // Set by hand to something else since.
    kubectl(
        &scene,
        &["set", "image", "deployment", DEPLOYMENT, &format!("{DEPLOYMENT}=127.0.0.1:5000/unidesk/x:1")],
    );
    let run = deploy(&scene, "looks", &second, &[]);
    assert!(run.text("/lastDeploy/drift").contains("unidesk/x:1"), "{}", run.stdout);
}

#[test]
fn cluster_what_no_patch_should_be_made_on_is_refused_before_anything_changes() {
    let (d601, folder) = (d601(), TempDir::new().expect("a folder"));
    let scene = scene(&d601, folder.path(), "");
    let (_, _) = scene.running("before refusals", |workload| workload);
    let (commit, _) = scene.published("refused", |image| image);
    let refused = |way: &str, words: &[&str]| {
        let before = deployment(&scene, DEPLOYMENT)["metadata"]["generation"].clone();
        let run = deploy(&scene, way, &commit, &[]);
        assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
        let message = run.text("/error/message");
        for word in words.iter().chain(&["nothing was changed"]) {
            assert!(message.contains(word), "{word} in: {message}");
        }
        assert_eq!(deployment(&scene, DEPLOYMENT)["metadata"]["generation"], before);
    };
    refused("mistyped", &["no container decision-centre", DEPLOYMENT]);
    refused("patches-two", &[OTHER, "kubectl -n unidesk-dev get deployments"]);

    // Both are well, and one of them would not be admitted: the other one stays as it is, too.
    let image = template(&scene)["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned();
    scene
        .cluster
        .run(&Workload::new(NAMESPACE, OTHER, &image).spec("paused", json!(true)))
        .expect("another one");
    refused("patches-two", &[OTHER, "is paused", "rollout resume"]);
    kubectl(&scene, &["scale", "deployment", OTHER, "--replicas=0"]);
    kubectl(&scene, &["rollout", "resume", &format!("deployment/{OTHER}")]);
    refused("patches-two", &[OTHER, "zero replicas", "--replicas=1"]);
    kubectl(&scene, &["scale", "deployment", OTHER, "--replicas=1"]);
    let init = json!([{ "name": "migrate", "image": image }]);
    scene
        .cluster
        .run(&Workload::new(NAMESPACE, OTHER, &image).pod("initContainers", init))
        .expect("another one");
    refused("patches-two", &[OTHER, "init container migrate"]);

    scene
        .cluster
        .run(&Workload::new(NAMESPACE, OTHER, &image).pod("initContainers", json!([])))
        .expect("another one");
    let run = deploy(&scene, "patches-two", &commit, &[]);
    assert_eq!(patched(&run).0, "ok", "{}{}", run.stdout, run.stderr);
    for name in [DEPLOYMENT, OTHER] {
        let image = deployment(&scene, name)["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        assert_eq!(image, format!("127.0.0.1:5000/unidesk/{SERVICE}:{commit}"));
    }

    // The first one is patched, the second one refused: the first one goes back.
    let templates = || [DEPLOYMENT, OTHER].map(|name| deployment(&scene, name)["spec"]["template"].clone());
    scene.cluster.apply(NAMESPACE, TWO_FACED).expect("a policy of admission");
    let mut tries = 0;
    until("the policy holds", || {
        tries += 1;
        let set = ["set", "env", "--namespace", NAMESPACE, "deployment", OTHER, &format!("TRIED={tries}")];
        scene.cluster.kubectl(&set).is_err()
    });
    let before = templates();
    let (commit, _) = scene.published("refused half-way", |image| image);
    let run = deploy(&scene, "patches-two", &commit, &[]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{}{}", run.stdout, run.stderr);
    let message = patched(&run).1;
    for word in [OTHER, "not today", "what was patched was taken back"] {
        assert!(message.contains(word), "{word} in: {message}");
    }
    assert_eq!(templates(), before);
}

/// Answers the one request to `server` after `meanwhile` was done.
fn answers(server: &TcpListener, meanwhile: impl FnOnce()) {
    let (mut stream, _) = server.accept().expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    meanwhile();
    let body = r#"{"ok":true}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).expect("an answer");
}

#[test]
fn cluster_what_somebody_else_sets_meanwhile_is_not_overwritten_and_a_status_is_no_conflict() {
    let (d601, folder) = (d601(), TempDir::new().expect("a folder"));
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/health", server.local_addr().expect("an address"));
    let scene = scene(&d601, folder.path(), &format!("\n[health.between]\nurl = {url:?}\n"));
    let (_, _) = scene.running("before others", |workload| workload);
    let theirs = format!("{DEPLOYMENT}=127.0.0.1:5000/unidesk/{SERVICE}:theirs");

    let (commit, _) = scene.published("too late", |image| image);
    let run = thread::scope(|threads| {
        threads.spawn(|| {
            answers(&server, || kubectl(&scene, &["set", "image", "deployment", DEPLOYMENT, &theirs]));
        });
        deploy(&scene, "asks-before", &commit, &[])
    });
    assert_eq!(run.outcome(), (5, "stale".to_owned()), "{}{}", run.stdout, run.stderr);
    let image = template(&scene)["spec"]["containers"][0]["image"].clone();
    assert_eq!(image, format!("127.0.0.1:5000/unidesk/{SERVICE}:theirs"));

    // Somebody who writes the status and the Deployment's own annotations without end is in nobody's way.
    let done = AtomicBool::new(false);
    let write = |what: &[&str]| {
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            count += 1;
            let text = what.join(" ").replace("COUNT", &count.to_string());
            kubectl(&scene, &text.split(' ').collect::<Vec<_>>());
        }
        count
    };
    let status = r#"{"status":{"conditions":[{"type":"Seen","status":"True","message":"COUNT"}]}}"#;
    let (runs, written) = thread::scope(|threads| {
        let writers = [
            threads.spawn(|| {
                write(&[
                    "patch",
                    "deployment",
                    DEPLOYMENT,
                    "--subresource=status",
                    "--type=strategic",
                    "-p",
                    status,
                ])
            }),
            threads
                .spawn(|| write(&["annotate", "--overwrite", "deployment", DEPLOYMENT, "team/seen=COUNT"])),
        ];
        let runs = ["one", "two", "three", "four"].map(|name| {
            let (commit, _) = scene.published(&format!("beside a controller, {name}"), |image| image);
            let run = deploy(&scene, "patches", &commit, &[]);
            (commit, run, template(&scene)["spec"]["containers"][0]["image"].clone())
        });
        done.store(true, Ordering::Relaxed);
        (runs, writers.map(|writer| writer.join().expect("a writer")))
    });
    for (commit, run, image) in runs {
        assert_eq!(patched(&run).0, "ok", "{}{}", run.stdout, run.stderr);
        assert_eq!(image, format!("127.0.0.1:5000/unidesk/{SERVICE}:{commit}"));
    }
    assert!(written.iter().all(|&count| count > 4), "{written:?}");
}
