//! What is told of each way in which a run can end, as JSON and as text, in files that a reviewer reads: `host/goldens`.
//! Every report is made the way a run makes it: operations pass the gate and the release's policies, far sides answer, and
//! `conclude` and `build` do the rest.

mod scene;

use schemars::schema_for;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, CallError, Literal};
use crate::config::{Chosen, Config};
use crate::engine::{Ending, Outcome, Stop};
use crate::fault::Fault;
use crate::operation::Operation;
use crate::recording::Recording;
use crate::report::{Decision, FaultReport, LastDeployPart, Mode, Report, Style, render};
use crate::step::Pass;

use super::super::compare::compared;
use super::super::conclude::{conclude_live, conclude_observed, no_longer_fits, unsupported_environment};
use super::super::proof::{Shortfall, verdict};
use super::super::{OnFailure, Undone};
use scene::{HEALTH, PREVIOUS, Scene};

/// The story that ends in `decision`. A new decision needs one here.
async fn story(decision: Decision) -> Report {
    match decision {
        Decision::Planned => planned().await,
        Decision::InSync => in_sync().await,
        Decision::Deployed => deployed().await,
        Decision::Failed => failed().await,
        Decision::RolledBack => rolled_back().await,
        Decision::Blocked => blocked().await,
        Decision::Denied => denied().await,
        Decision::Unsupported => unsupported(),
        Decision::InfraBlocked => infra_blocked().await,
        Decision::Stale => stale().await,
        Decision::Diverged => diverged().await,
        Decision::Degraded => degraded().await,
        Decision::Interrupted => interrupted().await,
    }
}

/// A dry run whose failure path would take back what was changed.
async fn planned() -> Report {
    let mut scene = Scene::new(Mode::DryRun);
    scene.request.on_failure = OnFailure::Rollback;
    let (steps, foreseen) = scene.predicted(scene.operations()).await;
    let result = conclude_observed(&scene.request, &Ok(Outcome::Deployed), &steps, &foreseen);
    scene.report(&steps, &foreseen, result)
}

/// A plan for what runs already, as the deploy left it that its target tells of.
async fn in_sync() -> Report {
    let scene = Scene::new(Mode::Plan);
    let mut steps = scene.deployed().await;
    for step in &mut steps {
        step.pass = Pass::Observing;
        step.before.clone_from(&step.desired);
    }
    let result = conclude_observed(&scene.request, &Ok(Outcome::Deployed), &steps, &[]);
    let last = LastDeployPart { provenance: scene.provenance(), drift: None };
    let report = Report { last_deploy: Some(last), ..scene.report(&steps, &[], result) };
    compared(report, &steps)
}

async fn deployed() -> Report {
    let scene = Scene::new(Mode::Live);
    let steps = scene.deployed().await;
    let verdict = verdict(&Ok(Outcome::Deployed), &steps, &scene.request.commit);
    let result = conclude_live(&scene.host, &scene.request, verdict, &steps, &[]);
    scene.report(&steps, &scene.retained().await, result)
}

/// The health payload still names the previous commit, and nobody asked for a way back.
async fn failed() -> Report {
    let scene = Scene::new(Mode::Live);
    let mut steps = scene.deployed().await;
    steps[HEALTH].outcome = Ok(found(&steps[HEALTH].operation, "/deploy/commit", PREVIOUS));
    let verdict = verdict(&Ok(unverified()), &steps, &scene.request.commit);
    let result = conclude_live(&scene.host, &scene.request, verdict, &steps, &[]);
    scene.report(&steps, &[], result)
}

/// The same with a way back.
async fn rolled_back() -> Report {
    let mut scene = Scene::new(Mode::Live);
    scene.request.on_failure = OnFailure::Rollback;
    let mut steps = scene.deployed().await;
    steps[HEALTH].outcome = Ok(found(&steps[HEALTH].operation, "/deploy/commit", PREVIOUS));
    let (_, foreseen) = scene.predicted(scene.operations()).await;
    let verdict = verdict(&Ok(unverified()), &steps, &scene.request.commit);
    let mut undone = Vec::new();
    for step in &foreseen {
        let Operation::Undo { change } = &step.operation else { continue };
        let target = format!("{} of {}", change.name(), change.target());
        undone.push(Undone { target, result: Ok(()) });
        let mut step = step.clone();
        (step.pass, step.duration_ms) = (Pass::Live, 640);
        steps.push(step);
    }
    let result = conclude_live(&scene.host, &scene.request, verdict, &steps, &undone);
    scene.report(&steps, &foreseen, result)
}

