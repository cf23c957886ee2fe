//! Steps of a pass, made of bytes: every value that a type allows, the dangerous ones more often.

use std::str::FromStr;

use arbitrary::{Error, Result, Unstructured};
use serde_json::{Map, Value};

use crate::answer::{
    Answer, CallError, Check, ContainerView, Expectation, GateState, Literal, Located, SecretPresence,
    SecretsFound, Whereabouts, WorkloadView,
};
use crate::artifact::{Artifact, Identity, Pair};
use crate::names::{
    Commit, ConfigName, ContainerName, Digest, EnvKey, ImageName, KubernetesName, RuntimeName,
};
use crate::operation::{
    Activate, ArtifactRef, AwaitRollout, Deliver, Deployment, ExpectContainer, ExpectHealth, HealthTarget,
    InspectContainer, InspectWorkload, Kind, ObjectKind, Operation, PatchDeployments, Resolve, SyncObject,
};
use crate::policy::Decision;
use crate::step::{Pass, Step};

/// Most steps of a pass, and most entries of a list.
const MOST: usize = 5;
/// Deepest JSON.
const DEEPEST: usize = 3;

type Bytes<'a, 'b> = &'b mut Unstructured<'a>;

/// A pass, numbered from 1.
pub fn steps(u: Bytes<'_, '_>) -> Result<Vec<Step>> {
    let mut steps = list(u, 0, step)?;
    number(&mut steps);
    Ok(steps)
}

/// Another pass, which is often much like `one`.
pub fn like(u: Bytes<'_, '_>, one: &[Step]) -> Result<Vec<Step>> {
    let mut steps = one.to_vec();
    for _ in 0..u.int_in_range(0..=2)? {
        let at = u.int_in_range(0..=steps.len())?;
        match u.int_in_range(0..=5)? {
            0 => steps.insert(at, step(u)?),
            1 => steps.truncate(at),
            2 if at > 1 => steps.swap(at - 1, at - 2),
            3 if at > 0 => steps.insert(at, steps[at - 1].clone()),
            4 if at > 0 => steps[at - 1].before = state(u)?,
            5 if at > 0 => steps[at - 1].operation = operation(u, true)?,
            _ => {}
        }
    }
    number(&mut steps);
    Ok(steps)
}

fn number(steps: &mut [Step]) {
    for (step, seq) in steps.iter_mut().zip(1..) {
        step.seq = seq;
    }
}

fn step(u: Bytes<'_, '_>) -> Result<Step> {
    let operation = operation(u, true)?;
    let kind = operation.kind(u.arbitrary()?);
    // Mostly of its kind.
    let kind =
        if u.ratio(1, 8)? { *u.choose(&[Kind::Read, Kind::Gate, Kind::Change, Kind::Verify])? } else { kind };
    let before = state(u)?;
    Ok(Step {
        pass: *u.choose(&[Pass::Predicting, Pass::Observing, Pass::Live])?,
        seq: 0,
        operation,
        kind,
        verdict: Decision {
            allowed: u.arbitrary()?,
            policies: list(u, 0, text)?,
            reason: maybe(u, text)?,
            needs: list(u, 0, text)?,
        },
        outcome: if u.ratio(1, 4)? { Err(error(u)?) } else { Ok(answer(u)?) },
        desired: if u.arbitrary()? { before.clone() } else { state(u)? },
        before,
        after: state(u)?,
        left: u.ratio(1, 4)?,
        duration_ms: u.arbitrary()?,
    })
}

/// What a change finds or wants; never a bare `null`, which stands for nothing in JSON.
fn state(u: Bytes<'_, '_>) -> Result<Option<Value>> {
    Ok(maybe(u, |u| json(u, 0))?.filter(|value| !value.is_null()))
}

