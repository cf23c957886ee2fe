//! Rules that could never apply, or that nobody could understand.

use super::Folder;

#[test]
fn a_syntax_error_has_its_place() {
    let folder = Folder::with(
        r"permit (
  principal,
  actoin,
  resource
);",
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-syntax: extra.cedar:3:3: found an invalid variable in the policy scope: actoin
      help: policy scopes must contain a `principal`, `action`, and `resource` element in that order
    "#);
}

#[test]
fn two_files_are_reported_together() {
    let folder = Folder::with(
        "permit (principal, action, resource);\npermit (principal, action, resource) when { 1 + };",
    );
    folder.write("other.cedar", "@id(\"x\") permit (principal, action, resource);");
    folder.edit("entities.json", "prod\": {", "prd\": {");
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-syntax: 3 things are wrong with the policies:
      extra.cedar:2:49: unexpected token `}`
        help: expected `!`, `(`, `-`, `[`, `{`, `false`, identifier, `if`, number, `?principal`, `?resource`, string literal, or `true`
      other.cedar:1:1: this rule has no @reason: a denial could not explain it
        help: write @reason("…") above it
      entities.json:8:9: environment "prd" is not in environments
        help: did you mean "prod"? If not, add it to environments
      help: nothing of the folder was used; mend all of this first
    "#);
}