/// Gates of each kind that needs nothing of this machine, none of them met.
async fn blocked() -> Report {
    let scene = Scene::new(Mode::Live);
    let mut operations = Scene::gates();
    operations.extend(scene.operations());
    let (mut steps, _) = scene.predicted(operations).await;
    scene.observed(&mut steps);
    let result = conclude_observed(&scene.request, &Ok(Outcome::Deployed), &steps, &[]);
    scene.report(&steps, &[], result)
}

/// The plugin reaches for the container of another service.
async fn denied() -> Report {
    let scene = Scene::new(Mode::DryRun);
    let mut operations = scene.operations();
    operations.truncate(3);
    if let Some(Operation::Activate(call)) = operations.last_mut() {
        call.container = crate::names::ContainerName::parse("todo-note-backend").expect("a container");
    }
    let (steps, _) = scene.predicted(operations).await;
    let refused = Outcome::Refused(ending("denied", ""));
    let result = conclude_observed(&scene.request, &Ok(refused), &steps, &[]);
    scene.report(&steps, &[], result)
}

fn unsupported() -> Report {
    let mut scene = Scene::new(Mode::DryRun);
    scene.request.environment = crate::names::Environment::parse("staging").expect("an environment");
    let result = unsupported_environment(&scene.request, &scene.descriptor);
    scene.bare_report(result)
}

/// Nothing listens where the registry should be.
async fn infra_blocked() -> Report {
    let scene = Scene::new(Mode::Live);
    let mut operations = scene.operations();
    operations.truncate(1);
    let steps = scene.looked(operations).await;
    let gone = Outcome::Failed(ending("the registry is gone", ""));
    let result = conclude_observed(&scene.request, &Ok(gone), &steps, &[]);
    scene.report(&steps, &[], result)
}

/// Between the yes and the deploy somebody else deployed.
async fn stale() -> Report {
    let scene = Scene::new(Mode::Live);
    let (mut steps, _) = scene.predicted(scene.operations()).await;
    scene.observed(&mut steps);
    let agreed = Recording::new(steps.clone());
    steps[2].before = Some(json!({ "container": { "commit": "c".repeat(40) } }));
    let halt = agreed.fits(&Recording::new(steps.clone())).expect_err("it no longer fits");
    scene.report(&steps, &[], no_longer_fits(halt, &steps, None))
}

/// The plugin does in the live pass what it did not say before.
async fn diverged() -> Report {
    let scene = Scene::new(Mode::Live);
    let recording = Recording::new(scene.predicted(scene.operations()).await.0);
    let mut steps = scene.deployed().await;
    steps.truncate(3);
    let last = steps.last_mut().expect("a step");
    if let Operation::Activate(call) = &mut last.operation {
        call.stable_names.push(crate::names::ImageName::parse("backend-core").expect("a name"));
    }
    let halt = recording.admits(3, &last.operation).expect_err("it was not planned");
    last.outcome = Err(CallError::Other(halt.to_string()));
    (last.before, last.desired, last.after, last.duration_ms) = (None, None, None, 0);
    let shortfall = Err(Shortfall::Stopped(Stop::Halt(halt)));
    let result = conclude_live(&scene.host, &scene.request, shortfall, &steps, &[]);
    scene.report(&steps, &[], result)
}

/// The commit runs and is proved, and the plugin knows of something that does not work.
async fn degraded() -> Report {
    let scene = Scene::new(Mode::Live);
    let steps = scene.deployed().await;
    let ending = ending(
        "nobody is logged in: /auth/loggedIn is false",
        "1. restore the env file; 2. recreate only project-manager; 3. verify `microservice health project-manager`",
    );
    let verdict = verdict(&Ok(Outcome::Degraded(ending)), &steps, &scene.request.commit);
    let result = conclude_live(&scene.host, &scene.request, verdict, &steps, &[]);
    scene.report(&steps, &[], result)
}