fn json(u: Bytes<'_, '_>, depth: usize) -> Result<Value> {
    let deeper = |u: Bytes<'_, '_>| json(u, depth + 1);
    Ok(match u.int_in_range(0..=if depth < DEEPEST { 6 } else { 4 })? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => u.arbitrary::<i64>()?.into(),
        3 => u.arbitrary::<u64>()?.into(),
        4 => text(u)?.into(),
        5 => list(u, 0, deeper)?.into(),
        _ => list(u, 0, |u| Ok((text(u)?, deeper(u)?)))?.into_iter().collect::<Map<_, _>>().into(),
    })
}

fn operation(u: Bytes<'_, '_>, undo: bool) -> Result<Operation> {
    Ok(match u.int_in_range(0..=if undo { 15 } else { 14 })? {
        0 => Operation::Resolve(Resolve {
            service: dashed(u)?,
            commit: commit(u)?,
            repository: image(u)?,
            required_labels: list(u, 0, |u| pair(u, &[".", "/"]))?,
        }),
        1 => Operation::Deliver(Deliver { artifact: artifact_ref(u)?, runtime: dashed(u)?, name: image(u)? }),
        2 => Operation::Activate(Activate {
            artifact: artifact_ref(u)?,
            runtime: dashed(u)?,
            delivered: image(u)?,
            service: tame(u)?,
            container: tame(u)?,
            stable_names: list(u, 0, image)?,
            stamp: list(u, 0, stamp)?,
        }),
        3 => Operation::InspectContainer(InspectContainer {
            runtime: dashed(u)?,
            container: tame(u)?,
            labels: list(u, 0, |u| words(u, &["a", "b9"], "/"))?,
            env: list(u, 0, env_key)?,
        }),
        4 => Operation::ExpectContainer(ExpectContainer {
            artifact: artifact_ref(u)?,
            runtime: dashed(u)?,
            container: tame(u)?,
            labels: list(u, 0, |u| pair(u, &[".", "/"]))?,
            env: list(u, 0, stamp)?,
        }),
        5 => Operation::PatchDeployments(PatchDeployments {
            artifact: artifact_ref(u)?,
            runtime: dashed(u)?,
            // A plugin cannot ask for none.
            deployments: list(u, 1, deployment)?,
            stamp: list(u, 0, stamp)?,
        }),
        6 => Operation::AwaitRollout(AwaitRollout {
            runtime: dashed(u)?,
            deployment: deployment(u)?,
            within_seconds: u.arbitrary()?,
        }),
        7 => Operation::InspectWorkload(InspectWorkload {
            runtime: dashed(u)?,
            deployment: deployment(u)?,
            env: list(u, 0, env_key)?,
            annotations: list(u, 0, |u| words(u, &["a", "b9"], "/"))?,
        }),
        8 => Operation::SyncObject(SyncObject {
            runtime: dashed(u)?,
            kind: *u.choose(&[ObjectKind::Secret, ObjectKind::ConfigMap])?,
            namespace: kubernetes(u)?,
            name: kubernetes(u)?,
            source: tame(u)?,
            entries: list(u, 0, |u| Ok((pointer(u)?, tame(u)?)))?,
        }),
        9 => Operation::ExpectHealth(ExpectHealth {
            service: dashed(u)?,
            target: target(u)?,
            expectations: list(u, 0, |u| Ok(Expectation { pointer: pointer(u)?, equals: literal(u)? }))?,
            within_seconds: u.arbitrary()?,
        }),
        10 => Operation::RequireSecrets { runtime: dashed(u)?, source: tame(u)?, keys: list(u, 1, env_key)? },
        11 => Operation::RequireApproval { roles: list::<ConfigName>(u, 1, tame)? },
        12 => Operation::RequireOutside { workloads: list::<ConfigName>(u, 1, tame)? },
        13 => Operation::Hold { reason: text(u)? },
        14 => Operation::RequirePinned,
        _ => Operation::Undo { change: Box::new(operation(u, false)?) },
    })
}