#[test]
fn no_id() {
    let folder = Folder::with(
        r#"@reason("Why.")
permit (principal, action, resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-annotation: extra.cedar:1:1: this rule has no @id: a denial could not name it
      help: write @id("…") above it
    "#);
}

#[test]
fn no_reason() {
    let folder = Folder::with(
        r#"@id("all")
permit (principal, action, resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-annotation: extra.cedar:1:1: this rule has no @reason: a denial could not explain it
      help: write @reason("…") above it
    "#);
}

#[test]
fn an_id_that_is_none() {
    let folder = Folder::with(
        r#"@id("all of it")
@reason("Why.")
permit (principal, action, resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-annotation: extra.cedar:1:1: the @id "all of it" is no plain word
      help: use letters, digits, `.`, `_` and `-`, starting with a letter or digit
    "#);
}

#[test]
fn a_reason_that_is_an_essay() {
    let reason = "Why. ".repeat(50);
    let folder =
        Folder::with(&format!("@id(\"all\") @reason(\"{reason}\") permit (principal, action, resource);"));
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-annotation: extra.cedar:1:1: the @reason of "all" is no single line of at most 200 characters
      help: say it shorter; details belong in a comment
    "#);
}

#[test]
fn an_id_twice() {
    let folder = Folder::with(
        r#"// The other is in health.cedar.
@id("owner-checks-health")
@reason("Why.")
permit (principal, action == Action::"checkHealth", resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-duplicate: health.cedar:3:1: the id "owner-checks-health" is that of the rule at extra.cedar:2:1 too
      help: give each rule an id of its own
    "#);
}

#[test]
fn a_template() {
    let folder = Folder::with(
        r#"@id("all")
@reason("Why.")
permit (principal == ?principal, action, resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-template: extra.cedar:1:1: a template applies to nothing by itself, and the host fills none in
      help: write a rule; what differs from service to service belongs in entities.json
    "#);
}

#[test]
fn an_unknown_attribute() {
    let folder = Folder::with(
        r#"@id("pinned")
@reason("Why.")
permit (principal, action, resource)
when { principal.digset == "sha256:0" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:4:8: in "pinned": attribute `digset` on entity type `Plugin` not found
      help: did you mean `digest`?
    "#);
}

#[test]
fn a_rule_about_deploys_says_that_it_is_about_plugins() {
    let folder = Folder::with(
        r#"@id("frozen")
@reason("Why.")
forbid (principal, action, resource)
when { context.environment == Environment::"prod" };"#,
    );
    // Which of the host's own questions is told of is Cedar's choice, and another one each time.
    let complaint = ["readRuns", "inspectRegistry", "installRegistry", "listArtifacts", "identify"]
        .into_iter()
        .fold(folder.complaint(), |complaint, action| complaint.replace(action, "diagnose"));
    insta::assert_snapshot!(complaint, @r#"
    policy-invalid: extra.cedar:4:8: in "frozen": attribute `environment` in context for Action::"diagnose" not found
      help: say that it is about plugins: `principal is Plugin`
    "#);
    let rule = r#"@id("frozen") @reason("Why.")
forbid (principal is Plugin, action, resource)
when { context.environment == Environment::"prod" };"#;
    let policy = Folder::with(rule).load();
    assert!(!policy.decide(&super::retag()).allowed);
    assert!(policy.decide(&super::diagnosis()).allowed, "deploys are frozen, not the doctor");
}

#[test]
fn a_far_side_that_the_host_never_asks_for() {
    let folder = Folder::with(
        r#"@id("no-engine")
@reason("Why.")
forbid (principal, action, resource == FarSide::"docker/main-server");"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unknown-entity: extra.cedar:3:40: "no-engine" names FarSide::"docker/main-server", which the host never asks for
      help: its form is registry, engine/<runtime>, compose/<runtime>, env-file/<runtime>, cluster/<runtime>, runs/<runtime> or health/<name in host.toml>
    "#);
}

#[test]
fn a_wrong_type() {
    let folder = Folder::with(
        r#"@id("early")
@reason("Why.")
forbid (principal, action, resource)
when { context.minuteOfDay < "08:00" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:4:30: in "early": unexpected type: expected Long but saw String
      help: schema.cedarschema says what there is
    "#);
}

#[test]
fn an_unknown_action() {
    let folder = Folder::with(
        r#"@id("odd")
@reason("Why.")
permit (principal, action == Action::"recreateServices", resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:3:30: in "odd": unrecognized action `Action::"recreateServices"`
      help: did you mean `Action::"recreateService"`?
    "#);
}

#[test]
fn an_action_that_never_meets_the_resource() {
    let folder = Folder::with(
        r#"@id("odd")
@reason("Why.")
permit (principal, action == Action::"stampEnv", resource is Image);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:1:1: in "odd": unable to find an applicable action given the policy scope constraints
      help: correct what it is about, or remove it
    "#);
}

#[test]
fn a_condition_that_never_holds() {
    let folder = Folder::with(
        r#"@id("odd")
@reason("Why.")
permit (principal, action == Action::"tagImage", resource)
when { resource is Container };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:1:1: in "odd": policy is impossible: the policy expression evaluates to false for all valid requests
      help: correct what it is about, or remove it
    "#);
}

#[test]
fn a_misspelt_day() {
    let folder = Folder::with(
        r#"@id("rest")
@reason("Why.")
forbid (principal, action, resource)
when { context.weekday == Weekday::"firday" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:4:27: in "rest": entity `Weekday::"firday"` is of an enumerated entity type, but `"firday"` is not declared as a valid eid
      help: valid entity eids: "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
    "#);
}

#[test]
fn a_name_that_only_looks_like_another() {
    let folder = Folder::with(
        r#"@id("rest")
@reason("Why.")
forbid (principal, action, resource)
when { context.operator == "оperator" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:4:28: in "rest": string `"оperator"` contains mixed scripts
      help: write it in one script, without invisible characters
    "#);
}

#[test]
fn a_rule_that_looks_beyond_the_question() {
    let folder = Folder::with(
        r#"@id("far")
@reason("Why.")
forbid (principal, action, resource)
when { Plugin::"project-manager".digest == "sha256:0" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-invalid: extra.cedar:4:8: in "far": entity literals cannot be dereferenced at any level
      help: compare entities by name; only the plugin that asks has attributes here
    "#);
}

#[test]
fn a_plugin_that_nobody_listed() {
    let folder = Folder::with(
        r#"@id("one")
@reason("Why.")
forbid (principal == Plugin::"projct-manager", action, resource);"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unknown-entity: extra.cedar:3:22: "one" names Plugin::"projct-manager", which is not in entities.json
      help: did you mean Plugin::"project-manager"?
    "#);
}

#[test]
fn a_team_and_an_environment_that_nobody_listed() {
    let folder = Folder::with(
        r#"@id("one")
@reason("Why.")
forbid (principal in Team::"unidecks", action, resource)
when { context.environment == Environment::"staging" };"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unknown-entity: 2 things are wrong with the policies:
      extra.cedar:4:31: "one" names Environment::"staging", which is not in entities.json
        help: add it to entities.json
      extra.cedar:3:22: "one" names Team::"unidecks", which is not in entities.json
        help: did you mean Team::"unidesk"?
      help: nothing of the folder was used; mend all of this first
    "#);
}

#[test]
fn a_resource_that_nobody_owns() {
    let folder = Folder::with(
        r#"@id("one")
@reason("Why.")
forbid (principal, action, resource == Container::"main-server/project-manager");"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unknown-entity: extra.cedar:3:40: "one" names Container::"main-server/project-manager", which is not in entities.json
      help: did you mean Container::"main-server/project-manager-backend"?
    "#);
}

#[test]
fn a_key_of_a_group_that_nobody_owns() {
    let folder = Folder::with(
        r#"@id("one")
@reason("Why.")
forbid (principal, action, resource == EnvKey::"main-server/COMPOSE_FILE");"#,
    );
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unknown-entity: extra.cedar:3:40: "one" names EnvKey::"main-server/COMPOSE_FILE", which is not in entities.json
      help: add the EnvPrefix that it begins with to entities.json
    "#);
}
