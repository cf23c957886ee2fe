//! The message of denials: what was denied, why, and what would permit it, in lines of at most 80 columns where ids
//! allow. What was denied for one reason stands together.

use super::super::{BuiltIn, Principal, Request};
use super::Denial;
use crate::access::Access;

/// What the rules of the project ask of an owner; a proposed rule asks the same.
const OWNED: &str = "resource in principal.service && resource in context.environment";

/// One message for all of `denials`.
pub(in super::super) fn told(denials: &[Denial]) -> String {
    let mut groups: Vec<Vec<&Denial>> = Vec::new();
    for denial in denials {
        match groups.iter_mut().find(|group| group.iter().all(|other| alike(other, denial))) {
            Some(group) => group.push(denial),
            None => groups.push(vec![denial]),
        }
    }
    groups.iter().flat_map(|group| message(group)).collect::<Vec<_>>().join("\n")
}

fn alike(one: &Denial, other: &Denial) -> bool {
    one.request.principal == other.request.principal
        && one.request.context == other.request.context
        && one.uncovered == other.uncovered
        && one.lines == other.lines
}

fn message(group: &[&Denial]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, denial) in group.iter().enumerate() {
        let Access { action, resource } = &denial.request.access;
        let before = if index == 0 { "policy denies" } else { "and" };
        lines.push(format!("{before} Action::\"{}\" on {resource}", action.as_str()));
    }
    if let Some(first) = group.first() {
        let Request { principal, context, .. } = first.request;
        let place = context.environment.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        lines.push(format!("to {principal}{place}."));
        if first.uncovered {
            lines.extend(proposal(group));
        }
        lines.extend(first.lines.iter().cloned());
    }
    lines
}

/// The least that would do, in the form of the rules of the project.
fn proposal(group: &[&Denial]) -> Vec<String> {
    let mut actions: Vec<_> = group.iter().map(|denial| denial.request.access.action).collect();
    actions.sort_unstable();
    actions.dedup();
    let mut kinds: Vec<_> = group.iter().map(|denial| denial.request.access.resource.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let names: Vec<_> = actions.iter().map(|action| format!("Action::\"{}\"", action.as_str())).collect();
    let principal = group.first().map(|denial| &denial.request.principal);
    let words: Vec<_> = actions.iter().map(|action| action.as_str()).collect();
    let (action, resource) = (
        if let [name] = names.as_slice() {
            format!("== {name}")
        } else {
            format!("in [{}]", names.join(", "))
        },
        if let [kind] = kinds.as_slice() { format!("resource is {kind}") } else { "resource".to_owned() },
    );
    if let Some(asking @ Principal::BuiltIn { built_in }) = principal {
        let (who, what) = (built_in.as_str(), words.join(", "));
        let (reason, condition) = match built_in {
            BuiltIn::Doctor => (format!("host doctor may {what} what deploys go through."), ""),
            BuiltIn::Registry => (format!("host registry may {what}."), ""),
            BuiltIn::Runs => ("host runs may read which deploys a runtime tells of.".to_owned(), ""),
            BuiltIn::Plans => ("a plan in a file is for the machines that it was made for.".to_owned(), ""),
            BuiltIn::Retention => (
                format!("After a deploy the host may {what} of earlier deploys."),
                " when { resource in context.environment }",
            ),
        };
        return vec![
            "No policy permits this to anyone. A rule that does:".to_owned(),
            format!("  @id(\"{who}-{}\")", words.join("-")),
            format!("  @reason(\"{reason}\")"),
            "  permit (".to_owned(),
            format!("    principal == {asking},"),
            format!("    action {action},"),
            format!("    {resource}"),
            format!("  ){condition};"),
        ];
    }
    vec![
        "No policy permits this to anyone. A rule that does, to the owner:".to_owned(),
        format!("  @id(\"owner-{}\")", words.join("-")),
        format!("  @reason(\"A plugin may {} what its own service owns.\")", words.join(", ")),
        "  permit (".to_owned(),
        "    principal is Plugin,".to_owned(),
        format!("    action {action},"),
        format!("    {resource}"),
        "  )".to_owned(),
        format!("  when {{ {OWNED} }};"),
    ]
}
