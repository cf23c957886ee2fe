//! Policy tests that fail say what was expected and what came.

use std::fs;

use super::Folder;
use crate::policy::check::check;
use crate::policy::testing;

/// The project's policies with one test, whose case ends with `rest`.
fn with_case(rest: &str) -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("tests")).unwrap();
    let case = format!(
        r#"{{ "plugin": "project-manager",
  "context": {{ "environment": "prod", "operator": "operator", "weekday": "monday", "minuteOfDay": 600 }},
  "cases": [{{ "name": "retag", "action": "tagImage",
    "resource": {{ "type": "Image", "id": "main-server/project-manager" }}, {rest} }}] }}"#
    );
    folder.write("tests/case.json", &case);
    folder
}

fn failure(rest: &str) -> String {
    let outcomes = testing::run(with_case(rest).path()).unwrap();
    let [outcome] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!((outcome.file.as_str(), outcome.name.as_str()), ("tests/case.json", "retag"));
    outcome.failure.clone().unwrap_or_else(|| "passed".to_owned())
}

fn fault(folder: &Folder) -> String {
    let fault = testing::run(folder.path()).expect_err("the tests are broken");
    format!("{}: {fault}", fault.code).replace(folder.path().to_str().unwrap(), "<policies>")
}

#[test]
fn a_case_passes() {
    let rest = r#""expect": "permit", "policies": ["owner-activates-compose"]"#;
    assert_eq!(failure(rest), "passed");
}

#[test]
fn a_case_may_differ_from_its_file() {
    let rest = r#""context": { "environment": "dev" }, "expect": "deny", "policies": [], "reason": "in dev""#;
    assert_eq!(failure(rest), "passed");
    assert_eq!(failure(r#""plugin": "todo-note", "expect": "deny", "policies": []"#), "passed");
}

#[test]
fn a_case_names_who_approved_and_else_nobody_did() {
    let folder = |rest: &str| {
        let folder = with_case(rest);
        let rule = r#"@id("four-eyes") @reason("Two look at it.")
            forbid (principal is Plugin, action, resource)
            when { context.approvers.supervisor.isEmpty() && context.approvers.operator.isEmpty() };"#;
        folder.write("extra.cedar", rule);
        assert_eq!(check(folder.path()).problems, [], "the rule shadows no other");
        testing::run(folder.path()).unwrap().remove(0).failure
    };
    let denied = r#""expect": "deny", "policies": ["four-eyes"]"#;
    let permitted = r#""expect": "permit", "policies": ["owner-activates-compose"]"#;
    assert_eq!(folder(denied), None);
    for role in ["supervisor", "operator"] {
        let approved = format!(r#""context": {{ "approvers": {{ "{role}": ["ann"] }} }}, {permitted}"#);
        assert_eq!(folder(&approved), None);
    }
    let unknown = with_case(&format!(r#""context": {{ "approvers": {{ "boss": ["ann"] }} }}, {permitted}"#));
    assert!(fault(&unknown).contains("unknown field `boss`, expected `supervisor` or `operator`"));
}

#[test]
fn the_right_answer_from_the_wrong_rule_fails() {
    insta::assert_snapshot!(failure(r#""expect": "permit", "policies": ["owner-rolls-back"]"#), @"expected permit by owner-rolls-back, got permit by owner-activates-compose");
}

#[test]
fn a_denial_that_was_not_expected_shows_its_reason() {
    let rest = r#""context": { "environment": "dev" },
        "expect": "permit", "policies": ["owner-activates-compose"]"#;
    insta::assert_snapshot!(failure(rest), @r#"
    expected permit by owner-activates-compose, got deny by no policy
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
fn a_reason_that_is_not_given_fails() {
    let rest = r#""plugin": "todo-note", "expect": "deny", "policies": [], "reason": "weekend""#;
    insta::assert_snapshot!(failure(rest), @r#"
    the reason does not say "weekend"
        policy denies Action::"tagImage" on Image::"main-server/project-manager"
        to Plugin::"todo-note" in prod.
        entities.json has no block for this plugin, only for project-manager.
        What it owns goes there, under services.
    "#);
}

#[test]
fn an_unknown_field_is_an_error() {
    let folder = with_case(r#""expect": "permit", "polices": []"#);
    insta::assert_snapshot!(fault(&folder), @r#"
    policy-test: tests/case.json:4:103: unknown field `polices`, expected one of `name`, `plugin`, `digest`, `context`, `action`, `resource`, `expect`, `policies`, `reason`
      help: mend the test, or remove it
    "#);
}

#[test]
fn two_cases_of_one_name_are_an_error() {
    let folder = with_case(r#""expect": "permit", "policies": []"#);
    let text = fs::read_to_string(folder.path().join("tests/case.json")).unwrap();
    let start = text.find(r#"{ "name""#).unwrap();
    let case = text[start..].strip_suffix("] }").unwrap();
    folder.write("tests/case.json", &text.replace(case, &format!("{case}, {case}")));
    insta::assert_snapshot!(fault(&folder), @r#"
    policy-test: tests/case.json:4:123: two cases are called "retag"
      help: give each a name of its own
    "#);
}

#[test]
fn no_tests_are_no_success() {
    let folder = Folder::new();
    insta::assert_snapshot!(fault(&folder), @r#"
    policy-tests-missing: <policies> has no policy tests
      help: write what must be permitted and denied into tests/*.json beside the rules
    "#);
    fs::create_dir(folder.path().join("tests")).unwrap();
    insta::assert_snapshot!(fault(&folder), @r#"
    policy-tests-missing: <policies> has no policy tests
      help: write what must be permitted and denied into tests/*.json beside the rules
    "#);
}
