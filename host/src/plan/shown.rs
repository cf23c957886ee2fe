//! A plan for a reviewer: from what to what, and what is pending.

use std::collections::BTreeSet;
use std::fmt::Write;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Plan, ServicePlan};
use crate::approval::{Approvals, Counted, OUTSIDE, UNKNOWN};
use crate::fault::Fault;
use crate::identity::Identities;
use crate::leaves::{Leaf, differing};
use crate::names::{Commit, Digest, Environment, ServiceName};
use crate::operation::Kind;
use crate::policy::Principal;
use crate::recording::Recording;
use crate::report::{SCHEMA, Style, short};
use crate::step::Step;

/// The stamp that says which run was there: no plan knows that of the run that will apply it.
const MARK: &str = "_DEPLOY_RUN";

/// What `host deploy show` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanShown {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// The plan could be read, and is as it was written.
    ok: bool,
    /// Its name: SHA-256 of its canonical form.
    plan: Digest,
    /// Who asked for it, by the identity of their key; `unknown` where nobody signed for that.
    requester: String,
    /// Who approved it, and counts.
    approvals: Vec<ApprovalShown>,
    /// Statements beside it that do not count.
    refused: Vec<RefusedShown>,
    /// Each service of it.
    services: Vec<ServiceShown>,
}

/// An approval that counts.
#[derive(Serialize, JsonSchema)]
struct ApprovalShown {
    /// As what.
    role: &'static str,
    /// By whom.
    signer: String,
}

/// A statement that does not count.
#[derive(Serialize, JsonSchema)]
struct RefusedShown {
    /// Its file, beside the plan.
    file: String,
    /// Why not.
    why: String,
}

/// What is planned for one service.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ServiceShown {
    /// Which service.
    service: ServiceName,
    /// Where.
    environment: Environment,
    /// Which commit.
    commit: Commit,
    /// Who planned it.
    requester: String,
    /// When; RFC 3339, UTC.
    made: String,
    /// Until when it may be applied; RFC 3339, UTC.
    expires: String,
    /// Whether that is over.
    expired: bool,
    /// The run that applied it, on this machine.
    applied_by: Option<String>,
    /// Version of the plugin, and SHA-256 of its component.
    plugin: String,
    /// Digest of the policy set.
    policy: Digest,
    /// What happens to done changes when a later step fails.
    on_failure: &'static str,
    /// Why this commit though the desired state names another one.
    override_desired: Option<String>,
    /// What would change.
    changes: Vec<ChangeShown>,
    /// What is looked up, and what must hold in the end.
    others: Vec<String>,
    /// What must be met before a live run.
    pending: Vec<String>,
    /// Where it would be applied: registry, machines, engines, projects, clusters, sources of secrets.
    places: Vec<PlaceShown>,
    /// What would be taken back if something failed, and what comes after a proved deploy.
    foreseen: Vec<String>,
}

/// Something that a plan is for, and that another one must not take the place of.
#[derive(Serialize, JsonSchema)]
struct PlaceShown {
    /// As keys from the outside in: `runtimes.d601-k3s.cluster`.
    what: String,
    /// What it was when the plan was made.
    is: String,
}

fn places(identities: &Identities) -> Vec<PlaceShown> {
    let all = serde_json::to_value(identities).unwrap_or_default();
    let place = |leaf: Leaf| Some(PlaceShown { what: leaf.path, is: leaf.after? });
    differing(&Value::Null, &all).into_iter().filter_map(place).collect()
}

/// One change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ChangeShown {
    /// Place in the plan.
    seq: u32,
    /// What is done.
    operation: String,
    /// To what.
    target: String,
    /// From what is there to what is wanted.
    difference: Vec<Leaf>,
}

impl PlanShown {
    /// The plan called `name`, as it is at this time; `applied` knows which run applied a part of it.
    ///
    /// # Errors
    /// That of `applied`.
    pub fn new(
        plan: &Plan,
        name: &Digest,
        now: Timestamp,
        approvals: Approvals,
        applied: impl Fn(&ServiceName, &Environment) -> Result<Option<(String, String)>, Fault>,
    ) -> Result<Self, Fault> {
        let service = |plan: &ServicePlan| {
            let applied = applied(&plan.service, &plan.environment)?;
            Ok(ServiceShown::new(plan, now, applied.map(|(run, _)| run)))
        };
        let services = plan.services.iter().map(service).collect::<Result<_, Fault>>()?;
        let Approvals { counted: Counted { requester, approvers, vouched }, refused } = approvals;
        let by = |(role, names): (&'static str, &BTreeSet<String>)| {
            let shown = |signer: &String| ApprovalShown { role, signer: signer.clone() };
            names.iter().map(shown).collect::<Vec<_>>()
        };
        Ok(Self {
            schema_version: SCHEMA,
            ok: true,
            plan: name.clone(),
            requester: requester.unwrap_or_else(|| UNKNOWN.to_owned()),
            approvals: approvers.by_role().into_iter().chain([(OUTSIDE, &vouched)]).flat_map(by).collect(),
            refused: refused.into_iter().map(|(file, why)| RefusedShown { file, why }).collect(),
            services,
        })
    }
}

