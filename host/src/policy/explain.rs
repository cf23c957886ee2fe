//! Why something is denied, and what would permit it.

mod told;
mod unmet;

use super::Request;
use super::ownership::{Ownership, place_for};
use super::question::Question;
use super::rules::Rules;
use super::schema::Vocabulary;
use super::shape::Owned;
use crate::access::Access;
pub(super) use told::told;
use unmet::{covers, unmet};

/// One denied request. What is told of several is written only once (`told`).
pub(super) struct Denial<'a> {
    request: &'a Request,
    /// The policies that decided.
    pub(super) policies: Vec<String>,
    /// Whether no policy is about such an action at all, so that one can be proposed.
    uncovered: bool,
    lines: Vec<String>,
}

impl<'a> Denial<'a> {
    fn of(request: &'a Request) -> Self {
        Self { request, policies: Vec::new(), uncovered: false, lines: Vec::new() }
    }

    /// No block for the plugin.
    pub(super) fn unknown_plugin(request: &'a Request, ownership: &Ownership) -> Self {
        let known: Vec<_> = ownership.services().map(ToString::to_string).collect();
        Self::of(request)
            .line(format!("entities.json has no block for this plugin, only for {}.", known.join(", ")))
            .line("What it owns goes there, under services.")
    }

    /// The question itself makes no sense to the schema.
    pub(super) fn unanswerable(request: &'a Request, error: &str) -> Self {
        Self::of(request).line(format!("The rules cannot be asked this: {error}."))
    }

    /// Rules that failed might have forbidden it.
    pub(super) fn failed(request: &'a Request, failed: Vec<(String, String)>, rules: &Rules) -> Self {
        let mut denial = Self::of(request);
        for (id, error) in failed {
            denial = denial.rule("What a rule says is unknown:", &id, rules).line(format!("  {error}"));
            denial.policies.push(id);
        }
        denial.line("Nothing is permitted where a rule fails; mend it.")
    }

    /// The folder of policies is broken.
    pub(super) fn without_policies(request: &'a Request) -> Self {
        Self::of(request).line("The policies cannot be used, so nothing is permitted.")
    }

    /// Some rule forbids it.
    pub(super) fn forbidden(request: &'a Request, policies: Vec<String>, rules: &Rules) -> Self {
        let mut denial = Self::of(request);
        for id in policies {
            denial = denial.rule("It is forbidden by", &id, rules);
            denial.policies.push(id);
        }
        denial
    }

    /// No rule permits it.
    pub(super) fn unpermitted(
        request: &'a Request,
        question: &Question<'_>,
        rules: &Rules,
        vocabulary: &Vocabulary,
        ownership: &Ownership,
    ) -> Self {
        let mut near: Vec<_> = rules
            .permits()
            .filter(|(_, policy)| covers(policy, question, vocabulary))
            .map(|(id, policy)| (unmet(policy, question), id))
            .collect();
        near.sort_by_key(|(unmet, _)| unmet.len());
        let mut denial = Self::of(request);
        denial.uncovered = near.is_empty();
        if let Some(((unmet, id), others)) = near.split_first() {
            denial = denial.rule("The nearest permit is", id, rules);
            for part in unmet {
                denial = denial.line(format!("  does not hold: {part}"));
            }
            if !others.is_empty() {
                let others: Vec<_> = others.iter().map(|(_, id)| format!("{id:?}")).collect();
                denial = denial.line(format!("Nor does {} permit it.", others.join(" or ")));
            }
        }
        denial.owner(ownership)
    }

    fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    fn rule(self, what: &str, id: &str, rules: &Rules) -> Self {
        match rules.get(id) {
            Some(rule) => {
                self.line(format!("{what} {id:?} ({}):", rule.place)).line(format!("  {}", rule.reason))
            }
            None => self,
        }
    }

    /// Whose the resource is, where it is not this plugin's in this environment.
    fn owner(self, ownership: &Ownership) -> Self {
        let Request { principal, access: Access { resource, .. }, context } = self.request;
        let (Some(kind), Some(plugin), Some(environment)) =
            (Owned::holding(resource.kind), principal.plugin(), &context.environment)
        else {
            return self;
        };
        let id = if kind.is_group() {
            let group = resource.group.as_deref().unwrap_or_default();
            if !kind.has_member(group, &resource.id) {
                return self
                    .line("Nobody can own it: it is outside")
                    .line(format!("  {}::{group:?}", kind.as_str()));
            }
            group
        } else {
            &resource.id
        };
        let held = format!("{}::{id:?}", kind.as_str());
        let place = place_for(plugin, environment, kind);
        match ownership.share(kind, id) {
            None => self
                .line(format!("Nobody owns {held}."))
                .line("If this service does, add it to")
                .line(format!("  {place}")),
            Some(share) if share.service != *plugin => {
                self.line(format!("{held} belongs to Service::\"{}\".", share.service))
            }
            Some(share) if !share.environments.contains(environment) => {
                let environments: Vec<_> = share.environments.iter().map(ToString::to_string).collect();
                self.line(format!("{held} is the service's in {} only.", environments.join(" and ")))
                    .line("If it is here too, add it to")
                    .line(format!("  {place}"))
            }
            Some(_) => self,
        }
    }
}
