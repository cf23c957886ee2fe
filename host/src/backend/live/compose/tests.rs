use std::process::Stdio;

use super::*;
use crate::artifact::Pair;
use crate::backend::live::process;
use crate::config::EnvFileSource;
use crate::names::{Commit, ContainerName, ImageName, PlainValue, RuntimeName, ServiceName};
use crate::operation::ArtifactRef;

fn compose() -> Compose {
    let runtime = ComposeRuntime {
        via: None,
        docker: "unix:///run/docker.sock".to_owned(),
        project: "unidesk".to_owned(),
        directory: "/srv/unidesk".into(),
        files: vec!["/srv/unidesk/docker-compose.yml".into(), "/srv/unidesk/prod.yml".into()],
        env_file: EnvFileSource::Path("/srv/unidesk/.env".into()),
    };
    Compose::new(Machine::Here, &runtime, Path::new("/srv/unidesk/.env"), &Limits::default())
}

fn service() -> ComposeService {
    ComposeService::parse("project-manager").expect("a name")
}

fn call() -> Activate {
    let pair = |key: &str, value: &str| Pair {
        key: EnvKey::parse(key).expect(key),
        value: PlainValue::parse(value).expect(value),
    };
    Activate {
        artifact: ArtifactRef {
            service: ServiceName::parse("project-manager").expect("a name"),
            commit: Commit::parse(&"1".repeat(40)).expect("a commit"),
            digest: None,
        },
        runtime: RuntimeName::parse("main-server").expect("a name"),
        delivered: ImageName::parse("unidesk/project-manager").expect("a name"),
        service: service(),
        container: ContainerName::parse("project-manager-backend").expect("a name"),
        stable_names: ["project-manager", "pm"].map(|name| ImageName::parse(name).expect(name)).into(),
        stamp: vec![
            pair("UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT", "1"),
            pair("UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID", "2"),
        ],
    }
}

/// What is wrong with a service that is resolved to the good one with `changes` in it; `null` removes.
fn wrong(changes: serde_json::Value) -> Option<String> {
    wrong_with("", changes)
}

/// As [`wrong`], resolved with this env file.
fn wrong_with(env_file: &str, changes: serde_json::Value) -> Option<String> {
    let mut good = serde_json::json!({
        "image": "project-manager",
        "container_name": "project-manager-backend",
        "command": null,
        "environment": {
            "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT": "made-up-value-0",
            "UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID": "made-up-value-1",
            "UNSET": null,
            "TOKEN": "hunter2"
        }
    });
    let serde_json::Value::Object(changes) = changes else { panic!("an object") };
    for (key, value) in changes {
        good[key] = value;
    }
    let resolved =
        serde_json::json!({"name": "unidesk", "services": {"project-manager": good, "db": {}}}).to_string();
    let call = call();
    let keys: Vec<_> = call.stamp.iter().map(|pair| &pair.key).collect();
    let secrets = Secrets::of(env_file.as_bytes(), &[], "");
    check::service(resolved.as_bytes(), &call, &check::made_up(&keys), &secrets).err()
}

#[test]
fn the_commands_name_everything_and_touch_one_service() {
    let before = "docker compose -p unidesk --project-directory /srv/unidesk -f /srv/unidesk/docker-compose.yml \
        -f /srv/unidesk/prod.yml --env-file /srv/unidesk/.env";
    let shown = |argv: Vec<OsString>| argv.join(" ".as_ref()).into_string().expect("text");
    assert_eq!(
        shown(compose().recreate_argv(&service())),
        format!("{before} up -d --no-build --no-deps --force-recreate --pull never project-manager")
    );
    assert_eq!(
        shown(compose().remove_argv(&service())),
        format!("{before} rm --stop --force project-manager")
    );
}

#[test]
fn of_the_callers_environment_only_the_ways_to_the_tools_are_passed_on() {
    let allowed = [
        "PATH",
        "HOME",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "COMPOSE_REMOVE_ORPHANS",
        "COMPOSE_ANSI",
        "COMPOSE_PROGRESS",
    ];
    for (key, value) in &compose().environment {
        assert!(allowed.iter().any(|allowed| key == allowed), "{}", key.display());
        assert!(key != "DOCKER_HOST" || value == "unix:///run/docker.sock");
    }
}

#[test]
fn a_fitting_service_passes() {
    assert_eq!(wrong(serde_json::json!({})), None);
    assert_eq!(wrong(serde_json::json!({"image": "project-manager:latest"})), None);
    assert_eq!(
        wrong(serde_json::json!({"image": "pm", "build": {"context": "."}, "pull_policy": "never"})),
        None
    );
    assert_eq!(wrong(serde_json::json!({"pull_policy": "missing"})), None);
    assert_eq!(wrong(serde_json::json!({"scale": 1, "deploy": {"replicas": 1}})), None);
    assert_eq!(wrong(serde_json::json!({"deploy": {"resources": {}}})), None);
}