fn target(u: Bytes<'_, '_>) -> Result<HealthTarget> {
    Ok(match u.int_in_range(0..=2)? {
        0 => HealthTarget::Endpoint { name: tame(u)? },
        1 => HealthTarget::Service {
            runtime: dashed(u)?,
            namespace: kubernetes(u)?,
            service: kubernetes(u)?,
            port: kubernetes(u)?,
            path: parsed(&format!("/{}", word(u, &["", "health", "~x"])?))?,
        },
        _ => HealthTarget::Container {
            runtime: dashed::<RuntimeName>(u)?,
            container: tame::<ContainerName>(u)?,
            port: u.arbitrary()?,
            path: parsed(&format!("/{}", word(u, &["", "health", "~x"])?))?,
            with_stamp: u.arbitrary()?,
        },
    })
}

fn answer(u: Bytes<'_, '_>) -> Result<Answer> {
    let entries = |u: Bytes<'_, '_>| list(u, 0, |u| Ok((text(u)?, text(u)?)));
    Ok(match u.int_in_range(0..=6)? {
        0 => Answer::NotAsked,
        1 => Answer::Done,
        2 => Answer::Gate(GateState {
            met: u.arbitrary()?,
            reason: text(u)?,
            secrets: maybe(u, |u| {
                let presence = |u: Bytes<'_, '_>| {
                    Ok(SecretPresence { key: text(u)?, present: u.arbitrary()?, length: u.arbitrary()? })
                };
                Ok(SecretsFound {
                    source: text(u)?,
                    keys: maybe(u, |u| list(u, 0, presence))?,
                    warning: maybe(u, text)?,
                })
            })?,
            located: maybe(u, |u| {
                let result = *u.choose(&[Whereabouts::Inside, Whereabouts::Outside, Whereabouts::Unknown])?;
                Ok(Located { result, evidence: list(u, 0, text)? })
            })?,
        }),
        3 => Answer::Artifact(Box::new(Artifact {
            service: dashed(u)?,
            commit: commit(u)?,
            repository: image(u)?,
            identity: maybe(u, identity)?,
            labels: list(u, 0, |u| pair(u, &["."]))?,
        })),
        5 => Answer::Workload(maybe(u, |u| {
            Ok(WorkloadView { image: text(u)?, env: entries(u)?, annotations: entries(u)? })
        })?),
        4 => Answer::Container(maybe(u, |u| {
            Ok(ContainerView { image_digest: maybe(u, text)?, labels: entries(u)?, env: entries(u)? })
        })?),
        _ => Answer::Checks(list(u, 0, |u| {
            // Nothing and an explicit nothing are the same in JSON; a check never has the second one.
            let found = maybe(u, literal)?.filter(|found| *found != Literal::Absent);
            Ok(Check { pointer: pointer(u)?, found, satisfied: u.arbitrary()? })
        })?),
    })
}

fn error(u: Bytes<'_, '_>) -> Result<CallError> {
    Ok(match u.int_in_range(0..=5)? {
        0 => CallError::Denied { reason: text(u)?, policies: list(u, 0, text)? },
        1 => CallError::NotFound(text(u)?),
        2 => CallError::Unavailable(text(u)?),
        3 => CallError::Mismatch(text(u)?),
        4 => CallError::Invalid(text(u)?),
        _ => CallError::Other(text(u)?),
    })
}

fn identity(u: Bytes<'_, '_>) -> Result<Identity> {
    Ok(Identity {
        index: maybe(u, digest)?,
        manifest: digest(u)?,
        config: digest(u)?,
        diff_ids: list(u, 0, digest)?,
        size: u.arbitrary()?,
    })
}

fn artifact_ref(u: Bytes<'_, '_>) -> Result<ArtifactRef> {
    Ok(ArtifactRef { service: dashed(u)?, commit: commit(u)?, digest: maybe(u, digest)? })
}

fn deployment(u: Bytes<'_, '_>) -> Result<Deployment> {
    Ok(Deployment { namespace: kubernetes(u)?, name: kubernetes(u)?, container: kubernetes(u)? })
}

