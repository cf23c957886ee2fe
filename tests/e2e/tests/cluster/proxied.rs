//! Health through the API server's service proxy.

use e2e::cluster::{DEPLOYMENT, NAMESPACE, Scene, d601};
use host::answer::{Answer, CallError};
use lab::cluster::Workload;
use sample_service::Behaviour;

use crate::asked::Asking;

fn told(answer: Result<Answer, CallError>) -> String {
    match answer {
        Ok(Answer::Checks(checks)) => {
            let satisfied = checks.iter().all(|check| check.satisfied);
            format!("satisfied: {satisfied}")
        }
        Ok(other) => unreachable!("{other:?}"),
        Err(error) => format!("{}, retryable: {}\n{}", error.code(), error.retryable(), error.message()),
    }
}

#[test]
fn cluster_health_is_that_of_the_pods_behind_the_service() {
    let d601 = d601();
    let scene = Scene::set(&d601, "health-bytes = 100000");
    let asking = Asking::of(&scene.stage);
    let (first, commit) = scene.running("proxied-first", |workload| workload);
    let other = "b".repeat(40);
    let mut all = vec![
        ("the commit that runs", told(asking.healthy(&commit, "http", "/health"))),
        ("another one", told(asking.healthy(&other, "http", "/health"))),
        ("another path", told(asking.healthy(&other, "http", "/elsewhere"))),
        ("another port", told(asking.healthy(&other, "https", "/health"))),
    ];
    for (way, behaviour) in
        [("a page", Behaviour::Html), ("20 MB", Behaviour::Huge), ("silence", Behaviour::Silent)]
    {
        let (_, pushed) =
            scene.published(&format!("proxied-{}", behaviour.name()), |image| image.behaviour(behaviour));
        let bad = Workload::new(NAMESPACE, DEPLOYMENT, &pushed.reference)
            .container("readinessProbe", serde_json::Value::Null);
        scene.cluster.run(&bad).expect("patched");
        scene.cluster.rolled_out(&bad).expect("its pods");
        all.push((way, told(asking.healthy(&other, "http", "/health"))));
    }
    scene.cluster.run(&first.clone().replicas(0)).expect("none");
    scene.cluster.rolled_out(&first.replicas(0)).expect("none");
    all.push(("no pod", told(asking.healthy(&commit, "http", "/health"))));
    let delete = ["delete", "service", DEPLOYMENT, "--namespace", NAMESPACE];
    scene.cluster.kubectl(&delete).expect("no Service");
    all.push(("no Service", told(asking.healthy(&commit, "http", "/health"))));
    let all: Vec<_> = all.into_iter().map(|(way, told)| format!("# {way}\n{told}\n")).collect();
    insta::assert_snapshot!(all.join("\n").replace(&commit, "[commit]").replace(&other, "[other]"));
}
