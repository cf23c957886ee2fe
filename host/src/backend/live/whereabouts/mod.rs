//! Whether this program runs inside one of the workloads that it must not deploy from within (`selfBootstrapGuard` of the
//! specification): what shows that it does is searched for first, and that it does not is only said where something shows it.

mod judge;
mod neighbour;
mod traces;

use futures_util::future::join_all;

use super::{FarSides, kubernetes};
use crate::answer::{CallError, Located};
use crate::names::{ConfigName, RuntimeName};

use judge::judge;
pub use neighbour::Neighbour;
use traces::Traces;

/// What runs on a runtime, or why nobody knows.
type Around = (RuntimeName, Result<Vec<Neighbour>, CallError>);

impl FarSides {
    /// Where this program runs, seen from the workloads called `guarded`. Containers and pods are only asked for where what this
    /// process knows of itself does not tell; on a machine also not where another gate has `held` it already.
    pub(in crate::backend) async fn located(&self, guarded: &[ConfigName], held: bool) -> Located {
        let traces = Traces::here();
        let asks = !(traces.suffice(guarded) || (held && traces.on_machine()));
        let around = if asks { self.around().await } else { Vec::new() };
        judge(&traces, guarded, &around)
    }

    /// What runs on every runtime.
    async fn around(&self) -> Vec<Around> {
        let containers = self.to.config.runtimes.keys().map(async |name: &RuntimeName| {
            let found = async { self.to.engine(name).await?.running().await };
            (name.clone(), Box::pin(found).await)
        });
        let pods = self.to.config.clusters.keys().map(async |name: &RuntimeName| {
            let found = async { kubernetes::running(self.to.connected(name).await?).await };
            (name.clone(), Box::pin(found).await)
        });
        let (mut all, pods) = tokio::join!(join_all(containers), join_all(pods));
        all.extend(pods);
        all
    }
}

/// The same, by what this process knows of itself alone.
pub fn located_offline(guarded: &[ConfigName]) -> Located {
    judge(&Traces::here(), guarded, &[])
}
