//! Everything that an operation can ask is a question that the schema knows, and an owner of all of it may do it.

use serde_json::{Value, json};

use super::{Folder, request};
use crate::access::{Access, Action, ResourceType};
use crate::operation::Operation;
use crate::policy::{Decision, Policy, Request};

/// A service that owns one thing of each kind.
fn owner_of_everything() -> Policy {
    let folder = Folder::new();
    let shop = json!({
        "owns": { "prod": {
            "Repository": ["unidesk/shop"],
            "Image": ["here/unidesk/shop", "here/shop"],
            "EnvPrefix": ["here/UNIDESK_SHOP_DEPLOY_"],
            "ComposeService": ["here/shop"],
            "Container": ["here/shop-backend"],
            "Deployment": ["there/unidesk/shop"],
            "KubernetesObject": ["there/secret/unidesk/shop"],
            "SecretSource": ["shop"],
            "HealthTarget": ["shop", "there/unidesk/shop"],
        } }
    });
    folder.edit("entities.json", r#""services": {"#, &format!(r#""services": {{ "shop": {shop},"#));
    folder.load()
}

fn decide(policy: &Policy, operation: &Operation) -> Decision {
    let ask = |access: Access| Request {
        access,
        ..request("shop", Action::Rollback, ResourceType::Image, "here/shop")
    };
    policy.decide_all(&operation.accesses().into_iter().map(ask).collect::<Vec<_>>())
}

fn operations() -> Vec<Value> {
    let commit = "a".repeat(40);
    let artifact = json!({ "service": "shop", "commit": commit, "digest": null });
    let stamp = json!([{ "key": "UNIDESK_SHOP_DEPLOY_COMMIT", "value": commit }]);
    let deployment = json!({ "namespace": "unidesk", "name": "shop", "container": "shop" });
    let proxied = json!({ "through": "service", "runtime": "there", "namespace": "unidesk", "service": "shop",
        "port": "http", "path": "/health" });
    let contained = json!({ "through": "container", "runtime": "here", "container": "shop-backend",
        "port": 8080, "path": "/health", "withStamp": false });
    let health = |target: Value| {
        json!({ "operation": "health.expect", "service": "shop", "target": target, "expectations": [],
            "withinSeconds": 60 })
    };
    vec![
        json!({ "operation": "registry.resolve", "service": "shop", "commit": commit,
            "repository": "unidesk/shop", "requiredLabels": [] }),
        json!({ "operation": "image.deliver", "artifact": artifact, "runtime": "here", "name": "unidesk/shop" }),
        json!({ "operation": "compose.activate", "artifact": artifact, "runtime": "here",
            "delivered": "unidesk/shop", "service": "shop", "container": "shop-backend",
            "stableNames": ["shop"], "stamp": stamp }),
        json!({ "operation": "compose.inspect", "runtime": "here", "container": "shop-backend",
            "labels": [], "env": [] }),
        json!({ "operation": "compose.expect", "artifact": artifact, "runtime": "here",
            "container": "shop-backend", "labels": [], "env": [] }),
        json!({ "operation": "kubernetes.patch", "artifact": artifact, "runtime": "there",
            "deployments": [deployment], "stamp": [] }),
        json!({ "operation": "kubernetes.await-rollout", "runtime": "there", "deployment": deployment,
            "withinSeconds": 60 }),
        json!({ "operation": "kubernetes.inspect", "runtime": "there", "deployment": deployment,
            "env": [], "annotations": [] }),
        json!({ "operation": "kubernetes.sync", "runtime": "there", "kind": "secret", "namespace": "unidesk",
            "name": "shop", "source": "shop", "entries": [["/auth", "auth"]] }),
        health(json!({ "through": "endpoint", "name": "shop" })),
        health(proxied),
        health(contained),
        json!({ "operation": "guard.require-secrets", "source": "shop", "keys": ["KEY"],
            "runtime": "here" }),
    ]
}

#[test]
fn an_owner_of_everything_may_do_everything_and_take_it_back() {
    let policy = owner_of_everything();
    let mut actions = Vec::new();
    for operation in operations() {
        let undone = json!({ "operation": "host.undo", "change": operation });
        let operation: Operation = serde_json::from_value(operation).unwrap();
        actions.extend(operation.accesses().into_iter().map(|access| access.action));
        let decision = decide(&policy, &operation);
        assert!(decision.allowed, "{}", decision.reason.unwrap_or_default());
        if operation.kind(false) == crate::operation::Kind::Change {
            let decision = decide(&policy, &serde_json::from_value(undone).unwrap());
            assert!(decision.allowed, "{}", decision.reason.unwrap_or_default());
        }
    }
    // Nobody owns what the host asks for itself.
    let elsewhere = [
        Action::Rollback,
        Action::Diagnose,
        Action::InspectRegistry,
        Action::InstallRegistry,
        Action::ListArtifacts,
        Action::ReadRuns,
        Action::Identify,
        Action::RemoveImage,
    ];
    let tried = |action: &Action| elsewhere.contains(action) || actions.contains(action);
    assert!(Action::ALL.iter().all(tried), "an action is missing above");
}

#[test]
fn nobody_else_may_do_any_of_it() {
    let policy = owner_of_everything();
    for operation in operations() {
        let operation: Operation = serde_json::from_value(operation).unwrap();
        for access in operation.accesses() {
            let shown = format!("{access:?}");
            let asked = Request { access, ..super::retag() };
            let Decision { allowed, reason, .. } = policy.decide(&asked);
            assert!(!allowed, "{shown}");
            assert!(reason.unwrap().contains("belongs to Service::\"shop\"."), "{shown}");
        }
    }
}

#[test]
fn what_no_operation_asks_is_denied() {
    let asked = request("shop", Action::TagImage, ResourceType::Container, "here/shop-backend");
    let decision = owner_of_everything().decide(&asked);
    assert!(!decision.allowed);
    insta::assert_snapshot!(decision.reason.unwrap(), @r#"
    policy denies Action::"tagImage" on Container::"here/shop-backend"
    to Plugin::"shop" in prod.
    The rules cannot be asked this: resource type `Container` is not valid for `Action::"tagImage"`.
    "#);
}
