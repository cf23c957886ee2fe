//! The rules: `*.cedar`, each with an id and a reason, all of them able to apply.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    Effect, EntityUid, Policy, PolicyId, PolicySet, ValidationError, ValidationMode, ValidationWarning,
    Validator,
};

use super::BuiltIn;
use super::files::{ENTITIES, Text};
use super::ownership::Ownership;
use super::problem::{Place, Problem, Problems, nearest};
use super::schema::Vocabulary;
use super::slices::Slices;
use crate::access::Action;
use crate::diagnosis::FarSide;
use crate::names::ConfigName;

/// Longest `@reason`, in characters: it is read on a terminal, below the id.
const LONGEST_REASON: usize = 200;

/// How far rules may look: attributes of the plugin that asks, none of what those name. A decision then needs no
/// entities but those of the question.
const DEPTH: u32 = 1;

/// What a rule says of itself.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) reason: String,
    /// `compose.cedar:4:1`
    pub(super) place: Place,
    file: usize,
}

/// Every rule, ready to be evaluated.
#[derive(Debug, Default)]
pub(super) struct Rules {
    set: PolicySet,
    slices: Slices,
    by_id: BTreeMap<String, Rule>,
}

impl Rules {
    /// Every rule that can apply to `action`.
    pub(super) fn about(&self, action: &str) -> &PolicySet {
        self.slices.about(action)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id)
    }

    /// All of them with their ids, in the order of these.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.by_id.keys().filter_map(|id| Some((id.as_str(), self.set.policy(&PolicyId::new(id))?)))
    }

    /// The permits with their ids, in the order of these.
    pub(super) fn permits(&self) -> impl Iterator<Item = (&str, &Policy)> {
        self.iter().filter(|(_, policy)| policy.effect() == Effect::Permit)
    }
}

/// Parses the rules of all `files`, as far as they can be, and names each by its `@id`.
pub(super) fn parse(files: &[Text], problems: &mut Problems) -> Rules {
    let mut rules = Rules::default();
    for (index, file) in files.iter().enumerate() {
        match PolicySet::from_str(&file.text) {
            Ok(set) => {
                problems.extend(set.templates().map(|template| {
                    Problem::at(
                        file.place(offset_of(file, &template.to_cedar())),
                        "policy-template",
                        "a template applies to nothing by itself, and the host fills none in",
                        "write a rule; what differs from service to service belongs in entities.json",
                    )
                }));
                for policy in in_order(file, &set) {
                    problems.extend(add(&mut rules, file, index, policy).err());
                }
            }
            Err(errors) => problems.extend(errors.iter().map(|error| {
                let error = DetailedError::from(error);
                let label = error.source_locations.first();
                let place = file.place(label.map_or(0, |label| label.loc.start));
                let remedy = error.help.or_else(|| label.and_then(|label| label.label.clone()));
                let remedy = remedy.unwrap_or_else(|| "mend the rule".to_owned());
                Problem::at(place, "policy-syntax", error.message, remedy)
            })),
        }
    }
    rules.slices = Slices::of(&rules.set);
    rules
}

/// A set has no order; the file has.
fn in_order<'a>(file: &Text, set: &'a PolicySet) -> Vec<(usize, &'a Policy)> {
    let mut policies: Vec<_> = set
        .policies()
        .map(|policy| (policy.to_cedar().map_or(0, |text| offset_of(file, &text)), policy))
        .collect();
    policies.sort_unstable_by_key(|(offset, _)| *offset);
    policies
}

fn offset_of(file: &Text, text: &str) -> usize {
    file.text.find(text).unwrap_or(0)
}

fn add(
    rules: &mut Rules,
    file: &Text,
    index: usize,
    (offset, policy): (usize, &Policy),
) -> Result<(), Problem> {
    let place = file.place(offset);
    let wrong = |what: String, remedy: &str| Problem::at(place.clone(), "policy-annotation", what, remedy);
    let annotated = |key, what: &str, remedy: &str| {
        policy
            .annotation(key)
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| wrong(format!("this rule has no @{key}: {what}"), remedy))
    };
    let id = annotated("id", "a denial could not name it", "write @id(\"…\") above it")?;
    let reason = annotated("reason", "a denial could not explain it", "write @reason(\"…\") above it")?;
    ConfigName::parse(id).map_err(|_| {
        let remedy = "use letters, digits, `.`, `_` and `-`, starting with a letter or digit";
        wrong(format!("the @id {id:?} is no plain word"), remedy)
    })?;
    if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        return Err(wrong(
            format!("the @reason of {id:?} is no single line of at most {LONGEST_REASON} characters"),
            "say it shorter; details belong in a comment",
        ));
    }
    let twice = |what: String| {
        Problem::at(place.clone(), "policy-duplicate", what, "give each rule an id of its own")
    };
    if let Some(other) = rules.by_id.get(id) {
        return Err(twice(format!("the id {id:?} is that of the rule at {} too", other.place)));
    }
    rules.set.add(policy.new_id(PolicyId::new(id))).map_err(|error| twice(error.to_string()))?;
    let rule = Rule { reason: reason.to_owned(), place: place.clone(), file: index };
    rules.by_id.insert(id.to_owned(), rule);
    Ok(())
}

