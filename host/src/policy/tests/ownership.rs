//! Entities that say what cannot be.

use super::{Folder, service};
use crate::policy::shape::Owned;

#[test]
fn broken_json() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""teams": ["unidesk"],"#, r#""teams": ["unidesk","#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:4:13: expected `,` or `]`
      help: the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}
    "#);
}

#[test]
fn an_unknown_key() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""teams": ["#, r#""taems": ["#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:3:9: unknown field `taems`, expected one of `environments`, `teams`, `namespaces`, `services`
      help: the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}
    "#);
}

#[test]
fn a_namespace_of_no_team_and_no_cluster() {
    let folder = Folder::new();
    let namespaces =
        r#""teams": ["unidesk"], "namespaces": { "unidesk": "unidesk", "d601-k3s/web": "wbe" },"#;
    folder.edit("entities.json", r#""teams": ["unidesk"],"#, namespaces);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: 2 things are wrong with the policies:
      entities.json:6:15: "unidesk" is no namespace of a cluster
        help: its form is <runtime>/<namespace>
      entities.json:3:79: team "wbe" is not in teams
        help: add it to teams
      help: nothing of the folder was used; mend all of this first
    "#);
}

#[test]
fn an_unknown_kind() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""Container":"#, r#""Contaner":"#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:13:20: unknown variant `Contaner`, expected one of `Repository`, `Image`, `EnvPrefix`, `ComposeService`, `Container`, `Deployment`, `KubernetesObject`, `SecretSource`, `HealthTarget`
      help: the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}
    "#);
}

#[test]
fn no_service_name() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""project-manager": {"#, r#""Project Manager": {"#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:5:21: "Project Manager" is no service name: lower-case letters, digits and single dashes, at most 63 characters
      help: the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}
    "#);
}

#[test]
fn a_key_twice() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        r#""Container": ["main-server/project-manager-backend"]"#,
        r#""Container": ["main-server/project-manager-backend"],
              "Container": ["main-server/project-manager-backend"]"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:14:25: this key is here for the second time
      help: the form is {environments: [..], teams: [..], namespaces: {<runtime>/<namespace>: <team>}, services: {<service>: {team, owns: {<environment>: {<type>: [<id>, ..]}}}}}
    "#);
}

#[test]
fn an_environment_that_is_not_declared() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""prod": {"#, r#""prd": {"#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:8:9: environment "prd" is not in environments
      help: did you mean "prod"? If not, add it to environments
    "#);
}

#[test]
fn a_team_that_is_not_declared() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""team": "unidesk""#, r#""team": "uniedsk""#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:6:15: team "uniedsk" is not in teams
      help: did you mean "unidesk"? If not, add it to teams
    "#);
}

#[test]
fn a_team_declared_twice() {
    let folder = Folder::new();
    folder.edit("entities.json", r#""teams": ["unidesk"]"#, r#""teams": ["unidesk", "unidesk"]"#);
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:6:15: "unidesk" is listed twice
      help: remove one of them
    "#);
}

#[test]
fn something_listed_twice() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        r#"["unidesk/project-manager"]"#,
        r#"["unidesk/project-manager", "unidesk/project-manager"]"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:9:53: Repository::"unidesk/project-manager" is listed twice for prod
      help: remove one of them
    "#);
}

#[test]
fn something_owned_twice() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        r#""services": {"#,
        r#""services": {
        "todo-note": { "owns": { "prod": { "Container": ["main-server/project-manager-backend"] } } },"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:14:25: Container::"main-server/project-manager-backend" belongs to todo-note already
      help: one thing has one owner; remove one of them
    "#);
}

#[test]
fn a_service_that_owns_nothing() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        r#""services": {"#,
        r#""services": {
        "todo-note": { "owns": { "prod": { "Image": [] } } },"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:5:9: todo-note owns nothing, so its plugin may do nothing
      help: list what it owns, or remove the block
    "#);
}

#[test]
fn another_services_prefix() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        "main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_",
        "main-server/UNIDESK_TODO_NOTE_DEPLOY_",
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-entities: entities.json:11:25: the host never asks for EnvPrefix::"main-server/UNIDESK_TODO_NOTE_DEPLOY_" of project-manager
      help: its form is <runtime>/UNIDESK_PROJECT_MANAGER_DEPLOY_
    "#);
}

#[test]
fn the_form_of_every_kind_is_known() {
    let owner = service("project-manager");
    let fits = [
        (Owned::Repository, "unidesk/project-manager"),
        (Owned::Image, "main-server/unidesk/project-manager"),
        (Owned::EnvPrefix, "d601/UNIDESK_PROJECT_MANAGER_DEPLOY_"),
        (Owned::ComposeService, "main-server/project-manager"),
        (Owned::Container, "main-server/project-manager-backend"),
        (Owned::Deployment, "d601-k3s/unidesk-dev/frontend-dev"),
        (Owned::KubernetesObject, "d601-k3s/config-map/unidesk-dev/auth"),
        (Owned::SecretSource, "baidu-netdisk"),
        (Owned::HealthTarget, "some-endpoint"),
        (Owned::HealthTarget, "d601-k3s/unidesk/frontend"),
    ];
    for (kind, id) in fits {
        assert_eq!(kind.check(id, &owner), Ok(()), "{kind:?} {id}");
    }
    let misfits = [
        (Owned::Repository, "127.0.0.1:5000/unidesk/project-manager"),
        (Owned::Repository, "unidesk/project-manager:latest"),
        (Owned::Image, "project-manager"),
        (Owned::EnvPrefix, "UNIDESK_PROJECT_MANAGER_DEPLOY_"),
        (Owned::EnvPrefix, "main-server/UNIDESK_PROJECT_MANAGER_DEPLOY"),
        (Owned::EnvPrefix, "main-server/"),
        (Owned::ComposeService, "main-server/unidesk/project-manager"),
        (Owned::Container, "Main Server/project-manager"),
        (Owned::Deployment, "d601-k3s/frontend"),
        (Owned::KubernetesObject, "d601-k3s/pod/unidesk/frontend"),
        (Owned::SecretSource, "baidu-netdisk/KEY"),
        (Owned::HealthTarget, "d601-k3s/frontend"),
    ];
    for (kind, id) in misfits {
        assert!(kind.check(id, &owner).is_err(), "{kind:?} {id}");
    }
}
