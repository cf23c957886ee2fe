//! Nothing is ever built, whichever service is deployed wherever.

use serde_json::Value;

use crate::{Desk, PAIRS};

/// Words by which something would be built.
const BUILDERS: [&str; 8] = ["build", "--build", "buildx", "buildkit", "bake", "cargo", "make", "rebuild"];

#[test]
fn no_argument_vector_of_any_plan_builds() {
    let desk = Desk::new();
    let mut run = 0;
    for (service, environment, shape) in PAIRS {
        let report = desk.planned(service, environment);
        let build = report["build"].as_object().expect("a part");
        assert_eq!(build["boundary"], "pull-only/no-build");
        let flags = ["willCompile", "willRunCargoBuild", "willRunDockerBuild", "willRunDockerComposeBuild"];
        assert!(flags.iter().all(|flag| build[*flag] == false) && build.len() == 5, "{build:?}");
        for argv in argvs(&report) {
            run += 1;
            assert!(!argv.iter().any(|word| BUILDERS.contains(&word.as_str())), "{service}: {argv:?}");
            assert!(
                argv.contains(&"--no-build".to_owned()) && argv.last().is_some_and(|last| last == service),
                "{argv:?}"
            );
        }
        let recreate = report["target"]["recreateCommand"].as_str().map(str::to_owned);
        let expected = (shape != "d601-k3s")
            .then(|| format!("docker compose up -d --no-build --no-deps --force-recreate {service}"));
        assert_eq!(recreate, expected, "{service} to {environment}");
    }
    // Kubernetes runs no program of this machine's at all.
    assert_eq!(run, PAIRS.iter().filter(|(.., shape)| *shape != "d601-k3s").count());
}

fn argvs(report: &Value) -> Vec<Vec<String>> {
    let steps =
        ["steps", "failurePath"].iter().flat_map(|part| report[*part].as_array().into_iter().flatten());
    let words = |argv: &Value| {
        argv.as_array()
            .map(|argv| argv.iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect())
    };
    steps.filter_map(|step| words(&step["argv"])).collect()
}
