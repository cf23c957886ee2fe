//! What is answered, and what a denial says.

use std::fs;

use super::{Folder, request, retag, service};
use crate::access::{Action, ResourceType};
use crate::names::{Digest, Environment};
use crate::policy::{BuiltIn, Decision, Policy, Principal, Request, Weekday};

fn reason(policy: &Policy, request: &Request) -> String {
    let Decision { allowed, reason, .. } = policy.decide(request);
    assert!(!allowed);
    reason.unwrap()
}

/// The accesses of an activation of the project manager.
fn activation() -> Vec<Request> {
    let mut stamp = request(
        "project-manager",
        Action::StampEnv,
        ResourceType::EnvKey,
        "main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT",
    );
    stamp.access.resource.group = Some("main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_".to_owned());
    let recreate = |kind, id| request("project-manager", Action::RecreateService, kind, id);
    vec![
        retag(),
        stamp,
        recreate(ResourceType::ComposeService, "main-server/project-manager"),
        recreate(ResourceType::Container, "main-server/project-manager-backend"),
    ]
}

fn without_activation() -> Folder {
    let folder = Folder::new();
    let rules = fs::read_to_string(folder.path().join("compose.cedar")).unwrap();
    let start = rules.find("@id(\"owner-activates-compose\")").unwrap();
    let end = rules.find("@id(\"owner-inspects-container\")").unwrap();
    folder.write("compose.cedar", &format!("{}{}", &rules[..start], &rules[end..]));
    folder
}

#[test]
fn an_owner_may() {
    let decision = Folder::new().load().decide(&retag());
    let policies = vec!["owner-activates-compose".to_owned()];
    assert_eq!(decision, Decision::permitted(policies));
}

