//! What `check` finds beyond what keeps a folder from being loaded, and that one mistake does not hide another.

use super::Folder;
use crate::policy::Problem;
use crate::policy::check::check;

fn told(folder: &Folder) -> String {
    let checked = check(folder.path());
    let line = |Problem { code, place, message, remedy }: &Problem| {
        let place = place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        format!("{code}{place}: {message}\n  help: {remedy}\n")
    };
    checked.problems.iter().map(line).collect()
}

fn rule(id: &str, rest: &str) -> String {
    format!("@id(\"{id}\") @reason(\"Why.\")\n{rest}\n")
}

#[test]
fn the_policies_of_the_project_are_fine() {
    let folder = Folder::new();
    assert_eq!(told(&folder), "");
    let checked = check(folder.path());
    assert_eq!(checked.digest, *folder.load().digest());
    assert!(!checked.idle.contains(&"owner-activates-compose".to_owned()), "{:?}", checked.idle);
    assert!(
        checked.idle.contains(&"owner-patches-deployment".to_owned()),
        "nobody owns one here: {checked:?}"
    );
}

#[test]
fn a_rule_that_is_about_nothing_until_somebody_owns_it() {
    let folder = Folder::new();
    folder.edit(
        "entities.json",
        r#""ComposeService""#,
        r#""Deployment": ["d601-k3s/unidesk/project-manager"], "ComposeService""#,
    );
    assert_eq!(told(&folder), "");
    assert!(!check(folder.path()).idle.contains(&"owner-patches-deployment".to_owned()));
}

#[test]
fn a_condition_that_nothing_meets() {
    let folder = Folder::with(&rule(
        "odd",
        r#"permit (principal, action == Action::"tagImage", resource)
when { resource in principal.service && context.environment == Environment::"dev" && resource in context.environment };"#,
    ));
    insta::assert_snapshot!(told(&folder), @r#"
    policy-unreachable at extra.cedar:1:1: "odd" never applies: no plugin and nothing in entities.json meets its condition
      help: correct what it is about, or remove it
    "#);
}

#[test]
fn a_part_of_the_host_that_asks_for_something_else() {
    let folder = Folder::with(&rule(
        "odd",
        r#"permit (principal == BuiltIn::"doctor", action == Action::"removeImage", resource);"#,
    ));
    insta::assert_snapshot!(told(&folder), @r#"
    policy-unreachable at extra.cedar:1:1: "odd" never applies: no plugin and nothing in entities.json meets its condition
      help: correct what it is about, or remove it
    "#);
}

#[test]
fn what_is_forbidden_on_one_day_is_permitted_on_another() {
    let folder = Folder::with(&rule(
        "monday",
        r#"forbid (principal is Plugin, action, resource) when { context.weekday == Weekday::"monday" };"#,
    ));
    assert_eq!(told(&folder), "");
}

#[test]
fn hours_that_never_come() {
    let folder = Folder::with(&rule(
        "odd",
        r"forbid (principal, action, resource)
when { context.minuteOfDay < 60 && context.minuteOfDay > 120 };",
    ));
    insta::assert_snapshot!(told(&folder), @r#"
    policy-unreachable at extra.cedar:1:1: "odd" never applies: no plugin and nothing in entities.json meets its condition
      help: correct what it is about, or remove it
    "#);
}

#[test]
fn hours_and_days_and_people_that_do_come() {
    for condition in [
        "context.minuteOfDay >= 480 && context.minuteOfDay < 481",
        r#"context.weekday == Weekday::"sunday" && context.operator == "root""#,
        r#"context.operator like "ops-*""#,
        r#"principal.digest == "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef""#,
        "!(resource in principal.service)",
        r#"resource == EnvKey::"main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID""#,
    ] {
        let folder = Folder::with(&rule(
            "fine",
            &format!("forbid (principal, action, resource) when {{ {condition} }};"),
        ));
        let told = told(&folder);
        assert!(!told.contains("\"fine\" never"), "{condition}: {told}");
    }
}

#[test]
fn a_permit_that_another_rule_takes_back_altogether() {
    let folder = Folder::with(&rule(
        "nobody-retags",
        r#"forbid (principal, action in [Action::"tagImage", Action::"stampEnv", Action::"recreateService"], resource);"#,
    ));
    insta::assert_snapshot!(told(&folder), @r#"
    policy-shadowed at compose.cedar:4:1: "owner-activates-compose" never permits anything: all of it is forbidden by nobody-retags
      help: narrow what forbids it, or remove it
    "#);
}

#[test]
fn one_mistake_hides_no_other() {
    let folder = Folder::with("permit (principal, action resource);");
    folder.write(
        "more.cedar",
        &rule("odd", "permit (principal, action, resource) when { principal.digset == \"x\" };"),
    );
    folder.write("notes.txt", "");
    folder.edit("entities.json", r#""team": "unidesk""#, r#""team": "uniedsk""#);
    folder.edit(
        "schema.cedarschema",
        "  environment: Environment,\n  /// Who",
        "  environment: Environment,\n  shift?: String,\n  /// Who",
    );
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    folder.write("tests/case.json", "{");
    insta::assert_snapshot!(told(&folder), @r#"
    policy-stray-file: notes.txt is nothing that the host reads in a policy folder
      help: give rules the ending .cedar and notes the ending .md, or move it elsewhere
    policy-syntax at extra.cedar:1:27: unexpected token `resource`
      help: expected `!=`, `)`, `,`, `:`, `<`, `<=`, `==`, `>`, `>=`, `in`, or `is`
    policy-entities at entities.json:6:15: team "uniedsk" is not in teams
      help: did you mean "unidesk"? If not, add it to teams
    policy-schema: schema.cedarschema: not the schema of this version of the host; it differs at commonTypes.Circumstances.attributes.shift
      help: take the schema that comes with this version; it says what the host asks, rules belong in *.cedar
    policy-invalid at more.cedar:2:45: in "odd": attribute `digset` on entity type `Plugin` not found
      help: did you mean `digest`?
    policy-test at tests/case.json:1:1: EOF while parsing an object
      help: mend the test, or remove it
    "#);
}
