//! One file per interface of the contract: a guest call becomes an [`Operation`], passes the gate, and its answer goes
//! back as the contract's types. No I/O here.

pub mod bindings;
mod compose;
mod guard;
mod health;
mod image;
mod kubernetes;
mod log;
mod registry;

use std::time::{Duration, Instant};

use wasmtime::component::{Resource, ResourceTable};

use crate::answer::{Answer, CallError, Check, Literal};
use crate::artifact::{Artifact, Pair};
use crate::config::Limits;
use crate::gate::Gate;
use crate::gate::halt::Halt;
use crate::names::{Commit, EnvKey, ImageName, NameError, PlainValue, RuntimeName, ServiceName};
use crate::operation::{ArtifactRef, Operation};
use bindings::deploy::consumer::types as wit;

/// What the whole run is about; a plugin is held to it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The service.
    pub service: ServiceName,
    /// The one commit that may be deployed.
    pub commit: Commit,
    /// First part of every repository.
    pub namespace: ImageName,
    /// Where the environment that is deployed to runs.
    pub runtime: RuntimeName,
}

/// The host's side of one guest run.
pub struct Guest {
    /// None while the guest only describes itself: then it may call nothing.
    run: Option<(Gate, Asked)>,
    runtime: tokio::runtime::Handle,
    table: ResourceTable,
    log_left: usize,
    /// Calls that ended in an error; those that reached the gate are counted there too.
    refused: u64,
    call_limit: u64,
    /// Time spent in host calls; the guest's own deadline does not count it.
    outside: Duration,
}

/// A call that gives the guest no value: an error it is told, or the end of the pass.
#[derive(Debug)]
pub enum Refusal {
    /// Data for the plugin.
    Told(CallError),
    /// The pass ends; the plugin never sees it.
    Halt(Halt),
    /// The guest broke a rule of the component model, such as naming a resource it does not hold.
    Broken(String),
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Told(CallError::Invalid(error.to_string()))
    }
}

impl Guest {
    /// A guest that may call: every call passes `gate`.
    #[must_use]
    pub fn new(gate: Gate, runtime: tokio::runtime::Handle, asked: Asked, limits: &Limits) -> Self {
        Self { run: Some((gate, asked)), ..Self::mute(runtime, limits) }
    }

    /// A guest that may call nothing.
    #[must_use]
    pub fn mute(runtime: tokio::runtime::Handle, limits: &Limits) -> Self {
        Self {
            run: None,
            runtime,
            table: ResourceTable::new(),
            log_left: limits.log_bytes,
            refused: 0,
            call_limit: limits.host_calls,
            outside: Duration::ZERO,
        }
    }

    /// Ends the run; the gate knows what passed.
    #[must_use]
    pub fn into_gate(self) -> Option<Gate> {
        self.run.map(|(gate, _)| gate)
    }

    /// Time spent in host calls so far.
    #[must_use]
    pub fn outside(&self) -> Duration {
        self.outside
    }

    fn run(&mut self) -> Result<&mut (Gate, Asked), Refusal> {
        self.run
            .as_mut()
            .ok_or_else(|| Refusal::Broken("it may call nothing while it describes itself".to_owned()))
    }

    fn gate(&mut self) -> Result<&mut Gate, Refusal> {
        self.run().map(|(gate, _)| gate)
    }

    fn asked(&mut self) -> Result<Asked, Refusal> {
        self.run().map(|(_, asked)| asked.clone())
    }

    fn perform(&mut self, operation: Operation) -> Result<Answer, Refusal> {
        let runtime = self.runtime.clone();
        self.outside_time(|guest| Ok::<_, Refusal>(runtime.block_on(guest.gate()?.perform(operation))?))?
            .map_err(Refusal::Told)
    }

    /// Does the host's work on the host's time.
    fn outside_time<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let done = work(self);
        self.outside += begun.elapsed();
        done
    }

    /// A change: nothing comes back but that it was done.
    fn change(&mut self, operation: Operation) -> Result<(), Refusal> {
        self.perform(operation).map(|_| ())
    }

    /// A gate: whether it is met is not the plugin's business; the run ends before its first change if not.
    fn declare(&mut self, operation: Operation) -> Result<(), Refusal> {
        self.perform(operation).map(|_| ())
    }

    /// A verification.
    fn verify(&mut self, operation: Operation) -> Result<Option<Vec<wit::Check>>, Refusal> {
        match self.perform(operation)? {
            Answer::Checks(checks) => Ok(Some(checks.into_iter().map(check).collect())),
            _ => Ok(None),
        }
    }

    fn artifact(&self, handle: &Resource<Artifact>) -> Result<&Artifact, Refusal> {
        self.table.get(handle).map_err(|error| Refusal::Broken(error.to_string()))
    }

    fn artifact_ref(&self, handle: &Resource<Artifact>) -> Result<ArtifactRef, Refusal> {
        self.artifact(handle).map(ArtifactRef::from)
    }
}

