//! The rules by the action that they are about. A rule whose scope names other actions does not apply and is not evaluated:
//! a decision costs what its own rules cost, however many there are. Sound because actions have no groups here: the schema
//! of the host has none, and a folder with another schema is refused.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{ActionConstraint, Policy, PolicySet};

/// The rules, sliced.
#[derive(Debug, Default)]
pub(super) struct Slices {
    named: BTreeMap<String, PolicySet>,
    /// Of an action that no rule names: those that are about every action.
    other: PolicySet,
}

impl Slices {
    pub(super) fn of(rules: &PolicySet) -> Self {
        let actions: BTreeSet<String> = rules.policies().filter_map(named).flatten().collect();
        let slice = |action: Option<&String>| {
            let applies = |policy: &&Policy| {
                named(policy).is_none_or(|names| action.is_some_and(|action| names.contains(action)))
            };
            // Ids differ in a part if they do in the whole; else all of them are evaluated.
            PolicySet::from_policies(rules.policies().filter(applies).cloned())
                .unwrap_or_else(|_| rules.clone())
        };
        let other = slice(None);
        let named = actions.into_iter().map(|action| (action.clone(), slice(Some(&action)))).collect();
        Self { named, other }
    }

    /// Every rule that can apply to `action`.
    pub(super) fn about(&self, action: &str) -> &PolicySet {
        self.named.get(action).unwrap_or(&self.other)
    }
}

/// The actions in the scope of a rule; nothing where it is about every action.
fn named(policy: &Policy) -> Option<Vec<String>> {
    let names = match policy.action_constraint() {
        ActionConstraint::Any => return None,
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
    };
    Some(names.iter().map(|action| action.id().unescaped().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn a_rule_is_asked_about_the_actions_it_names_and_about_no_other() {
        let rules = r#"
            @id("one") permit (principal, action == Action::"tagImage", resource);
            @id("two") permit (principal, action in [Action::"tagImage", Action::"stampEnv"], resource);
            @id("all") forbid (principal, action, resource) when { context.minuteOfDay < 60 };
        "#;
        let slices = Slices::of(&PolicySet::from_str(rules).expect("rules"));
        let about = |action: &str| {
            let mut ids: Vec<_> =
                slices.about(action).policies().filter_map(|policy| policy.annotation("id")).collect();
            ids.sort_unstable();
            ids.join(" ")
        };
        assert_eq!(about("tagImage"), "all one two");
        assert_eq!(about("stampEnv"), "all two");
        assert_eq!(about("deliverImage"), "all");
    }
}
