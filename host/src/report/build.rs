//! From the steps of a pass to the report. Nothing here knows a service: everything is read off the operations.

use std::collections::BTreeMap;

use super::before::{last_deploy, previous_commit};
use super::parts::DIGEST_SOURCE;
use super::{
    BuildPart, Decision, DeploymentPart, DesiredPart, ErrorPart, ExpectationPart, GuardPart, Looked, Mode,
    ObjectPart, PluginPart, PolicyPart, RegistryPart, Report, RollbackPart, RunPart, SCHEMA, SecretsPart,
    SourcePart, StepDecision, StepOutcome, StepPart, TargetPart, VerificationPart, VerifiedPart,
    retention_part,
};
use crate::answer::{Answer, CallError, Literal};
use crate::artifact::{Artifact, Pair};
use crate::config::RegistryConfig;
use crate::engine::{Descriptor, EnvironmentFacts};
use crate::journal::OnFailure;
use crate::names::{Commit, Digest, Environment, LabelKey, ServiceName};
use crate::operation::{Activate, ArtifactRef, ExpectContainer, ExpectWorkload, Operation, Resolve};
use crate::recording::Recording;
use crate::step::{Pass, Step};
use crate::words::shell;

/// What is known of a run besides its steps.
pub struct Facts<'a> {
    /// How it was asked for.
    pub mode: Mode,
    /// Asked for.
    pub service: &'a ServiceName,
    /// Asked for.
    pub environment: &'a Environment,
    /// Asked for.
    pub commit: &'a Commit,
    /// What the plugin says of itself and of the environment; nothing where the pair is unsupported.
    pub described: Option<(&'a Descriptor, &'a EnvironmentFacts)>,
    /// Who knew how.
    pub plugin: Option<PluginPart>,
    /// What decided.
    pub policy: &'a Digest,
    /// Where it is written down.
    pub run: Option<String>,
    /// Where artifacts come from.
    pub registry: &'a RegistryConfig,
    /// How the registry itself is, where that should be looked at.
    pub registry_warning: Option<String>,
    /// What every advised command ends with, so that it means the same host.
    pub flags: &'a str,
    /// What the desired state says.
    pub desired: Option<DesiredPart>,
    /// Whether the commit was verified in the environment that goes before.
    pub verified: Option<VerifiedPart>,
    /// What was asked for the case of a failure.
    pub on_failure: OnFailure,
    /// The argument vector that a change runs, if it runs a program.
    pub argv: &'a dyn Fn(&Operation) -> Option<Vec<String>>,
}

/// How a run ended.
pub struct Result {
    /// In a word.
    pub decision: Decision,
    /// Whether the same command may succeed later.
    pub retryable: bool,
    /// What to do next.
    pub recommended_action: Option<String>,
    /// What went wrong.
    pub error: Option<ErrorPart>,
}

