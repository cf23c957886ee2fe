//! What is found out about circumstances, without anybody naming one.

use std::fmt::Write;

use super::{Folder, retag};
use crate::policy::survey::{Ruling, State};

/// What is said to the project manager's wish to move its stable name, where there is one rule more.
fn asked(rule: &str) -> Ruling {
    let request = retag();
    let policy = Folder::with(&format!("@id(\"extra\") @reason(\"Why.\")\n{rule}\n")).load();
    let environment = request.context.environment.as_ref();
    policy.survey(&request.principal, environment, std::slice::from_ref(&request.access)).remove(0)
}

/// A table of what comes of conditions under which it is forbidden.
fn table(conditions: &[&str]) -> String {
    let mut out = String::new();
    for condition in conditions {
        let ruling =
            asked(&format!("forbid (principal is Plugin, action, resource) when {{ {condition} }};"));
        let _ = writeln!(out, "{condition}\n  {:?}", ruling.state);
        for answer in &ruling.answers {
            let what = if answer.allowed { "permitted" } else { "denied" };
            let _ = writeln!(out, "  {what} by {}", answer.policies.join(", "));
            for when in &answer.when {
                let _ = writeln!(out, "    {when}");
            }
        }
        for id in &ruling.untried {
            let _ = writeln!(out, "  untried: {id}");
        }
    }
    out
}

#[test]
fn what_it_depends_on_is_found_out() {
    let told = table(&[
        "context.environment == Environment::\"dev\"",
        "context.weekday == Weekday::\"friday\" && context.minuteOfDay >= 960",
        "context.minuteOfDay < 420 || context.minuteOfDay > 1319",
        "[Weekday::\"saturday\", Weekday::\"sunday\"].contains(context.weekday)",
        "context.minuteOfDay == 720",
        "context.approvers.supervisor.isEmpty()",
        "!context.approvers.operator.contains(\"ann\")",
        "context.operator != \"ann\"",
        "!context.verifiedBefore",
        "context.minuteOfDay >= 960 && context.approvers.supervisor.isEmpty() && context.approvers.operator.isEmpty()",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_cannot_be_found_out_by_trying_is_said() {
    let told = table(&[
        "context.minuteOfDay * 2 > 1919",
        "context.operator like \"a*\" && context.weekday == Weekday::\"monday\"",
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_never_permitted_says_why() {
    let ruling = asked("forbid (principal is Plugin, action == Action::\"tagImage\", resource);");
    assert_eq!(ruling.state, State::Denied);
    assert!(ruling.reason.is_some_and(|reason| reason.contains("forbidden by \"extra\"")));
}
