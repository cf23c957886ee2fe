//! How far a permit is from permitting: the parts of its condition, each evaluated by itself.

use std::str::FromStr;

use cedar_policy::pst::{self, BinaryOp, Clause, Expr};
use cedar_policy::{EvalResult, Expression, Policy, eval_expression};

use super::super::question::Question;
use super::super::schema::Vocabulary;

/// Whether `policy` is about this action on resources of this type at all.
pub(super) fn covers(policy: &Policy, question: &Question<'_>, vocabulary: &Vocabulary) -> bool {
    let (Some(action), Some(resource)) = (question.request.action(), question.request.resource()) else {
        return false;
    };
    policy
        .get_valid_request_envs(vocabulary.schema())
        .any(|about| about.action() == action && about.resource() == resource.type_name())
}

/// The parts that do not hold. A part that fails by itself (it leans on the one before) counts only where no other does.
pub(super) fn unmet(policy: &Policy, question: &Question) -> Vec<String> {
    let (mut unmet, mut failed) = (Vec::new(), Vec::new());
    for part in parts(policy) {
        let value = Expression::from_str(&part)
            .ok()
            .and_then(|part| eval_expression(&question.request, question.entities, &part).ok());
        match value {
            Some(EvalResult::Bool(true)) => {}
            Some(_) => unmet.push(part),
            None => failed.push(part),
        }
    }
    if unmet.is_empty() { failed } else { unmet }
}

/// Everything that must hold for a policy to apply, its action apart, as Cedar expressions.
fn parts(policy: &Policy) -> Vec<String> {
    let Ok(pst::Policy::Static(policy)) = policy.to_pst() else { return Vec::new() };
    let body = policy.body();
    let scope = [("principal", body.principal.to_string()), ("resource", body.resource.to_string())];
    let mut parts: Vec<_> = scope
        .into_iter()
        .filter(|(_, constraint)| !constraint.is_empty())
        .map(|(variable, constraint)| format!("{variable} {constraint}"))
        .collect();
    for clause in body.clauses() {
        match clause {
            Clause::When(condition) => conjuncts(condition, &mut parts),
            Clause::Unless(condition) => parts.push(format!("!({condition})")),
        }
    }
    parts
}

fn conjuncts(condition: &Expr, parts: &mut Vec<String>) {
    if let Expr::BinaryOp { op: BinaryOp::And, left, right } = condition {
        conjuncts(left, parts);
        conjuncts(right, parts);
    } else {
        parts.push(condition.to_string());
    }
}