#[test]
fn without_the_permit_for_the_activation_a_denial_proposes_one_that_works() {
    let folder = without_activation();
    let decision = folder.load().decide_all(&activation());
    assert!(!decision.allowed);
    let message = decision.reason.unwrap();
    insta::assert_snapshot!(message, @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    and Action::"stampEnv" on EnvKey::"main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT"
    and Action::"recreateService" on ComposeService::"main-server/project-manager"
    and Action::"recreateService" on Container::"main-server/project-manager-backend"
    to Plugin::"project-manager" in prod.
    No policy permits this to anyone. A rule that does, to the owner:
      @id("owner-tagImage-stampEnv-recreateService")
      @reason("A plugin may tagImage, stampEnv, recreateService what its own service owns.")
      permit (
        principal is Plugin,
        action in [Action::"tagImage", Action::"stampEnv", Action::"recreateService"],
        resource
      )
      when { resource in principal.service && resource in context.environment };
    "#);
    let rule: Vec<_> = message.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    folder.write("proposed.cedar", &rule.join("\n"));
    assert!(folder.load().decide_all(&activation()).allowed);
}

#[test]
fn without_the_permit_for_the_activation_only_that_is_denied() {
    let policy = without_activation().load();
    for (action, kind, id) in [
        (Action::ResolveArtifact, ResourceType::Repository, "unidesk/project-manager"),
        (Action::DeliverImage, ResourceType::Image, "main-server/unidesk/project-manager"),
        (Action::InspectContainer, ResourceType::Container, "main-server/project-manager-backend"),
        (Action::CheckHealth, ResourceType::Container, "main-server/project-manager-backend"),
        (Action::Rollback, ResourceType::Image, "main-server/project-manager"),
    ] {
        assert!(policy.decide(&request("project-manager", action, kind, id)).allowed, "{action:?}");
    }
}

#[test]
fn what_nobody_owns() {
    let mut asked = retag();
    asked.access.resource.id = "main-server/todo-note".to_owned();
    insta::assert_snapshot!(reason(&Folder::new().load(), &asked), @r#"
    policy denies Action::"tagImage" on Image::"main-server/todo-note"
    to Plugin::"project-manager" in prod.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in principal.service
      does not hold: resource in context.environment
    Nobody owns Image::"main-server/todo-note".
    If this service does, add it to
      services.project-manager.owns.prod.Image in entities.json
    "#);
}

#[test]
fn what_another_service_owns() {
    let folder = Folder::new();
    let todo =
        r#""services": { "todo-note": { "owns": { "prod": { "Image": ["main-server/todo-note"] } } },"#;
    folder.edit("entities.json", r#""services": {"#, todo);
    let mut asked = retag();
    asked.access.resource.id = "main-server/todo-note".to_owned();
    insta::assert_snapshot!(reason(&folder.load(), &asked), @r#"
    policy denies Action::"tagImage" on Image::"main-server/todo-note"
    to Plugin::"project-manager" in prod.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in principal.service
    Image::"main-server/todo-note" belongs to Service::"todo-note".
    "#);
}

#[test]
fn what_is_owned_in_another_environment() {
    let mut asked = retag();
    asked.context.environment = Environment::parse("dev").ok();
    insta::assert_snapshot!(reason(&Folder::new().load(), &asked), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"project-manager" in dev.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in context.environment
    Image::"main-server/project-manager" is the service's in prod only.
    If it is here too, add it to
      services.project-manager.owns.dev.Image in entities.json
    "#);
}

#[test]
fn a_key_outside_the_prefix_has_no_owner_whatever_group_is_claimed() {
    let mut asked = activation().remove(1);
    asked.access.resource.id = "main-server/COMPOSE_FILE".to_owned();
    insta::assert_snapshot!(reason(&Folder::new().load(), &asked), @r#"
    policy denies Action::"stampEnv" on EnvKey::"main-server/COMPOSE_FILE"
    to Plugin::"project-manager" in prod.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in principal.service
      does not hold: resource in context.environment
    Nobody can own it: it is outside
      EnvPrefix::"main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_"
    "#);
}

#[test]
fn a_plugin_without_a_block() {
    let mut asked = retag();
    asked.principal = Principal::Plugin { plugin: service("todo-note"), digest: Digest::of(b"component") };
    insta::assert_snapshot!(reason(&Folder::new().load(), &asked), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"todo-note" in prod.
    entities.json has no block for this plugin, only for project-manager.
    What it owns goes there, under services.
    "#);
}

#[test]
fn a_forbid_is_named_and_wins() {
    let rule = r#"
@id("prod-rests-on-monday")
@reason("The week begins with looking, not with deploying.")
forbid (principal, action == Action::"tagImage", resource)
when { context.environment == Environment::"prod" && context.weekday == Weekday::"monday" };
"#;
    let policy = Folder::with(rule).load();
    let decision = policy.decide(&retag());
    assert_eq!(decision.policies, ["prod-rests-on-monday"]);
    insta::assert_snapshot!(decision.reason.unwrap(), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"project-manager" in prod.
    It is forbidden by "prod-rests-on-monday" (extra.cedar:2:1):
      The week begins with looking, not with deploying.
    "#);
    let mut later = retag();
    later.context.weekday = Weekday::Tuesday;
    assert!(policy.decide(&later).allowed);
}

#[test]
fn the_nearest_of_several_permits_says_what_is_missing() {
    let folder = without_activation();
    folder.write(
        "extra.cedar",
        r#"
@id("nightly")
@reason("At night the platform team retags.")
permit (principal in Team::"unidesk", action == Action::"tagImage", resource)
when { resource in principal.service }
unless { context.minuteOfDay > 300 };

@id("by-hand")
@reason("Somebody stands by.")
permit (principal, action in [Action::"tagImage", Action::"stampEnv"], resource is Image)
when { context.operator == "standby" && context.minuteOfDay < 300 };
"#,
    );
    insta::assert_snapshot!(reason(&folder.load(), &retag()), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"project-manager" in prod.
    The nearest permit is "nightly" (extra.cedar:2:1):
      At night the platform team retags.
      does not hold: !(context.minuteOfDay > 300)
    Nor does "by-hand" permit it.
    "#);
}

#[test]
fn a_rule_that_fails_denies_although_another_permits() {
    let rule = r#"
@id("overflows")
@reason("Never mind.")
forbid (principal, action, resource)
when { context.minuteOfDay * 9223372036854775807 < 0 };
"#;
    let decision = Folder::with(rule).load().decide(&retag());
    assert_eq!(decision.policies, ["overflows"]);
    insta::assert_snapshot!(decision.reason.unwrap(), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"project-manager" in prod.
    What a rule says is unknown: "overflows" (extra.cedar:2:1):
      Never mind.
      integer overflow while attempting to multiply the values `600` and `9223372036854775807`
    Nothing is permitted where a rule fails; mend it.
    "#);
}

#[test]
fn a_rule_may_pin_the_component() {
    let (old, new) = (Digest::of(b"component"), Digest::of(b"reviewed"));
    let rule = format!(
        "@id(\"pinned\") @reason(\"Only what was reviewed.\") \
         forbid (principal == Plugin::\"project-manager\", action, resource) \
         unless {{ principal.digest == \"{new}\" }};"
    );
    let policy = Folder::with(&rule).load();
    let mut asked = retag();
    let component = |digest| Principal::Plugin { plugin: service("project-manager"), digest };
    assert_eq!(asked.principal, component(old));
    assert!(!policy.decide(&asked).allowed);
    asked.principal = component(new);
    assert!(policy.decide(&asked).allowed);
}

#[test]
fn several_denials_with_different_reasons_are_all_told() {
    let mut asked = activation();
    asked[2].access.resource.id = "main-server/todo-note".to_owned();
    asked[3].access.resource.id = "main-server/todo-note-backend".to_owned();
    let decision = Folder::new().load().decide_all(&asked);
    insta::assert_snapshot!(decision.reason.unwrap(), @r#"
    policy denies Action::"recreateService" on ComposeService::"main-server/todo-note"
    to Plugin::"project-manager" in prod.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in principal.service
      does not hold: resource in context.environment
    Nobody owns ComposeService::"main-server/todo-note".
    If this service does, add it to
      services.project-manager.owns.prod.ComposeService in entities.json
    policy denies Action::"recreateService" on Container::"main-server/todo-note-backend"
    to Plugin::"project-manager" in prod.
    The nearest permit is "owner-activates-compose" (compose.cedar:4:1):
      A plugin puts a delivered image into service for its own Compose service.
      does not hold: resource in principal.service
      does not hold: resource in context.environment
    Nobody owns Container::"main-server/todo-note-backend".
    If this service does, add it to
      services.project-manager.owns.prod.Container in entities.json
    "#);
}

#[test]
fn where_nothing_is_asked_nothing_is_denied() {
    let decision = Folder::new().load().decide_all(&[]);
    assert_eq!(decision, Decision::permitted(Vec::new()));
}

#[test]
fn the_host_asks_for_itself() {
    let asked = super::diagnosis();
    let decision = Folder::new().load().decide(&asked);
    assert!(decision.allowed, "{decision:?}");
    assert_eq!(decision.policies, ["doctor-diagnoses"]);

    let bare = Folder::new();
    fs::remove_file(bare.path().join("doctor.cedar")).unwrap();
    insta::assert_snapshot!(reason(&bare.load(), &asked), @r#"
    policy denies Action::"diagnose" on FarSide::"registry"
    to BuiltIn::"doctor".
    No policy permits this to anyone. A rule that does:
      @id("doctor-diagnose")
      @reason("host doctor may diagnose what deploys go through.")
      permit (
        principal == BuiltIn::"doctor",
        action == Action::"diagnose",
        resource is FarSide
      );
    "#);

    let forbidden = Folder::with(
        "@id(\"not-now\") @reason(\"Somebody measures the registry.\") \
         forbid (principal, action == Action::\"diagnose\", resource == FarSide::\"registry\");",
    );
    insta::assert_snapshot!(reason(&forbidden.load(), &asked), @r#"
    policy denies Action::"diagnose" on FarSide::"registry"
    to BuiltIn::"doctor".
    It is forbidden by "not-now" (extra.cedar:1:1):
      Somebody measures the registry.
    "#);
}

#[test]
fn what_removes_old_images_is_told_the_rule_that_lets_it() {
    let asked = Request {
        principal: Principal::BuiltIn { built_in: BuiltIn::Retention },
        ..request("project-manager", Action::RemoveImage, ResourceType::Image, "main-server/project-manager")
    };
    let bare = Folder::new();
    fs::remove_file(bare.path().join("retention.cedar")).unwrap();
    let told = reason(&bare.load(), &asked);
    insta::assert_snapshot!(told, @r#"
    policy denies Action::"removeImage" on Image::"main-server/project-manager"
    to BuiltIn::"retention" in prod.
    No policy permits this to anyone. A rule that does:
      @id("retention-removeImage")
      @reason("After a deploy the host may removeImage of earlier deploys.")
      permit (
        principal == BuiltIn::"retention",
        action == Action::"removeImage",
        resource is Image
      ) when { resource in context.environment };
    "#);
    let proposed: Vec<_> = told.lines().skip(3).collect();
    fs::write(bare.path().join("retention.cedar"), proposed.join("\n")).unwrap();
    assert!(bare.load().decide(&asked).allowed, "as it says");
}

#[test]
fn where_the_policies_cannot_be_used_nothing_is_permitted() {
    let policy = Policy::unusable().unwrap();
    insta::assert_snapshot!(reason(&policy, &super::diagnosis()), @r#"
    policy denies Action::"diagnose" on FarSide::"registry"
    to BuiltIn::"doctor".
    The policies cannot be used, so nothing is permitted.
    "#);
    insta::assert_snapshot!(reason(&policy, &retag()), @r#"
    policy denies Action::"tagImage" on Image::"main-server/project-manager"
    to Plugin::"project-manager" in prod.
    The policies cannot be used, so nothing is permitted.
    "#);
}

#[test]
fn a_question_is_kept_in_the_same_form_as_before() {
    let kept = serde_json::to_value([retag(), super::diagnosis()]).unwrap();
    let principals: Vec<_> = kept.as_array().unwrap().iter().map(|asked| &asked["principal"]).collect();
    let digest = Digest::of(b"component");
    assert_eq!(
        serde_json::json!(principals),
        serde_json::json!([{ "plugin": "project-manager", "digest": digest }, { "builtIn": "doctor" }])
    );
    assert_eq!(kept[0]["context"]["environment"], "prod");
    assert!(kept[1]["context"].get("environment").is_none());
    let back: Vec<Request> = serde_json::from_value(kept).unwrap();
    assert_eq!(back, [retag(), super::diagnosis()]);
}