/// Puts the report together; `foreseen` is what the host itself does, or would do.
#[must_use]
pub fn build(facts: &Facts<'_>, steps: &[Step], foreseen: &[Step], result: Result) -> Report {
    let operations = || steps.iter().map(|step| &step.operation);
    let activation = operations().find_map(|operation| match operation {
        Operation::Activate(call) => Some(call),
        _ => None,
    });
    let target = activation.map(compose_target).or_else(|| kubernetes_target(steps, facts));
    let mut affected = target.as_ref().map(touched).unwrap_or_default();
    if let Some((_, environment)) = facts.described {
        affected.extend(environment.affects.iter().cloned());
    }
    Report {
        schema_version: SCHEMA,
        ok: result.decision.exit_code() == 0,
        mode: facts.mode,
        decision: result.decision,
        service: facts.service.clone(),
        environment: facts.environment.clone(),
        commit: facts.commit.clone(),
        shape: facts.described.map(|(_, environment)| environment.shape.clone()),
        supported: Vec::new(),
        retryable: result.retryable,
        recommended_action: result
            .recommended_action
            .or_else(|| (result.decision == Decision::Planned).then(|| next(facts, steps))),
        registry: steps.iter().find_map(|step| match &step.operation {
            Operation::Resolve(call) => Some(registry(facts.registry, call, resolved(step))),
            _ => None,
        }),
        source: facts.described.map(|(descriptor, _)| SourcePart {
            repository: descriptor.source.repository.clone(),
            commit: facts.commit.clone(),
            dockerfile: descriptor.source.dockerfile.clone(),
            producer: descriptor.source.producer.clone(),
        }),
        build: BuildPart::default(),
        target,
        runtime_secrets: steps.iter().find_map(secrets),
        verification: steps.iter().filter_map(verification).collect(),
        requires_supervisor_approval: operations().any(|operation| {
            matches!(operation, Operation::RequireApproval { roles } if roles.iter().any(|role| role.as_str() == "supervisor"))
        }),
        self_bootstrap_guard: steps.iter().find_map(guard),
        affected_runtime: affected,
        excluded_targets: facts.described.map(|(_, environment)| environment.excludes.clone()).unwrap_or_default(),
        state: None,
        desired_state: facts.desired.clone(),
        verified_before: facts.verified.clone(),
        last_deploy: steps.iter().find_map(last_deploy),
        rollback: rollback(facts, previous_commit(steps, facts.commit)),
        steps: steps
            .iter()
            .map(|step| StepPart {
                warning: facts.registry_warning.clone().filter(|_| matches!(step.operation, Operation::Resolve(_))),
                ..step_part(step, (facts.argv)(&step.operation))
            })
            .collect(),
        failure_path: foreseen
            .iter()
            .filter(|step| matches!(step.operation, Operation::Undo { .. }))
            .map(|step| step_part(step, None))
            .collect(),
        retention: match result.decision {
            Decision::Planned | Decision::Deployed => foreseen.iter().filter_map(retention_part).collect(),
            _ => Vec::new(),
        },
        plugin: facts.plugin.clone(),
        policy: PolicyPart { digest: facts.policy.clone() },
        run: facts.run.clone().map(|id| RunPart { id }),
        error: result.error,
    }
}

fn resolved(step: &Step) -> Option<&Artifact> {
    match &step.outcome {
        Ok(Answer::Artifact(artifact)) => Some(artifact),
        _ => None,
    }
}

fn registry(config: &RegistryConfig, call: &Resolve, artifact: Option<&Artifact>) -> RegistryPart {
    let identity = artifact.and_then(|artifact| artifact.identity.as_ref());
    RegistryPart {
        probe_url: config.manifest_url(&call.repository, call.commit.as_str()),
        repository: call.repository.to_string(),
        tag: call.commit.to_string(),
        image_ref: image_ref(config, &call.service, &call.commit),
        digest: identity.map(|identity| identity.served().clone()),
        digest_source: DIGEST_SOURCE.to_owned(),
        required_labels: labels(&call.required_labels),
    }
}

/// As a machine beside the registry names an image.
fn image_ref(config: &RegistryConfig, service: &ServiceName, commit: &Commit) -> String {
    format!("{}/{}/{service}:{commit}", config.url.authority, config.namespace)
}

