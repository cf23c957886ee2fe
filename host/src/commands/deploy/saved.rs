//! Plans in files: written by `plan --out`, done by `apply PLAN`.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::approve::signed;
use super::together::{self, Looked, unsettled};
use super::unkept;
use crate::approval::{Approvals, Statement};
use crate::commands::Output;
use crate::commands::operator::{asked, can_ask};
use crate::console;
use crate::fault::Fault;
use crate::journal::OnFailure;
use crate::plan::{Plan, ServicePlan};
use crate::report::{Decision, Mode, SavedPart, Several};
use crate::run::{Agreed, Host, Order, Request};
use crate::words::counted;

/// Plans what is not in sync, and writes that down.
pub(super) async fn save(
    host: &Arc<Host>,
    requests: Vec<Request>,
    out: &Path,
    lasting: SignedDuration,
    key: Option<&Path>,
    output: Output,
) -> Result<u8, Fault> {
    let interrupt = together::interrupt(Mode::Plan);
    let (settled, rest) = unsettled(host, requests, &interrupt).await;
    let Looked { reports, plans, fault, .. } = together::run(host, rest, Mode::Plan, &interrupt).await;
    let mut several = Several::new(settled.into_iter().chain(reports).collect(), |_| true);
    let code = unkept(fault.as_ref(), several.decision.exit_code());
    if code == 0 && !plans.is_empty() {
        let now = Timestamp::now();
        let expires = now.saturating_add(lasting).unwrap_or(now);
        let plan = Plan::new(plans, expires).write(out)?;
        if let Some(key) = key {
            let asked = Statement::asked(&plan, expires)?;
            signed(&asked, out, key).await?;
        }
        several.saved = Some(SavedPart { plan, file: out.to_owned(), expires: expires.to_string() });
    }
    together::tell(&several, output)?;
    console::notice(&match &several.saved {
        Some(SavedPart { plan, file, .. }) => {
            let file = crate::words::shell(&file.display().to_string());
            format!(
                "wrote the plan {plan}: `host deploy show {file}` shows it, `host deploy apply {file} --run-now` does it"
            )
        }
        None if code == 0 => "nothing was written: there is nothing to do".to_owned(),
        None => "nothing was written: a plan is of what can be done as a whole".to_owned(),
    });
    Ok(code)
}

/// Does what a plan says, or nothing; each service by itself.
pub(super) async fn apply(
    host: &Arc<Host>,
    file: &Path,
    run_now: bool,
    wait: bool,
    output: Output,
) -> Result<u8, Fault> {
    let (plan, name) = Plan::read(file)?;
    let approvals = &host.config.approvals;
    let Approvals { counted: known, refused } =
        Approvals::of(file, &name, plan.services.len(), approvals, Timestamp::now()).await?;
    for (name, why) in &refused {
        console::notice(&format!("{name} does not count: {why}"));
    }
    let interrupt = together::interrupt(Mode::Live);
    if !run_now {
        let what = counted(plan.services.len(), "service", "services");
        if !can_ask(output) {
            console::notice(
                "nothing was changed: say --run-now to do what the plan says; `host deploy show` shows it",
            );
            return Ok(2);
        }
        let question = format!("do what the plan {name} says for {what} now?");
        let answer = tokio::select! {
            () = interrupt.raised() => return Ok(Decision::Interrupted.exit_code()),
            answer = asked(&question) => answer?,
        };
        if !answer {
            return Ok(0);
        }
    }
    let order = |plan: ServicePlan| Order {
        request: Request {
            service: plan.service.clone(),
            environment: plan.environment.clone(),
            commit: plan.commit.clone(),
            mode: Mode::Live,
            wait,
            on_failure: if plan.rollback { OnFailure::Rollback } else { OnFailure::Leave },
            override_desired: plan.override_desired.clone(),
            artifact: None,
            compare: false,
            keep: false,
        },
        agreed: Some(Agreed::saved(&name, plan, known.clone())),
    };
    let orders: Vec<Order> = plan.services.into_iter().map(order).collect();
    let Looked { reports, fault, .. } = together::run(host, orders, Mode::Live, &interrupt).await;
    let several = Several::new(reports, |_| true);
    together::tell(&several, output)?;
    Ok(unkept(fault.as_ref(), several.decision.exit_code()))
}