/// Finds rules that could never apply, or that could fail where they are evaluated; returns their ids. What rules name is
/// held against the entities where there are some.
pub(super) fn check(
    rules: &Rules,
    files: &[Text],
    vocabulary: &Vocabulary,
    ownership: Option<&Ownership>,
    problems: &mut Problems,
) -> BTreeSet<String> {
    let validator = Validator::new(vocabulary.schema().clone());
    let result = validator.validate_with_level(&rules.set, ValidationMode::Strict, DEPTH);
    let mut wrong = BTreeSet::new();
    // A rule that names nobody is held against everybody. What is wrong with it for a plugin says all there is to say.
    let (for_host, for_plugins): (Vec<_>, Vec<_>) =
        result.validation_errors().partition(|error| is_about_the_host(error));
    for error in for_plugins {
        wrong.insert(error.policy_id().to_string());
        let remedy = match error {
            ValidationError::EntityDerefLevelViolation(_) => {
                "compare entities by name; only the plugin that asks has attributes here"
            }
            _ => "schema.cedarschema says what there is",
        };
        problems.push(invalid(rules, files, error.policy_id(), DetailedError::from(error), remedy));
    }
    for error in for_host {
        let id = error.policy_id();
        if wrong.insert(id.to_string()) {
            let remedy = "say that it is about plugins: `principal is Plugin`";
            let error = DetailedError { help: None, ..DetailedError::from(error) };
            problems.push(invalid(rules, files, id, error, remedy));
        }
    }
    // What the validator calls a warning is a rule that never applies, or a name that only looks like another.
    for warning in result.validation_warnings() {
        let never = matches!(
            warning,
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
        );
        // A rule with an unknown name is impossible as well: one remark is enough.
        if !wrong.insert(warning.policy_id().to_string()) && never {
            continue;
        }
        let remedy = if never {
            "correct what it is about, or remove it"
        } else {
            "write it in one script, without invisible characters"
        };
        problems.push(invalid(rules, files, warning.policy_id(), DetailedError::from(warning), remedy));
    }
    let Some(ownership) = ownership else { return wrong };
    for (id, policy) in rules.iter() {
        let Some(rule) = rules.get(id) else { continue };
        let named: BTreeSet<_> = policy.entity_literals().into_iter().collect();
        let file = files.get(rule.file);
        for uid in named.iter().filter(|uid| !is_known(uid, ownership)) {
            let place = file.and_then(|file| Some(file.place(file.text.find(&uid.to_string())?)));
            problems.push(unknown(place.unwrap_or_else(|| rule.place.clone()), id, uid, ownership));
            wrong.insert(id.to_owned());
        }
    }
    wrong
}

/// A folder without any permit is the wrong folder.
pub(super) fn none_permits(rules: &Rules) -> Option<Problem> {
    rules.permits().next().is_none().then(|| {
        Problem::new(
            "policy-empty",
            "no policy permits anything, so every deploy would be denied",
            "is this the right folder? The rules of the project are a start",
        )
    })
}

fn invalid(rules: &Rules, files: &[Text], id: &PolicyId, error: DetailedError, remedy: &str) -> Problem {
    let file = rules.get(id.as_ref()).and_then(|rule| files.get(rule.file));
    let offset = error.source_locations.first().map_or(0, |label| label.loc.start);
    let about = format!("for policy `{id}`");
    let what =
        error.message.strip_prefix(&about).unwrap_or(&error.message).trim_start_matches([',', ':', ' ']);
    let what = format!("in \"{id}\": {what}");
    let remedy = error.help.unwrap_or_else(|| remedy.to_owned());
    Problem { place: file.map(|file| file.place(offset)), ..Problem::new("policy-invalid", what, remedy) }
}

/// Whether an error arises only where the host itself asks, which is about no service and no environment.
fn is_about_the_host(error: &ValidationError) -> bool {
    let text = error.to_string();
    let asked = Action::ALL.into_iter().filter(|action| !BuiltIn::asking(*action).is_empty());
    ["`BuiltIn`", "`FarSide`"].iter().any(|word| text.contains(word))
        || asked.map(|action| format!("Action::\"{}\"", action.as_str())).any(|word| text.contains(&word))
}

fn is_known(uid: &EntityUid, ownership: &Ownership) -> bool {
    let id = uid.id().unescaped();
    match uid.type_name().to_string().as_str() {
        // The schema knows all of these.
        "Action" | "Weekday" | "BuiltIn" => true,
        "FarSide" => FarSide::is_id(id),
        "EnvKey" | "SecretKey" => ownership.has_group_of(id),
        kind => ownership.ids(kind).contains(&id),
    }
}

/// A rule about an entity that is not in the file would never apply, and nobody would notice.
fn unknown(place: Place, id: &str, uid: &EntityUid, ownership: &Ownership) -> Problem {
    let kind = uid.type_name().to_string();
    let remedy = match nearest(uid.id().unescaped(), ownership.ids(&kind).into_iter()) {
        Some(near) => format!("did you mean {kind}::{near:?}?"),
        None if kind == "FarSide" => {
            let what = format!("{place}: {id:?} names {uid}, which the host never asks for");
            return Problem::new("policy-unknown-entity", what, format!("its form is {}", FarSide::FORM));
        }
        None if kind == "EnvKey" => format!("add the EnvPrefix that it begins with to {ENTITIES}"),
        None if kind == "SecretKey" => format!("add the SecretSource that it names to {ENTITIES}"),
        None => format!("add it to {ENTITIES}"),
    };
    let what = format!("{id:?} names {uid}, which is not in {ENTITIES}");
    Problem::at(place, "policy-unknown-entity", what, remedy)
}
