//! What the steps of a run come to.

mod gambler;
mod goldens;

use super::conclude::conclude_observed;
use super::proof::{Shortfall, verdict};
use super::*;
use crate::answer::{Answer, CallError, Check, Expectation, GateState, Literal};
use crate::artifact::{Pair, REVISION_LABEL};
use crate::engine::Ending;
use crate::names::{ContainerName, EnvKey, LabelKey, PlainValue, Pointer, RuntimeName};
use crate::operation::{ArtifactRef, ExpectContainer, ExpectHealth, HealthTarget, Operation};
use crate::policy::Decision as Verdict;
use crate::step::Pass;

fn commit() -> Commit {
    Commit::parse(&"a".repeat(40)).expect("a commit")
}

fn request(mode: Mode) -> Request {
    Request {
        service: ServiceName::parse("project-manager").expect("a service"),
        environment: Environment::parse("prod").expect("an environment"),
        commit: commit(),
        mode,
        wait: false,
        on_failure: OnFailure::Leave,
        override_desired: None,
        artifact: None,
        compare: false,
        keep: false,
    }
}

fn step(operation: Operation, outcome: Result<Answer, CallError>) -> Step {
    Step {
        pass: Pass::Live,
        seq: 1,
        kind: operation.kind(true),
        operation,
        verdict: Verdict::permitted(Vec::new()),
        outcome,
        before: None,
        desired: None,
        after: None,
        left: false,
        duration_ms: 0,
    }
}

fn pair<K>(key: K, value: &str) -> Pair<K> {
    Pair { key, value: PlainValue::parse(value).expect("a value") }
}

#[expect(clippy::unnecessary_wraps, reason = "it is an outcome")]
fn checks(pointer: &str, satisfied: bool) -> Result<Answer, CallError> {
    Ok(Answer::Checks(vec![Check {
        pointer: Pointer::parse(pointer).expect("a pointer"),
        found: None,
        satisfied,
    }]))
}

fn container(commit: &str) -> Operation {
    Operation::ExpectContainer(ExpectContainer {
        artifact: ArtifactRef {
            service: ServiceName::parse("project-manager").expect("a service"),
            commit: self::commit(),
            digest: None,
        },
        runtime: RuntimeName::parse("main-server").expect("a runtime"),
        container: ContainerName::parse("project-manager-backend").expect("a container"),
        labels: vec![pair(LabelKey::parse(REVISION_LABEL).expect("a label"), commit)],
        env: vec![pair(EnvKey::parse("UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT").expect("a key"), commit)],
    })
}

fn health(commit: &str) -> Operation {
    Operation::ExpectHealth(ExpectHealth {
        service: ServiceName::parse("project-manager").expect("a service"),
        target: HealthTarget::Endpoint { name: crate::names::ConfigName::parse("x").expect("a name") },
        expectations: vec![Expectation {
            pointer: Pointer::parse("/deploy/commit").expect("a pointer"),
            equals: Literal::Text(commit.to_owned()),
        }],
        within_seconds: 1,
    })
}

#[test]
fn a_deploy_is_proved_by_label_environment_and_health_together() {
    let commit = commit();
    let good = [
        step(container(commit.as_str()), checks("/image", true)),
        step(health(commit.as_str()), checks("/x", true)),
    ];
    assert_eq!(verdict(&Ok(Outcome::Deployed), &good, &commit), Ok(()));

    for (name, steps) in [
        ("nothing at all", vec![]),
        ("no health", vec![good[0].clone()]),
        ("no container", vec![good[1].clone()]),
        ("another commit", vec![step(container(&"b".repeat(40)), checks("/image", true)), good[1].clone()]),
        ("an unsatisfied check", vec![good[0].clone(), step(health(commit.as_str()), checks("/x", false))]),
        ("an unanswered one", vec![good[0].clone(), step(health(commit.as_str()), Ok(Answer::NotAsked))]),
        (
            "an error on the way",
            vec![step(good[0].operation.clone(), Err(CallError::Other("x".into()))), good[1].clone()],
        ),
    ] {
        let verdict = verdict(&Ok(Outcome::Deployed), &steps, &commit);
        assert!(matches!(verdict, Err(Shortfall::Unproven(_))), "{name}: {verdict:?}");
    }
}

