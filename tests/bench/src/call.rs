//! One capability call: policy decides, the journal gets the intent, the backend answers, the journal gets the outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::backend::Backend;
use host::backend::secrets::Sources;
use host::gate::{Gate, Subject};
use host::journal::{Begin, Deployed, Journal, OnFailure};
use host::names::Digest;
use host::operation::{Kind, Operation};
use host::policy::{Approvers, Context, Decision, Principal, Weekday};
use host::progress::Interrupt;
use host::report::Mode;
use host::run::Host;
use host::step::Pass;

use crate::Result;
use crate::sample::{self, Samples};
use crate::stage::{self, Stage};
use crate::table::Table;

/// Of each operation of the plan.
const SAMPLES: usize = 200;
const GOAL: Duration = Duration::from_micros(100);

pub fn measure(table: &mut Table) -> Result<()> {
    let stage = Stage::new()?;
    let host = stage.host()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let interrupt = || Interrupt::pair().1;
    let operations: Vec<Operation> = runtime
        .block_on(host.deploy(&stage::request(Mode::DryRun)?, None, stage::nobody(), interrupt()))?
        .recording
        .ok_or("the dry run recorded nothing")?
        .steps()
        .iter()
        .map(|step| step.operation.clone())
        .collect();

    let mut gate = gate(&host, interrupt())?;
    let mut calls: BTreeMap<String, Samples> = BTreeMap::new();
    for _ in 0..SAMPLES {
        for operation in &operations {
            let begun = Instant::now();
            runtime.block_on(gate.perform(operation.clone())).map_err(|halt| halt.to_string())??;
            calls.entry(operation.name().to_owned()).or_default().push(begun.elapsed());
        }
    }
    for (name, samples) in &calls {
        table.within(&format!("{name} through gate, policy and journal"), samples, GOAL);
    }
    table.figure("the intent of a change on disk (its fsync)", &intents(&host, &operations)?);
    Ok(())
}

/// A door whose journal is written as a live run's is: each call on its own.
fn gate(host: &Host, interrupt: Interrupt) -> Result<Gate> {
    let request = stage::request(Mode::Plan)?;
    let log = Journal::open(&host.config.state)?.begin(&begin(host, &request))?;
    let subject = Subject {
        principal: Principal::Plugin { plugin: request.service, digest: Digest::of(b"bench") },
        context: Context {
            environment: Some(request.environment),
            operator: host.requester.clone(),
            weekday: Weekday::Monday,
            minute_of_day: 600,
            verified_before: true,
            approvers: Approvers::default(),
        },
    };
    let policy = Arc::clone(&host.policy);
    let backend = Backend::Predicting(Arc::new(Sources::new(&host.config)));
    Ok(Gate::new(policy, subject, log, backend, stage::nobody(), interrupt, u64::MAX))
}

fn begin<'a>(host: &'a Host, request: &'a host::run::Request) -> Begin<'a> {
    Begin {
        command: "deploy",
        deployed: Some(Deployed {
            service: &request.service,
            environment: &request.environment,
            commit: &request.commit,
        }),
        mode: Mode::Plan.as_str(),
        batched: false,
        requester: &host.requester,
        on_failure: OnFailure::Leave,
        policy: host.policy.digest(),
    }
}

fn intents(host: &Host, operations: &[Operation]) -> Result<Samples> {
    let request = stage::request(Mode::Plan)?;
    let log = Journal::open(&host.config.state)?.begin(&begin(host, &request))?;
    let change = operations
        .iter()
        .find(|operation| operation.kind(false) == Kind::Change)
        .ok_or("the plan has no change")?;
    let verdict = Decision::permitted(Vec::new());
    let mut seq = 0;
    sample::alone(SAMPLES, || {
        seq += 1;
        sample::timed(|| Ok(log.intent(Pass::Live, seq, Kind::Change, change, &verdict, &[])?))
    })
}
