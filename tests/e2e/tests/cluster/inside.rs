//! Who deploys Code Queue from inside one of its pods is refused, with an approval too; who does from inside another pod is not.
//! The program really runs in pods, with the files of an operator.

use std::fs;
use std::path::Path;

use e2e::Run;
use e2e::cluster::{NAMESPACE, Scene, d601};
use e2e::people::People;
use lab::cluster::Workload;
use serde_json::{Value, json};

use crate::services::{CODE_QUEUE, CODE_QUEUE_DEV};

/// On D601, and in pods.
const FOLDER: &str = "/home/deploy/desk";
/// In which a deploy may be.
const ELSEWHERE: &str = "mdtodo-dev";
/// Takes away what tells a process which pod it is in.
const HIDDEN: &str = "for what in cgroup mountinfo; do mount --bind /dev/null /proc/$$/$what; done;";

/// A Deployment whose pods see D601's programs, and an operator's files.
fn with_programs(workload: Workload) -> Workload {
    let seen = [
        ("/usr", "/usr"),
        ("/usr/lib", "/lib"),
        ("/usr/lib64", "/lib64"),
        ("/etc/passwd", "/etc/passwd"),
        (FOLDER, FOLDER),
    ];
    let name = |at: usize| format!("seen-{at}");
    let volumes = seen
        .iter()
        .enumerate()
        .map(|(at, (there, _))| json!({ "name": name(at), "hostPath": { "path": there } }));
    let mounts =
        seen.iter().enumerate().map(|(at, (_, here))| json!({ "name": name(at), "mountPath": here }));
    let root = json!({ "runAsUser": 0, "capabilities": { "add": ["SYS_ADMIN"] } });
    workload
        .pod("volumes", volumes.collect())
        .container("volumeMounts", mounts.collect())
        .container("securityContext", root)
}

/// The files of an operator, for a pod: the program, the plan with what was signed about it, and all that these need.
fn desk(scene: &Scene<'_>, folder: &Path) {
    let stage = scene.stage.folder();
    let component = format!("{CODE_QUEUE}.wasm");
    let copied = [
        (lab::paths::host().expect("the program"), "host".to_owned()),
        (stage.join("allowed_signers"), "allowed_signers".to_owned()),
        (scene.cluster.kubeconfig(), "admin.yaml".to_owned()),
        (lab::paths::plugins().expect("components").join(&component), format!("plugins/{component}")),
    ];
    let plans =
        fs::read_dir(stage).expect("a folder").flatten().map(|entry| entry.path()).filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            name.starts_with("queue.plan").then_some((path, name))
        });
    fs::create_dir(folder.join("plugins")).expect("a folder");
    for (from, to) in copied.into_iter().chain(plans) {
        fs::copy(&from, folder.join(to)).expect("a copy");
    }
    let _ = e2e::policies(folder, |_, content| content);
    let toml = format!(
        "plugins = \"plugins\"\npolicies = \"policies\"\nstate = \"state\"\ncache = \"cache\"\n\n[registry]\n\
         url = \"http://127.0.0.1:5000\"\nnamespace = \"unidesk\"\n\n[runtimes.d601-k3s]\nkind = \"kubernetes\"\n\
         kubeconfig = \"admin.yaml\"\n{}",
        People::TABLE
    );
    fs::write(folder.join("host.toml"), toml).expect("host.toml");
}

/// Applies the plan in a pod of a Deployment, begun by `before` in a shell there.
fn applied(scene: &Scene<'_>, deployment: &str, before: &str) -> Run {
    let line = format!(
        "{before} exec {FOLDER}/host --config {FOLDER}/host.toml deploy apply {FOLDER}/queue.plan --run-now --output json"
    );
    let mut kubectl = scene.cluster.kubectl_with(&scene.cluster.kubeconfig());
    let target = format!("deployment/{deployment}");
    kubectl.args([
        "exec",
        "--namespace",
        NAMESPACE,
        &target,
        "--",
        "/usr/bin/env",
        "PATH=/usr/bin",
        "HOME=/tmp",
    ]);
    Run::of(kubectl.args(["/usr/bin/sh", "-c", &line]))
}