#[test]
fn degraded_excuses_what_a_service_says_of_itself_and_never_the_commit() {
    let commit = commit();
    let ending = Ending { message: String::new(), recommended_action: String::new(), retryable: false };
    let flagged = |pointer: &str, satisfied| {
        let Operation::ExpectHealth(mut call) = health(commit.as_str()) else { unreachable!("it is one") };
        let flag =
            Expectation { pointer: Pointer::parse("/ok").expect("a pointer"), equals: Literal::Flag(true) };
        call.expectations.push(flag);
        step(Operation::ExpectHealth(call), checks(pointer, satisfied))
    };
    let good = [
        step(container(commit.as_str()), checks("/image", true)),
        step(health(commit.as_str()), checks("/deploy/commit", true)),
    ];
    let with = |last: Step| [good.to_vec(), vec![last]].concat();
    let degraded = |steps: &[Step]| verdict(&Ok(Outcome::Degraded(ending.clone())), steps, &commit);

    assert_eq!(degraded(&with(flagged("/ok", false))), Err(Shortfall::Degraded(ending.clone())));
    for (name, steps) in [
        ("the commit in the health payload", with(flagged("/deploy/commit", false))),
        ("something that was not even asked for", with(flagged("/else", false))),
        ("the container", with(step(container(commit.as_str()), checks("/image", false)))),
        ("an error", with(step(health(commit.as_str()), Err(CallError::Other("x".to_owned()))))),
        ("no proof of the commit", vec![good[0].clone(), flagged("/ok", false)]),
    ] {
        let verdict = degraded(&steps);
        assert!(matches!(verdict, Err(Shortfall::Unproven(_))), "{name}: {verdict:?}");
    }
    let deployed = verdict(&Ok(Outcome::Deployed), &with(flagged("/ok", false)), &commit);
    assert!(
        matches!(deployed, Err(Shortfall::Unproven(_))),
        "only who says degraded is excused: {deployed:?}"
    );
}

#[test]
fn what_was_verified_before_the_last_change_proves_nothing() {
    let commit = commit();
    let mut steps = vec![
        step(container(commit.as_str()), checks("/image", true)),
        step(health(commit.as_str()), checks("/x", true)),
    ];
    let undo = Operation::Undo { change: Box::new(health(commit.as_str())) };
    steps.push(step(undo, Ok(Answer::Done)));
    assert!(verdict(&Ok(Outcome::Deployed), &steps, &commit).is_err());
}

#[test]
fn decisions_in_the_order_of_their_weight() {
    let hold = Operation::Hold { reason: "not yet".to_owned() };
    let gate = GateState::new(false, "not yet".to_owned());
    let pending = step(hold.clone(), Ok(Answer::Gate(gate)));
    let mut denied =
        step(hold.clone(), Err(CallError::Denied { reason: "no".to_owned(), policies: Vec::new() }));
    denied.verdict =
        Verdict { allowed: false, reason: Some("no".to_owned()), ..Verdict::permitted(Vec::new()) };
    let missing = step(hold.clone(), Err(CallError::NotFound("gone".to_owned())));
    let unreachable = step(hold, Err(CallError::Unavailable("down".to_owned())));
    let decided = |mode, steps: &[&Step]| {
        let steps: Vec<Step> = steps.iter().map(|step| (*step).clone()).collect();
        conclude_observed(&request(mode), &Ok(Outcome::Deployed), &steps, &[]).decision
    };
    assert_eq!(decided(Mode::DryRun, &[&pending]), Decision::Planned, "a dry run shows it as pending");
    assert_eq!(decided(Mode::Plan, &[&pending]), Decision::Planned);
    assert_eq!(decided(Mode::Live, &[&pending]), Decision::Blocked);
    assert_eq!(decided(Mode::Live, &[&pending, &denied]), Decision::Denied);
    assert_eq!(decided(Mode::DryRun, &[&denied]), Decision::Denied);
    assert_eq!(decided(Mode::Live, &[&pending, &missing]), Decision::Blocked);
    assert_eq!(decided(Mode::Live, &[&missing]), Decision::Failed);
    assert_eq!(decided(Mode::Live, &[&unreachable]), Decision::InfraBlocked);
    assert_eq!(decided(Mode::Live, &[]), Decision::Planned);
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    let all = [
        (Decision::Planned, 0),
        (Decision::InSync, 0),
        (Decision::Deployed, 0),
        (Decision::Failed, 1),
        (Decision::RolledBack, 1),
        (Decision::Blocked, 3),
        (Decision::Denied, 3),
        (Decision::Unsupported, 3),
        (Decision::InfraBlocked, 4),
        (Decision::Stale, 5),
        (Decision::Diverged, 5),
        (Decision::Degraded, 6),
        (Decision::Interrupted, 130),
    ];
    for (decision, code) in all {
        assert_eq!(decision.exit_code(), code);
        assert_eq!(serde_json::json!(decision), decision.as_str());
    }
}