impl wit::Host for Guest {
    fn convert_error(&mut self, refusal: Refusal) -> wasmtime::Result<wit::Error> {
        // A refused argument never reaches the gate, where calls are counted.
        self.refused += 1;
        if self.refused > self.call_limit {
            return Err(wasmtime::Error::new(Halt::Calls { limit: self.call_limit }));
        }
        Ok(match refusal {
            Refusal::Halt(halt) => return Err(wasmtime::Error::new(halt)),
            Refusal::Broken(why) => return Err(wasmtime::Error::msg(why)),
            Refusal::Told(CallError::Denied { reason, policies }) => {
                wit::Error::Denied(wit::Denial { reason, policies })
            }
            Refusal::Told(CallError::NotFound(text)) => wit::Error::NotFound(text),
            Refusal::Told(CallError::Unavailable(text) | CallError::Unreachable { text, .. }) => {
                wit::Error::Unavailable(text)
            }
            Refusal::Told(CallError::Mismatch(text)) => wit::Error::Mismatch(text),
            Refusal::Told(CallError::Invalid(text)) => wit::Error::Invalid(text),
            Refusal::Told(CallError::Other(text)) => wit::Error::Other(text),
        })
    }
}

fn check(check: Check) -> wit::Check {
    wit::Check {
        pointer: check.pointer.into(),
        found: check.found.map(|found| match found {
            Literal::Absent => wit::Literal::Absent,
            Literal::Flag(flag) => wit::Literal::Flag(flag),
            Literal::Number(number) => wit::Literal::Number(number),
            Literal::Text(text) => wit::Literal::Text(text),
        }),
        satisfied: check.satisfied,
    }
}

/// Most entries of one list of a call. Each may become a question to the policy and a line of the journal.
const MOST: usize = 100;

/// A list that is not longer than anybody needs.
fn few<T>(list: &[T]) -> Result<&[T], Refusal> {
    if list.len() <= MOST {
        return Ok(list);
    }
    let why = format!("one list has {} entries; the most is {MOST}", list.len());
    Err(Refusal::Told(CallError::Invalid(why)))
}

/// Each of a list of names, or the first that breaks its rule.
fn names<T: std::str::FromStr<Err = NameError>>(texts: &[String]) -> Result<Vec<T>, Refusal> {
    few(texts)?.iter().map(|text| Ok(text.parse()?)).collect()
}

/// Pairs whose keys keep their rule, no key twice.
fn pairs<K: std::str::FromStr<Err = NameError> + PartialEq + std::fmt::Display>(
    texts: &[wit::Pair],
) -> Result<Vec<Pair<K>>, Refusal> {
    let mut pairs: Vec<Pair<K>> = Vec::with_capacity(texts.len());
    for text in few(texts)? {
        let pair = Pair { key: text.key.parse()?, value: PlainValue::parse(&text.value)? };
        if pairs.iter().any(|one| one.key == pair.key) {
            return Err(Refusal::Told(CallError::Invalid(format!("the key {} is given twice", pair.key))));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Stamps with their prefix put before each key.
fn stamps(prefix: &str, texts: &[wit::Pair]) -> Result<Vec<Pair<EnvKey>>, Refusal> {
    let bare: Vec<Pair<EnvKey>> = pairs(texts)?;
    bare.into_iter().map(|pair| Ok(Pair { key: stamp_key(prefix, &pair.key)?, value: pair.value })).collect()
}

/// Keys of a stamp with their prefix.
fn stamp_keys(prefix: &str, texts: &[String]) -> Result<Vec<EnvKey>, Refusal> {
    let bare: Vec<EnvKey> = names(texts)?;
    bare.iter().map(|key| stamp_key(prefix, key)).collect()
}

fn stamp_key(prefix: &str, bare: &EnvKey) -> Result<EnvKey, Refusal> {
    // `B_DEPLOY_COMMIT` of a service `a` would be `COMMIT` of a service `a-deploy-b`.
    if bare.as_str().contains("DEPLOY_") {
        let why =
            format!("a stamp has no key {bare}: with DEPLOY_ in it, it could be that of another service");
        return Err(Refusal::Told(CallError::Invalid(why)));
    }
    Ok(EnvKey::parse(&format!("{prefix}{bare}"))?)
}