/// Ctrl-C while the health of the new container is awaited.
async fn interrupted() -> Report {
    let scene = Scene::new(Mode::Live);
    let mut steps = scene.deployed().await;
    let waiting =
        "interrupted while waiting for the health of main-server/project-manager-backend:8080/health";
    steps[HEALTH].outcome = Err(CallError::Unavailable(waiting.to_owned()));
    let shortfall = Err(Shortfall::Stopped(Stop::Halt(crate::gate::halt::Halt::Interrupted)));
    let result = conclude_live(&scene.host, &scene.request, shortfall, &steps, &[]);
    scene.report(&steps, &[], result)
}

/// What a far side answers that holds everything as expected, but for one pointer.
fn found(operation: &Operation, pointer: &str, found: &str) -> Answer {
    let Answer::Checks(mut checks) = Scene::satisfied(operation) else { panic!("{operation:?}") };
    for check in checks.iter_mut().filter(|check| check.pointer.as_str() == pointer) {
        (check.found, check.satisfied) = (Some(Literal::Text(found.to_owned())), false);
    }
    Answer::Checks(checks)
}

fn unverified() -> Outcome {
    Outcome::Failed(ending("the health payload is not as requested", ""))
}

fn ending(message: &str, action: &str) -> Ending {
    Ending { message: message.to_owned(), recommended_action: action.to_owned(), retryable: false }
}

/// Every decision that the contract knows, as its schema lists them.
fn decisions() -> Vec<Decision> {
    let schema = schema_for!(Decision);
    let variants = schema.get("oneOf").and_then(Value::as_array).expect("a list of decisions");
    let decision = |variant: &Value| serde_json::from_value(variant["const"].clone()).expect("a decision");
    variants.iter().map(decision).collect()
}

/// Holds a document to its kept schema, and both of its forms to the golden files.
fn golden<T: Serialize>(name: &str, schema: &str, document: &T, text: &str) {
    let schema: Value = serde_json::from_str(schema).expect("a schema");
    let value = serde_json::to_value(document).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let broken: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(broken.is_empty(), "{name} does not keep its schema:\n{}", broken.join("\n"));
    in_goldens(|| {
        insta::assert_snapshot!(
            format!("{name}.json"),
            serde_json::to_string_pretty(document).expect("JSON")
        );
        insta::assert_snapshot!(format!("{name}.text"), text);
    });
}

fn in_goldens(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../goldens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

const PLAIN: Style = Style { colour: false, steps: true };

#[tokio::test]
async fn every_decision_is_told_as_the_golden_files_say() {
    let decisions = decisions();
    assert!(decisions.len() >= 12, "{decisions:?}");
    for decision in decisions {
        let report = story(decision).await;
        assert_eq!(report.decision, decision, "{:?}", report.error);
        let text = render(&report, PLAIN);
        golden(decision.as_str(), include_str!("../../../schemas/report.json"), &report, &text);
    }
}

#[tokio::test]
async fn with_colour_the_words_stay_the_same() {
    for decision in [Decision::Planned, Decision::Failed] {
        let report = story(decision).await;
        let coloured = render(&report, Style { colour: true, ..PLAIN });
        in_goldens(|| {
            insta::assert_snapshot!(format!("{}.colour", decision.as_str()), coloured.replace('\x1b', "␛"));
        });
        let mut plain = coloured;
        for code in ["0", "1", "2", "32", "33", "1;31", "1;32", "1;33"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, render(&report, PLAIN));
    }
}

#[test]
fn a_fault_is_told_as_the_golden_files_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = folder.path().join("host.toml");
    std::fs::write(&toml, "[registry]\nulr = \"http://127.0.0.1:5000\"\n").expect("a configuration");
    let mut fault = Config::load(&Chosen { file: Some(toml), base: folder.path().to_path_buf() })
        .map(|_| ())
        .expect_err("a misspelt key");
    fault.message = fault.message.replace(&folder.path().display().to_string(), "[folder]");
    told("fault", &fault);
}

fn told(name: &str, fault: &Fault) {
    let schema = include_str!("../../../schemas/fault.json");
    golden(name, schema, &FaultReport::from(fault), &format!("error: {fault}\n"));
}
