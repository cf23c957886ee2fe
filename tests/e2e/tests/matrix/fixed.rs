//! The production matrix that the specification fixes, told by the reports in its own words.

use serde_json::Value;

use crate::{COMMIT, Desk};

/// The table of the specification, word for word.
const TABLE: &str = "\
| `project-manager` | `ci publish-user-service`, UniDesk repo `src/components/microservices/project-manager/Dockerfile` | `127.0.0.1:5000/unidesk/project-manager:<commit>` | `project-manager` / `project-manager-backend` | `docker compose up -d --no-build --no-deps --force-recreate project-manager` | image labels plus `/health.deploy.commit` and `deploy.requestedCommit` |
| `oa-event-flow` | `ci publish-user-service`, UniDesk repo `src/components/microservices/oa-event-flow/Dockerfile` | `127.0.0.1:5000/unidesk/oa-event-flow:<commit>` | `oa-event-flow` / `oa-event-flow-backend` | `docker compose up -d --no-build --no-deps --force-recreate oa-event-flow` | image labels plus `/health.deploy.commit` and `deploy.requestedCommit` |
| `todo-note` | `ci publish-user-service`, external `https://gitee.com/Lyon1998/todo_note` `Dockerfile` | `127.0.0.1:5000/unidesk/todo-note:<commit>` | `todo-note` / `todo-note-backend` | `docker compose up -d --no-build --no-deps --force-recreate todo-note` | image labels plus synthetic health deploy metadata from `/api/health` and `UNIDESK_TODO_NOTE_DEPLOY_*` |
| `baidu-netdisk` | `ci publish-user-service`, UniDesk repo `src/components/microservices/baidu-netdisk/Dockerfile` | `127.0.0.1:5000/unidesk/baidu-netdisk:<commit>` | `baidu-netdisk` / `baidu-netdisk-backend` | `docker compose up -d --no-build --no-deps --force-recreate baidu-netdisk` | image labels, `/health.deploy.commit`, `deploy.requestedCommit`, redacted `runtimeSecrets` source contract, secret presence preflight and auth health gate on live apply |
| `frontend` | `ci publish-user-service`, UniDesk repo `src/components/frontend/Dockerfile` | `127.0.0.1:5000/unidesk/frontend:<commit>` | `frontend` / `unidesk-frontend` | `docker compose up -d --no-build --no-deps --force-recreate frontend` | image labels plus `/health.deploy.commit` and `deploy.requestedCommit` |";

#[test]
fn the_fixed_production_matrix_is_told_word_for_word() {
    let desk = Desk::new();
    let told: Vec<_> = TABLE
        .lines()
        .map(|row| {
            let service = row.split('`').nth(1).expect("a service");
            told(service, &desk.planned(service, "prod"))
        })
        .collect();
    assert_eq!(told, TABLE.lines().collect::<Vec<_>>());
}

fn told(service: &str, report: &Value) -> String {
    let at = |pointer: &str| report.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let dockerfile = at("/source/dockerfile");
    let origin = match at("/source/repository") {
        external if external.contains("://") => format!("external `{external}` `{dockerfile}`"),
        own => format!("{own} repo `{dockerfile}`"),
    };
    let cells = [
        format!("`{}`", at("/service")),
        format!("`{}`, {origin}", at("/source/producer")),
        format!("`{}`", at("/registry/imageRef").replace(COMMIT, "<commit>")),
        format!("`{}` / `{}`", at("/target/composeService"), at("/target/containerName")),
        format!("`{}`", at("/target/recreateCommand")),
        verification(service, report),
    ];
    format!("| {} |", cells.join(" | "))
}

/// The last column, as far as each phrase of it is shown.
fn verification(service: &str, report: &Value) -> String {
    let parts: Vec<_> = report["verification"].as_array().expect("verifications").iter().collect();
    for (what, count) in [("image labels in the registry", 1), ("container", 1)] {
        let labelled = parts.iter().filter(|part| part["what"] == what && expects(part, LABELS, COMMIT));
        assert_eq!(labelled.count(), count, "{service}: {what}");
    }
    let health: Vec<_> = parts.into_iter().filter(|part| part["what"] == "health").collect();
    let (first, more) = health.split_first().expect("a health");
    assert!(expects(first, "/deploy/commit", COMMIT) && expects(first, "/deploy/requestedCommit", COMMIT));
    let target = first["target"].as_str().unwrap_or_default();
    let (_, path) = target.split_once(":8080").expect("a port");
    if let Some((path, stamp)) = path.split_once(" with ") {
        return format!("image labels plus synthetic health deploy metadata from `{path}` and `{stamp}`");
    }
    if more.is_empty() {
        assert_eq!(report["runtimeSecrets"], Value::Null);
        return format!("image labels plus `{path}.deploy.commit` and `deploy.requestedCommit`");
    }
    let secrets = &report["runtimeSecrets"];
    assert!(secrets["secretSource"].is_string() && secrets["requiredSecretsPresent"] == true, "{secrets}");
    for key in secrets["keys"].as_array().expect("keys") {
        let names: Vec<_> = key.as_object().expect("a key").keys().collect();
        assert_eq!(names, ["key", "present", "length"], "what is shown of a secret");
    }
    assert_eq!(report["steps"][0]["operation"], "guard.require-secrets", "before anything else");
    for flag in
        ["configured", "clientIdConfigured", "clientSecretConfigured", "tokenKeyConfigured", "loggedIn"]
    {
        let expected = more.iter().any(|part| expects(part, &format!("/auth/{flag}"), true));
        assert!(expected, "{service}: {flag}");
    }
    format!(
        "image labels, `{path}.deploy.commit`, `deploy.requestedCommit`, redacted `runtimeSecrets` source contract, secret \
         presence preflight and auth health gate on live apply"
    )
}

const LABELS: &str = "/labels/org.opencontainers.image.revision";

fn expects(part: &Value, pointer: &str, value: impl Into<Value>) -> bool {
    let value = value.into();
    let expectations = part["expectations"].as_array().into_iter().flatten();
    expectations.into_iter().any(|one| one["pointer"] == pointer && one["equals"] == value)
}