/// What was found out about where the program runs, and what came of the gate.
fn guard(run: &Run) -> (Value, String) {
    let report = run.json()["services"][0].clone();
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    let gate = steps.iter().find(|step| step["operation"] == "guard.require-outside").cloned();
    let outcome = gate.unwrap_or_default()["outcome"].as_str().unwrap_or_default().to_owned();
    (report["selfBootstrapGuard"].clone(), outcome)
}

fn shows(guard: &Value, words: &str) -> bool {
    let evidence = guard["evidence"].as_array().expect("evidence").iter();
    evidence.filter_map(Value::as_str).any(|line| line.contains(words))
}

#[test]
fn cluster_nobody_deploys_code_queue_from_inside_a_pod_of_it() {
    let d601 = d601();
    let scene = Scene::set(&d601, People::TABLE);
    d601.ssh(&["mkdir", "-p", FOLDER]).expect("a folder");
    let (_, image) = scene.published_as(CODE_QUEUE, "code queue that would deploy itself", |image| image);
    for name in CODE_QUEUE_DEV.into_iter().chain([ELSEWHERE]) {
        let workload = with_programs(Workload::new(NAMESPACE, name, &image.reference));
        scene.cluster.run(&workload).expect("a Deployment");
        scene.cluster.rolled_out(&workload).expect("its pods");
    }
    let people = People::at(scene.stage.folder());
    let (commit, _) = scene.published_as(CODE_QUEUE, "what it would deploy", |image| image);
    let plan = scene.stage.folder().join("queue.plan").display().to_string();
    let what = ["deploy", "plan", "--env", "dev", "--service", CODE_QUEUE, "--commit", &commit];
    let how = ["--output", "json", "--out", &plan, "--key", &people.key("ann")];
    let run = scene.stage.host(&[&what[..], &how].concat());
    assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
    let approve = |role: &str| {
        let bob = people.key("bob");
        let run = scene.stage.host(&["deploy", "approve", &plan, "--role", role, "--key", &bob]);
        assert_eq!(run.code, 0, "{run:?}");
    };
    let bring = || {
        let folder = tempfile::tempdir().expect("a folder");
        desk(&scene, folder.path());
        d601.ssh(&["sudo", "sh", "-c", &format!("rm -rf {FOLDER}/*; rm -rf /home/deploy/brought")])
            .expect("ssh");
        d601.copy(folder.path(), "/home/deploy/brought").expect("a copy");
        let moved = format!("mv /home/deploy/brought/* {FOLDER}/ && chown -R root:root {FOLDER}");
        d601.ssh(&["sudo", "sh", "-c", &moved]).expect("ssh");
    };
    bring();
    let run = applied(&scene, CODE_QUEUE_DEV[0], "");
    let (found, gate) = guard(&run);
    assert_eq!((&found["result"], gate.as_str()), (&json!("inside"), "pending"), "{run:?}");
    assert!(shows(&found, "that is pod unidesk-dev/code-queue-scheduler-dev-"), "{found}");

    approve("supervisor");
    approve("outside");
    bring();
    let run = applied(&scene, CODE_QUEUE_DEV[0], "");
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "whatever is signed: {run:?}");
    assert_eq!(guard(&run).0["result"], "inside", "{run:?}");

    // The registry is not where a pod could reach it: nothing holds this deploy but that.
    let run = applied(&scene, ELSEWHERE, "");
    let (found, gate) = guard(&run);
    assert_eq!((&found["result"], gate.as_str()), (&json!("outside"), "met"), "{run:?}");
    assert!(shows(&found, "that is pod unidesk-dev/mdtodo-dev-"), "{found}");
    assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");

    let run = applied(&scene, ELSEWHERE, HIDDEN);
    let (found, gate) = guard(&run);
    assert_eq!((&found["result"], gate.as_str()), (&json!("unknown"), "met"), "it was signed: {run:?}");
    let signed = fs::read_dir(scene.stage.folder()).expect("a folder").flatten().map(|entry| entry.path());
    for path in signed.filter(|path| path.display().to_string().contains("queue.plan.outside-")) {
        fs::remove_file(path).expect("a statement");
    }
    bring();
    let run = applied(&scene, ELSEWHERE, HIDDEN);
    let (found, gate) = guard(&run);
    assert_eq!((&found["result"], gate.as_str()), (&json!("unknown"), "pending"), "{run:?}");
    assert_eq!(run.outcome(), (3, "blocked".to_owned()), "{run:?}");
}
