//! Several services in one answer, for those commands that have one.

use std::sync::Arc;

use crate::commands::operator::listen;
use crate::commands::{Output, print, print_json};
use crate::console::{self, Named};
use crate::fault::Fault;
use crate::gate::{Audience, Unheard};
use crate::plan::ServicePlan;
use crate::progress::Interrupt;
use crate::recording::Recording;
use crate::report::{Mode, Report, Several, State, Style};
use crate::run::{Host, Order, Request};

/// How many services are looked at together: that is waiting for far sides.
const AT_ONCE: usize = 16;
/// How many are deployed together. Each connects by itself, and servers of SSH begin to refuse at ten
/// (`MaxStartups`).
const DEPLOYED_AT_ONCE: usize = 8;

/// What came of several.
pub(super) struct Looked {
    /// In their order.
    pub reports: Vec<Report>,
    /// Those that went through a pass that only looks, with what it found.
    pub planned: Vec<(Request, Recording)>,
    /// The same as they can be kept.
    pub plans: Vec<ServicePlan>,
    /// Why one of them is not in the journal.
    pub fault: Option<Fault>,
}

/// Ctrl-C; a dry run has nothing to leave clean and may be ended at once.
pub(super) fn interrupt(mode: Mode) -> Interrupt {
    if mode == Mode::DryRun { Interrupt::pair().1 } else { listen() }
}

/// All of them in this mode, as many at a time as is good.
pub(super) async fn run(
    host: &Arc<Host>,
    asked: Vec<impl Into<Order>>,
    mode: Mode,
    interrupt: &Interrupt,
) -> Looked {
    let asked: Vec<Order> = asked.into_iter().map(Into::into).collect();
    // Offline two for each core: a run changes threads, and its core must not stand idle meanwhile.
    let at_once = match mode {
        Mode::DryRun => std::thread::available_parallelism().map_or(1, usize::from) * 2,
        Mode::Plan => AT_ONCE,
        Mode::Live => DEPLOYED_AT_ONCE,
    };
    let audience = |request: &Request| -> Arc<dyn Audience> {
        match mode {
            Mode::Live => Arc::new(Named::new(format!("{} → {}", request.service, request.environment))),
            Mode::DryRun | Mode::Plan => Arc::new(Unheard),
        }
    };
    let requests: Vec<Request> = asked.iter().map(|asked| asked.request.clone()).collect();
    let done = host.deploy_each(asked, at_once, &audience, interrupt).await;
    let fault = done.iter().find_map(|one| one.journal.clone());
    let (mut planned, mut plans) = (Vec::new(), Vec::new());
    let mut reports = Vec::with_capacity(done.len());
    for (request, one) in requests.into_iter().zip(done) {
        planned.extend(one.recording.map(|recording| (request, recording)));
        plans.extend(one.plan.map(|plan| *plan));
        reports.push(one.report);
    }
    Looked { reports, planned, plans, fault }
}

/// The answer, on standard output.
pub(super) fn tell(several: &Several, output: Output) -> Result<(), Fault> {
    match output {
        Output::Json => print_json(several),
        Output::Text => print(&several.render(Style { colour: console::colour_on_stdout(), steps: false })),
    }
}

/// What is as it should be is left alone: (reports of that, requests for the others).
pub(super) async fn unsettled(
    host: &Arc<Host>,
    requests: Vec<Request>,
    interrupt: &Interrupt,
) -> (Vec<Report>, Vec<Request>) {
    // In the mode of the request: where a gate is not met, a live one asks nobody, and neither does this.
    let compared = |request: &Request| Request { compare: true, keep: false, ..request.clone() };
    let compared: Vec<Request> = requests.iter().map(compared).collect();
    let Looked { reports, .. } = run(host, compared, Mode::Plan, interrupt).await;
    let (mut settled, mut rest) = (Vec::new(), Vec::new());
    for (request, report) in requests.into_iter().zip(reports) {
        match report.state.as_ref().map(|part| part.state) {
            Some(State::InSync) => settled.push(report),
            _ => rest.push(request),
        }
    }
    (settled, rest)
}