fn labels(pairs: &[Pair<LabelKey>]) -> BTreeMap<String, String> {
    pairs.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

fn compose_target(call: &Activate) -> TargetPart {
    let images = call
        .stable_names
        .iter()
        .flat_map(|name| [name.to_string(), format!("{name}:{}", call.artifact.commit)])
        .collect();
    TargetPart::Compose {
        runtime: call.runtime.to_string(),
        compose_service: call.service.to_string(),
        container_name: call.container.to_string(),
        images,
        recreate_command: format!(
            "docker compose up -d --no-build --no-deps --force-recreate {}",
            call.service
        ),
    }
}

fn kubernetes_target(steps: &[Step], facts: &Facts<'_>) -> Option<TargetPart> {
    steps.iter().find_map(|step| {
        let Operation::PatchDeployments(call) = &step.operation else { return None };
        let image = image_ref(facts.registry, &call.artifact.service, &call.artifact.commit);
        let deployments = call.deployments.iter().map(|one| DeploymentPart {
            namespace: one.namespace.to_string(),
            name: one.name.to_string(),
            container: one.container.to_string(),
            image: image.clone(),
        });
        Some(TargetPart::Kubernetes {
            runtime: call.runtime.to_string(),
            deployments: deployments.collect(),
            objects: steps.iter().filter_map(|step| object(&step.operation)).collect(),
        })
    })
}

fn object(operation: &Operation) -> Option<ObjectPart> {
    let Operation::SyncObject(call) = operation else { return None };
    Some(ObjectPart {
        kind: call.kind.as_str().to_owned(),
        namespace: call.namespace.to_string(),
        name: call.name.to_string(),
        source: call.source.to_string(),
        keys: call.entries.iter().map(|(_, key)| key.to_string()).collect(),
    })
}

fn touched(target: &TargetPart) -> Vec<String> {
    match target {
        TargetPart::Compose { runtime, compose_service, container_name, .. } => {
            vec![format!("{runtime}/{compose_service} (container {container_name})")]
        }
        TargetPart::Kubernetes { runtime, deployments, objects } => {
            let deployment = |one: &DeploymentPart| format!("{runtime}/{}/{}", one.namespace, one.name);
            let object = |one: &ObjectPart| format!("{runtime}/{}/{}/{}", one.kind, one.namespace, one.name);
            deployments.iter().map(deployment).chain(objects.iter().map(object)).collect()
        }
    }
}

fn secrets(step: &Step) -> Option<SecretsPart> {
    let Ok(Answer::Gate(state)) = &step.outcome else { return None };
    let found = state.secrets.as_ref()?;
    let keys = found.keys.clone().unwrap_or_default();
    let missing: Vec<String> = keys.iter().filter(|key| !key.present).map(|key| key.key.clone()).collect();
    Some(SecretsPart {
        secret_source: found.source.clone(),
        required_secrets_present: found.keys.as_ref().map(|_| missing.is_empty()),
        missing_secret_keys: missing,
        keys,
        recommended_action: if state.met { found.warning.clone() } else { Some(state.reason.clone()) },
    })
}

fn guard(step: &Step) -> Option<GuardPart> {
    let Operation::RequireOutside { .. } = &step.operation else { return None };
    let located = match &step.outcome {
        Ok(Answer::Gate(state)) => state.located.as_ref(),
        _ => None,
    };
    Some(GuardPart {
        applies: true,
        result: located.map(|located| located.result),
        evidence: located.map(|located| located.evidence.clone()).unwrap_or_default(),
    })
}

fn verification(step: &Step) -> Option<VerificationPart> {
    match &step.operation {
        Operation::Resolve(_) => {
            let asked = resolved(step).is_some_and(|artifact| artifact.identity.is_some());
            let mut expectations = expectations(&step.operation);
            if asked {
                // A label that differs is an error of `resolve`, so what was resolved carries them all.
                for one in &mut expectations {
                    one.found.clone_from(&one.equals);
                }
            }
            let satisfied = match &step.outcome {
                Ok(_) => asked.then_some(true),
                Err(CallError::Mismatch(_)) => Some(false),
                Err(_) => None,
            };
            Some(VerificationPart {
                what: Looked::Labels,
                target: step.operation.target(),
                expectations,
                satisfied,
            })
        }
        Operation::ExpectContainer(ExpectContainer { artifact, .. }) => {
            Some(checked(Looked::Container, step, with_image(artifact, &step.operation)))
        }
        Operation::ExpectWorkload(ExpectWorkload { artifact, .. }) => {
            Some(checked(Looked::Pods, step, with_image(artifact, &step.operation)))
        }
        Operation::ExpectHealth(_) => Some(checked(Looked::Health, step, expectations(&step.operation))),
        _ => None,
    }
}

/// What runs must be the artifact, and carry what is expected of it.
fn with_image(artifact: &ArtifactRef, operation: &Operation) -> Vec<ExpectationPart> {
    let image = ExpectationPart {
        pointer: "/image".to_owned(),
        equals: artifact.digest.as_ref().map(|digest| Literal::Text(digest.to_string())),
        absent: false,
        found: None,
    };
    std::iter::once(image).chain(expectations(operation)).collect()
}

fn expectations(operation: &Operation) -> Vec<ExpectationPart> {
    let part = |(pointer, equals)| {
        let absent = equals == Literal::Absent;
        ExpectationPart { pointer, equals: Some(equals).filter(|_| !absent), absent, found: None }
    };
    operation.expected().into_iter().map(part).collect()
}

fn checked(what: Looked, step: &Step, mut expectations: Vec<ExpectationPart>) -> VerificationPart {
    let mut satisfied = None;
    match &step.outcome {
        Ok(Answer::Checks(checks)) => {
            for check in checks {
                if let Some(one) = expectations.iter_mut().find(|one| one.pointer == check.pointer.as_str()) {
                    one.found.clone_from(&check.found);
                }
            }
            satisfied = Some(step.is_satisfied());
        }
        Ok(_) => {}
        Err(_) => satisfied = Some(false),
    }
    VerificationPart { what, target: step.operation.target(), expectations, satisfied }
}

/// What comes after a plan: the deploy itself, as far as the gates let it.
fn next(facts: &Facts<'_>, steps: &[Step]) -> String {
    let rollback = if facts.on_failure == OnFailure::Rollback { " --on-failure rollback" } else { "" };
    let given = facts.desired.as_ref().and_then(|desired| desired.reason.as_deref());
    let given = given.map(|reason| format!(" --override-desired {}", shell(reason))).unwrap_or_default();
    let flags = format!("{rollback}{given}{}", facts.flags);
    let command = deploy_command(facts.service, facts.environment, facts.commit.as_str(), &flags);
    let unmet: Vec<&Operation> = Recording::unmet(steps).map(|(step, _)| &step.operation).collect();
    if unmet.is_empty() {
        return command;
    }
    if unmet.iter().any(|operation| matches!(operation, Operation::Hold { .. })) {
        return "nothing: a live deploy is refused (guard.hold)".to_owned();
    }
    let names: Vec<_> = unmet.iter().map(|operation| operation.name()).collect();
    format!("meet what a live deploy is refused for ({}), then run `{command}`", names.join(", "))
}

/// The live deploy of one commit, as an operator types it.
#[must_use]
pub fn deploy_command(service: &ServiceName, environment: &Environment, commit: &str, flags: &str) -> String {
    format!("host deploy {service} --env {environment} --commit {commit} --run-now{flags}")
}

/// Another commit than the desired one has to be asked for as such.
#[must_use]
pub fn way_back_flag(desired: Option<&DesiredPart>) -> &'static str {
    if desired.is_some() { " --override-desired rollback" } else { "" }
}