fn literal(u: Bytes<'_, '_>) -> Result<Literal> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Literal::Absent,
        1 => Literal::Flag(u.arbitrary()?),
        2 => Literal::Number(u.arbitrary()?),
        _ => Literal::Text(text(u)?),
    })
}

fn stamp(u: Bytes<'_, '_>) -> Result<Pair<EnvKey>> {
    Ok(Pair { key: env_key(u)?, value: parsed(word(u, &["", "x", "-f", "https://a.b/c", "0a1b"])?)? })
}

fn pair<K: FromStr>(u: Bytes<'_, '_>, between: &[&str]) -> Result<Pair<K>> {
    let between = word(u, between)?;
    Ok(Pair {
        key: words(u, &["org", "a", "b9"], between)?,
        value: parsed(word(u, &["", "x", "--x", "0a1b"])?)?,
    })
}

/// Any text: controls, quotes, brackets and escapes of other notations among it.
fn text(u: Bytes<'_, '_>) -> Result<String> {
    const SHARP: [&str; 8] = ["\u{1b}[2J", "\n", "\"", "\\", "{}", "null", "\u{202e}", "\0"];
    let sharp = if u.ratio(1, 4)? { word(u, &SHARP)? } else { "" };
    let length = u.int_in_range(0..=12)?;
    Ok(String::from_utf8_lossy(u.bytes(length)?).into_owned() + sharp)
}

fn pointer<T: FromStr>(u: Bytes<'_, '_>) -> Result<T> {
    let parts = list(u, 0, |u| word(u, &["", "deploy", "commit", "a~1b", "~0", "0", " é", "labels"]))?;
    parsed(&parts.iter().flat_map(|part| ["/", part]).collect::<String>())
}

fn commit(u: Bytes<'_, '_>) -> Result<Commit> {
    parsed(&word(u, &["0", "a", "f"])?.repeat(40))
}

fn digest(u: Bytes<'_, '_>) -> Result<Digest> {
    parsed(&format!("sha256:{}", word(u, &["0", "a", "f"])?.repeat(64)))
}

fn dashed<T: FromStr>(u: Bytes<'_, '_>) -> Result<T> {
    words(u, &["web", "a", "b9", "0"], "-")
}

fn image(u: Bytes<'_, '_>) -> Result<ImageName> {
    words(u, &["unidesk", "web", "a.b", "b_9"], "/")
}

fn kubernetes(u: Bytes<'_, '_>) -> Result<KubernetesName> {
    words(u, &["web", "a", "b9", "0"], ".")
}

fn env_key(u: Bytes<'_, '_>) -> Result<EnvKey> {
    words(u, &["UNIDESK", "A", "B9"], "_")
}

fn tame<T: FromStr>(u: Bytes<'_, '_>) -> Result<T> {
    words(u, &["web", "A", "b.9", "0-"], "_")
}

fn words<T: FromStr>(u: Bytes<'_, '_>, known: &[&str], between: &str) -> Result<T> {
    let count = u.int_in_range(1..=3)?;
    let words = (0..count).map(|_| word(u, known)).collect::<Result<Vec<_>>>()?;
    parsed(&words.join(between))
}

fn word<'w>(u: Bytes<'_, '_>, known: &[&'w str]) -> Result<&'w str> {
    u.choose(known).copied()
}

fn parsed<T: FromStr>(text: &str) -> Result<T> {
    text.parse().or(Err(Error::IncorrectFormat))
}

fn maybe<'a, T>(u: Bytes<'a, '_>, of: impl FnOnce(Bytes<'a, '_>) -> Result<T>) -> Result<Option<T>> {
    if u.arbitrary()? { of(u).map(Some) } else { Ok(None) }
}

fn list<T>(u: Bytes<'_, '_>, least: usize, mut of: impl FnMut(Bytes<'_, '_>) -> Result<T>) -> Result<Vec<T>> {
    let length = u.int_in_range(least..=MOST)?;
    (0..length).map(|_| of(u)).collect()
}