#[test]
fn each_misfit_names_the_line_to_write() {
    let environment = serde_json::json!({
        "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT": "made-up-value-1",
        "UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID": null,
        "TOKEN": "hunter2"
    });
    for (changes, parts) in [
        (serde_json::json!({"image": null}), vec!["has no image", "`image: project-manager` or `image: pm`"]),
        (
            serde_json::json!({"image": null, "build": {"context": "."}}),
            vec!["can only be built", "`image: project-manager`"],
        ),
        (serde_json::json!({"image": "project-manager:1.0"}), vec!["uses the image \"project-manager:1.0\""]),
        (
            serde_json::json!({"image": "ghcr.io/x/project-manager"}),
            vec!["uses the image \"ghcr.io/x/project-manager\""],
        ),
        (
            serde_json::json!({"pull_policy": "always"}),
            vec!["pull_policy \"always\"", "`pull_policy: never`"],
        ),
        (serde_json::json!({"pull_policy": "build"}), vec!["pull_policy \"build\""]),
        (serde_json::json!({"pull_policy": "every_12h"}), vec!["pull_policy \"every_12h\""]),
        (
            serde_json::json!({"container_name": "other"}),
            vec!["container \"other\"", "`container_name: project-manager-backend`"],
        ),
        (serde_json::json!({"container_name": null}), vec!["has no container_name"]),
        (serde_json::json!({"scale": 0}), vec!["is to have 0 containers", "`scale` and `deploy.replicas`"]),
        (serde_json::json!({"deploy": {"replicas": 2}}), vec!["is to have 2 containers"]),
        (
            serde_json::json!({"environment": environment}),
            vec![
                "`UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT: ${UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT:-}`",
                "`UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID: ${UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID:-}`",
            ],
        ),
        (
            serde_json::json!({"image": "x", "container_name": null}),
            vec!["uses the image", "; it has no container_name"],
        ),
    ] {
        let message = wrong(changes.clone()).unwrap_or_else(|| panic!("{changes} must not pass"));
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_rendering_without_the_service_is_refused() {
    let call = call();
    let refused = |resolved: &str, env_file: &str| {
        let secrets = Secrets::of(env_file.as_bytes(), &[], "");
        check::service(resolved.as_bytes(), &call, &[], &secrets).expect_err("refused")
    };
    assert_eq!(refused("{}", ""), "there is no service project-manager");
    assert!(refused("no json", "").contains("cannot be read"));
    let message = refused("{\"services\": {\"x\": \"hunter2\\\"secret\"}}", "PW=\"hunter2\\\"secret\"");
    assert!(message.contains("[hidden]") && !message.contains("hunter2"), "{message}");
}

#[test]
fn no_misfit_tells_a_value_of_the_env_file() {
    let env_file = "PW=\"hunter2\\\"sec\\\\ret\"\nUSER=app\nTAG='x\\ty1'\n";
    for (key, value) in [
        ("image", "hunter2\"sec\\ret"),
        ("image", "docker.io/hunter2\"sec\\ret:x\\ty1"),
        ("image", "registry/app:hunter2"),
        ("pull_policy", "hunter2\"sec\\ret"),
        ("container_name", "hunter2"),
        ("container_name", "secx\\ty1"),
    ] {
        let message = wrong_with(env_file, serde_json::json!({(key): value})).expect("a misfit");
        assert!(message.contains("[hidden]"), "{message}");
        for secret in ["hunter2", "ty1", "app:"] {
            assert!(!message.contains(secret), "{secret} is in {message}");
        }
    }
    let message = wrong_with(env_file, serde_json::json!({"image": "ghcr.io/x:1"})).expect("a misfit");
    assert!(message.contains("uses the image \"ghcr.io/x:1\""), "{message}");
}

async fn shell(script: &str, within: Duration) -> Result<Finished, Unfinished> {
    let argv = ["sh", "-c", script].map(OsString::from);
    let path = std::env::var_os("PATH").expect("a PATH");
    process::run(&argv, &[("PATH".into(), path)], Stdio::null(), within).await
}

#[tokio::test]
async fn a_command_gets_the_given_environment_and_a_group_of_its_own() {
    let finished = shell("env; ps -o pgid= -p $$", Duration::from_secs(20)).await.expect("ends");
    let said = String::from_utf8(finished.stdout).expect("text");
    let keys: Vec<_> = said.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The shell itself sets the others.
    assert!(keys.iter().all(|key| ["PATH", "PWD", "_", "SHLVL", "OLDPWD"].contains(key)), "{keys:?}");
    let group: i32 = said.lines().last().expect("a group").trim().parse().expect("a number");
    assert_ne!(group, rustix::process::getpgrp().as_raw_nonzero().get());
}

#[tokio::test]
async fn the_end_of_long_errors_is_kept() {
    let script = "i=0; while [ $i -lt 5000 ]; do echo line-$i >&2; i=$((i+1)); done; exit 3";
    let finished = shell(script, Duration::from_secs(20)).await.expect("ends");
    assert!(!finished.success);
    assert_eq!(finished.ending, "ended with 3");
    assert!(finished.stderr.len() <= 16 << 10);
    assert!(finished.stderr.starts_with(b"line-"), "only whole lines");
    assert!(finished.stderr.ends_with(b"line-4999\n"));
}

#[tokio::test]
async fn at_the_deadline_the_whole_group_ends() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let mark = folder.path().join("mark");
    // The grandchild ignores the polite signal and would write later.
    let script = format!("(trap '' TERM; sleep 1; touch {}) & wait", mark.display());
    let unfinished = shell(&script, Duration::from_millis(200)).await.expect_err("late");
    assert!(matches!(unfinished, Unfinished::Late), "{unfinished:?}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_missing_program_is_told_apart() {
    let argv = [OsString::from("no-such-program-here")];
    let unfinished = process::run(&argv, &[], Stdio::null(), Duration::from_secs(5)).await.expect_err("none");
    assert!(matches!(unfinished, Unfinished::Missing), "{unfinished:?}");
}