fn rollback(facts: &Facts<'_>, previous: Option<String>) -> RollbackPart {
    let commit = previous.as_deref().unwrap_or("<previous-full-sha>");
    let flags = format!("{}{}", facts.flags, way_back_flag(facts.desired.as_ref()));
    RollbackPart {
        command: deploy_command(facts.service, facts.environment, commit, &flags),
        previous_commit: previous,
    }
}

/// One operation as the report tells it.
#[must_use]
pub fn step_part(step: &Step, argv: Option<Vec<String>>) -> StepPart {
    let (outcome, message) = outcome(step);
    StepPart {
        seq: step.seq,
        operation: step.operation.name().to_owned(),
        kind: step.kind,
        target: step.operation.target(),
        decision: StepDecision::from(&step.verdict),
        outcome,
        message,
        warning: None,
        argv,
        duration_ms: step.duration_ms,
    }
}

pub(super) fn outcome(step: &Step) -> (StepOutcome, Option<String>) {
    match &step.outcome {
        Err(error) => (error.into(), Some(error.to_string())),
        Ok(Answer::NotAsked) => (StepOutcome::NotAsked, None),
        Ok(Answer::Artifact(artifact)) if artifact.identity.is_none() => (StepOutcome::NotAsked, None),
        Ok(Answer::Gate(state)) => {
            (if state.met { StepOutcome::Met } else { StepOutcome::Pending }, Some(state.reason.clone()))
        }
        Ok(Answer::Checks(_)) if !step.is_satisfied() => (StepOutcome::Unsatisfied, None),
        Ok(Answer::Done) if step.found_it_so() => (StepOutcome::AlreadySo, None),
        Ok(Answer::Done) if step.pass != Pass::Live => (StepOutcome::Planned, None),
        Ok(_) => (StepOutcome::Ok, None),
    }
}
