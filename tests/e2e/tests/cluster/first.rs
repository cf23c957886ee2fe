//! A commit comes to dev first, and then to prod: who deploys to prod is told whether it did, and a policy may require it.

use std::fs;

use e2e::cluster::{SERVICE, Scene, d601};
use e2e::{Run, Settings};
use lab::cluster::Workload;
use serde_json::Value;

/// As `policies/README.md` has it.
const RULE: &str = r#"@id("tried-before-prod")
@reason("a commit comes to prod when it was verified where it is tried")
forbid (principal is Plugin, action, resource)
when { context.environment == Environment::"prod" && !context.verifiedBefore };
"#;

fn plan(scene: &Scene<'_>, commit: &str, flags: &[&str]) -> Run {
    let arguments = ["deploy", "plan", "--env", "prod", "--service", SERVICE, "--commit", commit];
    scene.stage.host(&[&arguments[..], &["--output", "json"], flags].concat())
}

/// Whether it was verified, the evidence, and what came of the plan.
fn told(run: &Run) -> (bool, String, String) {
    let report = run.json()["services"][0].clone();
    let part = &report["verifiedBefore"];
    assert_eq!(part["environment"], "dev", "{run:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (part["verified"] == true, text(&part["evidence"]), text(&report["decision"]))
}

#[test]
fn cluster_a_commit_comes_to_prod_after_dev() {
    let d601 = d601();
    let folder = tempfile::tempdir().expect("a folder");
    let policies = e2e::policies(folder.path(), |name, content| match name {
        "artifact.cedar" => content + RULE,
        _ => content,
    });
    let settings = Settings { policies: Some(policies), ..Settings::default() };
    let scene = Scene::with(&d601, "", settings);
    let (_, first) = scene.running("what both have", |workload| workload);
    let reference = format!("127.0.0.1:5000/unidesk/{SERVICE}:{first}");
    let prod = Workload::new("unidesk", SERVICE, &reference);
    scene.cluster.run(&prod).expect("a Deployment");
    scene.cluster.rolled_out(&prod).expect("its pods");
    let (commit, _) = scene.published("to both, one after the other", |image| image);

    let (verified, evidence, decision) = told(&plan(&scene, &commit, &[]));
    assert_eq!((verified, decision.as_str()), (false, "denied"), "{evidence}");
    assert!(evidence.contains("drifted"), "what runs in dev nobody deployed: {evidence}");
    let run = scene.stage.deploy_as(SERVICE, "prod", &commit, &["--run-now"]);
    assert_eq!(run.outcome(), (3, "denied".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("tried-before-prod"), "{run:?}");

    let run = scene.deploy(&commit, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let by = run.text("/run/id");
    for flags in [&[][..], &["--offline"]] {
        let (verified, evidence, decision) = told(&plan(&scene, &commit, flags));
        assert!(verified && evidence.contains(&by), "{flags:?}: {evidence}");
        assert_eq!(decision, "planned", "{flags:?}");
        let arguments = ["deploy", "plan", "--env", "prod", "--service", SERVICE, "--commit", &commit];
        let text = scene.stage.host(&[&arguments[..], flags].concat()).stdout;
        assert!(text.contains("in dev verified: run "), "{text}");
    }

    // A colleague's journal knows nothing of it: offline nobody does, and otherwise they see what runs there.
    fs::rename(scene.stage.folder().join("state"), scene.stage.folder().join("elsewhere"))
        .expect("no journal");
    let (verified, evidence, decision) = told(&plan(&scene, &commit, &["--offline"]));
    assert_eq!((verified, decision.as_str()), (false, "denied"), "{evidence}");
    let (verified, evidence, decision) = told(&plan(&scene, &commit, &[]));
    assert!(verified && evidence.contains("in sync"), "{evidence}");
    assert_eq!(decision, "planned");
    let run = scene.stage.deploy_as(SERVICE, "prod", &commit, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    let text = run.stdout.clone()
        + &scene
            .stage
            .host(&["deploy", "plan", "--env", "prod", "--service", SERVICE, "--commit", &commit])
            .stdout;
    assert!(text.contains("in-sync"), "{text}");
}
