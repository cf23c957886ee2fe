//! The two shapes that lead through SSH, where all goes well, and where a new version never gets healthy.

use e2e::line::listening;
use e2e::{SampleImage, commit};
use lab::project::{FINDJOB, FRONTEND};
use lab::snapshot::Running;

use super::{d601, decision, publish, running_there, stage};

#[test]
fn d601_feeds_the_main_server() {
    let d601 = d601();
    let stage = stage(&d601, "none");
    let commit = publish(&d601, "frontend", "frontend through ssh");
    let before = listening();

    let looked = stage.deploy_as("frontend", "prod", &commit, &["--dry-run"]);
    assert_eq!(decision(&looked), (0, "planned".to_owned()), "{}", looked.stderr);

    let run = stage.deploy_as("frontend", "prod", &commit, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    let running = Running::of_service(stage.project(), &FRONTEND).expect("what runs");
    assert!(running.is(&commit), "{running:?}");
    let names = stage.project().docker().image_names("*/*").expect("image names");
    assert!(!names.keys().any(|name| name.starts_with("127.0.0.1")), "no name of the way is left: {names:?}");
    assert_eq!(listening(), before, "nothing listens after the run");
}

#[test]
fn d601_runs_a_project_of_its_own() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let stage = stage(&d601, "unidesk");
    let own = project.read_env_file().expect("the env file");

    let first = publish(&d601, "findjob", "findjob first");
    let run = stage.deploy_as("findjob", "prod", &first, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| first.clone()));
    let stamped = project.read_env_file().expect("the env file");
    assert!(stamped.starts_with(&own), "what was in it is still there");
    let facts = d601.ssh(&["stat", "-c", "%a %U", &project.env_file()]).expect("its facts");
    assert_eq!(facts.trim(), "600 deploy");

    // The next one replaces it; one that never gets healthy is taken back.
    let second = publish(&d601, "findjob", "findjob second");
    let run = stage.deploy_as("findjob", "prod", &second, &["--run-now"]);
    assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| second.clone()));
    let told = stage.host(&["runs", "list", "--output", "json"]).json();
    let of_d601 = told["targets"].as_array().into_iter().flatten().find(|row| row["runtime"] == "d601");
    assert_eq!(of_d601.expect("what D601 tells")["deploy"]["commit"], second.as_str(), "{told:#}");
    let bad = commit("findjob that is never ready");
    d601.push(&SampleImage::new("findjob", &bad).behaviour(e2e::Behaviour::NeverReady)).expect("pushed");
    let run = stage.deploy_as("findjob", "prod", &bad, &["--run-now", "--on-failure", "rollback"]);
    assert_eq!(decision(&run), (1, "rolled-back".to_owned()), "{}{}", run.stdout, run.stderr);
    assert_eq!(running_there(&project, &FINDJOB), [(); 3].map(|()| second.clone()));
    assert!(project.read_env_file().expect("the env file").contains(&second));

    // Whatever a deploy may not touch there is untouched, and the main server has none of it.
    let beside = d601.ssh(&["ls", "-A", &format!("{}/.state", project.directory())]).expect("a list");
    assert!(!beside.contains("unfinished"), "{beside}");
    assert!(stage.project().docker().image_names("*findjob*").expect("names").is_empty());
}
