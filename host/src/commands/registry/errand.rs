//! A command about the registry's own life: through the gate as a part of the host, and into the journal with what came of it.

use std::sync::Arc;

use serde::Serialize;

use crate::answer::{Answer, CallError};
use crate::backend::Backend;
use crate::backend::live::{Connections, FarSides};
use crate::commands::Global;
use crate::config::Config;
use crate::fault::Fault;
use crate::gate::halt::Halt;
use crate::gate::{Audience, Gate, Subject, Unheard};
use crate::journal::{Begin, Journal, OnFailure, RunLog};
use crate::operation::Operation;
use crate::policy::{BuiltIn, Policy, Principal};
use crate::progress::Interrupt;
use crate::run::circumstances;
use crate::who::requester;

/// How many operations a pass of such a command has at most.
const CALLS: u64 = 8;

/// One command, from its first question to its line in the journal.
pub struct Errand {
    /// The operator's configuration.
    pub config: Config,
    /// What is asked.
    pub far: Arc<FarSides>,
    /// Where it is written down.
    pub journal: Journal,
    policy: Arc<Policy>,
    requester: String,
    log: RunLog,
}

/// What a command came to, for the journal: a word, and the exit code.
pub struct End {
    /// `healthy`, `installed`, `denied`.
    pub decision: String,
    /// Of the process.
    pub code: u8,
}

impl Errand {
    /// Begins `host registry <command>`; `mode` is as in the journal.
    ///
    /// # Errors
    /// A [`Fault`] for a configuration, policies or a journal that cannot be used.
    pub fn begin(global: &Global, command: &str, mode: &str) -> Result<Self, Fault> {
        let config = global.config()?;
        let policy = Arc::new(Policy::load(&config.policies)?);
        Self::of(config, policy, command, mode)
    }

    /// The same with a configuration and policies that are read already.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub fn of(config: Config, policy: Arc<Policy>, command: &str, mode: &str) -> Result<Self, Fault> {
        let requester = requester();
        let journal = Journal::open(&config.state)?;
        let log = journal.begin(&Begin {
            command: &format!("registry {command}"),
            deployed: None,
            mode,
            batched: mode != "live",
            requester: &requester,
            on_failure: OnFailure::Leave,
            policy: policy.digest(),
        })?;
        let far = Arc::new(FarSides::new(Arc::new(Connections::new(&config))));
        Ok(Self { config, far, journal, policy, requester, log })
    }

    /// The door of one pass, after `before` steps of the same pass.
    pub fn gate(
        &self,
        backend: Backend,
        audience: Arc<dyn Audience>,
        interrupt: &Interrupt,
        before: u32,
    ) -> Gate {
        let subject = Subject {
            principal: Principal::BuiltIn { built_in: BuiltIn::Registry },
            context: circumstances(&self.config.zone, &self.requester, None, true),
        };
        let policy = Arc::clone(&self.policy);
        Gate::new(policy, subject, self.log.clone(), backend, audience, interrupt.clone(), CALLS)
            .following(before)
    }

    /// One question of a command that only looks.
    ///
    /// # Errors
    /// The outer error is of the host itself; the inner one says why there is no answer.
    pub async fn ask(&self, operation: Operation) -> Result<Result<Answer, CallError>, Fault> {
        self.ask_after(0, operation).await
    }

    /// The same, after `before` steps of the same pass.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub async fn ask_after(
        &self,
        before: u32,
        operation: Operation,
    ) -> Result<Result<Answer, CallError>, Fault> {
        let backend = Backend::Observing(Arc::clone(&self.far));
        let mut gate = self.gate(backend, Arc::new(Unheard), &Interrupt::pair().1, before);
        gate.perform(operation).await.map_err(fault)
    }

    /// Closes the record: with the answer, or with why there is none.
    ///
    /// # Errors
    /// That of `ended`; one of the journal.
    pub fn close<T: Serialize>(&self, ended: Result<(End, T), Fault>) -> Result<(End, T), Fault> {
        match ended {
            Ok((end, answer)) => {
                let text = serde_json::to_string(&answer)
                    .map_err(|error| bug(&format!("the answer cannot be written: {error}")))?;
                self.log.finish(&end.decision, end.code, &text)?;
                Ok((end, answer))
            }
            Err(fault) => {
                if let Err(journal) = self.log.abandon(&fault) {
                    tracing::warn!(%journal, "this command is not in the journal");
                }
                Err(fault)
            }
        }
    }
}

/// The fault of a pass that ended by itself.
pub fn fault(halt: Halt) -> Fault {
    match halt {
        Halt::Journal(fault) => fault,
        other => bug(&other.to_string()),
    }
}

/// What should not be.
pub fn bug(what: &str) -> Fault {
    Fault::internal("registry", what, "report this as a bug")
}

/// What policy refused.
pub fn denied(reason: String) -> Fault {
    Fault::denied(reason, "let a rule permit it, as registry.cedar of the release does; nobody was asked")
}