impl ServiceShown {
    fn new(plan: &ServicePlan, now: Timestamp, applied_by: Option<String>) -> Self {
        let named = |step: &Step| format!("{} {}", step.operation.name(), step.operation.target());
        let recording = plan.recording();
        let (changes, others): (Vec<&Step>, Vec<&Step>) =
            recording.steps().iter().partition(|step| step.kind == Kind::Change);
        let unmet = Recording::unmet(recording.steps())
            .map(|(step, reason)| format!("{}: {reason}", step.operation.name()));
        let needed = recording.steps().iter().filter(|step| !step.verdict.needs.is_empty()).map(|step| {
            format!("{}: policy permits it once approved by {}", named(step), step.verdict.needs.join(" or "))
        });
        let plugin = match &plan.principal {
            Principal::Plugin { digest, .. } => digest.to_string(),
            Principal::BuiltIn { built_in } => built_in.as_str().to_owned(),
        };
        Self {
            service: plan.service.clone(),
            environment: plan.environment.clone(),
            commit: plan.commit.clone(),
            requester: plan.requester.clone(),
            made: plan.made.to_string(),
            expires: plan.expires.to_string(),
            expired: now > plan.expires,
            applied_by,
            plugin: format!("{} ({plugin})", plan.plugin_version),
            policy: plan.policy.clone(),
            on_failure: if plan.rollback { "rollback" } else { "leave" },
            override_desired: plan.override_desired.clone(),
            changes: changes.into_iter().map(ChangeShown::new).collect(),
            others: others.into_iter().map(named).collect(),
            pending: unmet.chain(needed).collect(),
            places: places(&plan.identities),
            foreseen: plan.foreseen.iter().map(|one| named(&one.step)).collect(),
        }
    }
}

impl ChangeShown {
    fn new(step: &Step) -> Self {
        let (before, desired) = (step.before.as_ref(), step.desired.as_ref());
        Self {
            seq: step.seq,
            operation: step.operation.name().to_owned(),
            target: step.operation.target(),
            difference: differing(before.unwrap_or(&Value::Null), desired.unwrap_or(&Value::Null))
                .into_iter()
                .filter(|leaf| !leaf.path.ends_with(MARK))
                .collect(),
        }
    }
}

/// For people.
#[must_use]
pub fn text(shown: &PlanShown, style: Style) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, shown, style);
    text
}

fn write(out: &mut String, shown: &PlanShown, style: Style) -> std::fmt::Result {
    writeln!(out, "plan {}", shown.plan)?;
    writeln!(out, "asked for by {}", shown.requester)?;
    for ApprovalShown { role, signer } in &shown.approvals {
        writeln!(out, "{} by {signer} ({role})", style.paint("32", "approved"))?;
    }
    for RefusedShown { file, why } in &shown.refused {
        writeln!(out, "{} {file}: {why}", style.paint("33", "does not count:"))?;
    }
    for one in &shown.services {
        let head = format!("{} → {}", style.bold(one.service.as_str()), one.environment);
        writeln!(out, "\n{head}  commit {}", one.commit)?;
        let until = match (&one.applied_by, one.expired) {
            (Some(run), _) => style.paint("1;31", &format!("applied already, by run {run}")),
            (None, true) => style.paint("1;31", &format!("expired at {}", one.expires)),
            (None, false) => format!("may be applied until {}", one.expires),
        };
        writeln!(out, "  planned by {} at {}; {until}", one.requester, one.made)?;
        writeln!(
            out,
            "  plugin {}, policy {}, on failure: {}",
            one.plugin,
            short(one.policy.as_str()),
            one.on_failure
        )?;
        if let Some(reason) = &one.override_desired {
            writeln!(out, "  not the desired commit: {reason}")?;
        }
        for ChangeShown { seq, operation, target, difference } in &one.changes {
            writeln!(out, "  {seq:>2}. {operation} {target}")?;
            if difference.is_empty() {
                writeln!(out, "        is so already")?;
            }
            for leaf in difference {
                writeln!(out, "        {leaf}")?;
            }
        }
        for PlaceShown { what, is } in &one.places {
            writeln!(out, "  for {what}: {is}")?;
        }
        for pending in &one.pending {
            writeln!(out, "  {} {pending}", style.paint("33", "pending"))?;
        }
        for foreseen in &one.foreseen {
            writeln!(out, "  then, by the host itself: {foreseen}")?;
        }
    }
    Ok(())
}
