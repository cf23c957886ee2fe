//! Several requests at once.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::{Agreed, Done, Host, Request};
use crate::fault::Fault;
use crate::gate::Audience;
use crate::plan::ServicePlan;
use crate::progress::Interrupt;
use crate::recording::Recording;
use crate::report::{Mode, Report};

/// How many dry runs the journal gets in one transaction: a thousand transactions are most of what a thousand of them cost.
const TOGETHER: usize = 32;

/// One of several.
pub struct Order {
    /// What is asked for.
    pub request: Request,
    /// The plan that somebody said yes to, if one did.
    pub agreed: Option<Agreed>,
}

impl From<Request> for Order {
    fn from(request: Request) -> Self {
        Self { request, agreed: None }
    }
}

/// What came of one of several requests.
pub struct One {
    /// Always there: a fault of one does not keep the others from being answered.
    pub report: Report,
    /// What was looked at; of a live run nothing.
    pub recording: Option<Recording>,
    /// The same as it can be kept, where a live run could be bound to it.
    pub plan: Option<Box<ServicePlan>>,
    /// Why the report is not in the journal, if it is not; it may be said of one of those that were written together.
    pub journal: Option<Fault>,
}

impl Host {
    /// [`Host::deploy`] for each of `requests`, `at_once` of them at a time; only so many components and instances are in
    /// memory. Those that only look share their connections. Answers in the order of the requests.
    pub async fn deploy_each(
        self: &Arc<Self>,
        requests: Vec<Order>,
        at_once: usize,
        audience: &dyn Fn(&Request) -> Arc<dyn Audience>,
        interrupt: &Interrupt,
    ) -> Vec<One> {
        // Where it cannot be opened every one of them says so.
        let journal = self.journal().ok();
        if let Some(journal) = &journal {
            journal.gather(TOGETHER);
        }
        let shared = self.connections();
        let mut done: Vec<One> = stream::iter(requests)
            .map(|Order { request, agreed }| {
                let host = Arc::clone(self);
                // A connection that is lost takes with it all that goes through it: a change has its own.
                let changes = request.mode == Mode::Live && !request.compare;
                let to = if changes { self.connections() } else { Arc::clone(&shared) };
                let (audience, interrupt) = (audience(&request), interrupt.clone());
                let asked = request.clone();
                // A task of its own, so that it may run on another core.
                let run = tokio::spawn(async move {
                    host.deploy_by(to, &asked, agreed.as_ref(), audience, interrupt).await
                });
                async move {
                    let lost = |error: tokio::task::JoinError| {
                        Fault::internal(
                            "run",
                            format!("the run ended early: {error}"),
                            "report this as a bug",
                        )
                    };
                    match run.await.map_err(lost).and_then(|done| done) {
                        Ok(done) => {
                            let Done { report, recording, plan, journal } = done;
                            One { report, recording, plan, journal }
                        }
                        Err(fault) => One {
                            report: self.fault_report(&request, &fault),
                            recording: None,
                            plan: None,
                            journal: None,
                        },
                    }
                }
            })
            .buffered(at_once)
            .collect()
            .await;
        if let (Some(Err(fault)), Some(last)) = (journal.map(|journal| journal.flush()), done.last_mut()) {
            last.journal = Some(fault);
        }
        done
    }
}
