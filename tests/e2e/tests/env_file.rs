//! The controlled env file belongs to the operator: a deploy changes its own lines and nothing else.

use std::os::unix::fs::{PermissionsExt, symlink};

use e2e::{Stage, commit, without_run};

const KEPT: &str = "# kept by hand\r\nTZ=Etc/UTC\n\nQUOTED=\"a b # c\" # why\nSINGLE='x=y'\nexport OLD=1\n\
                    UNIDESK_OTHER_DEPLOY_COMMIT=untouched\n";

#[test]
fn everything_but_the_stamp_stays() {
    let stage = Stage::new();
    let first = stage.published("first");
    let with_stamp =
        format!("{KEPT}UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=stale\r\nLAST=without a line break");
    stage.project().write_env_file(&with_stamp).expect("an env file");

    let run = stage.deploy(&first, &["--run-now"]);

    assert_eq!(run.code, 0, "{run:?}");
    let after = std::fs::read_to_string(stage.project().env_file()).expect("the env file");
    assert!(after.contains("_DEPLOY_RUN=run:"), "{after}");
    insta::assert_snapshot!(without_run(&after).replace(&first, "[commit]").replace('\r', "␍"));
    let mode = std::fs::metadata(stage.project().env_file()).expect("the env file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_link_is_refused() {
    let stage = Stage::new();
    let first = stage.published("first");
    let file = stage.project().env_file();
    let elsewhere = stage.folder().join("elsewhere.env");
    std::fs::rename(&file, &elsewhere).expect("a file to link to");
    symlink(&elsewhere, &file).expect("a link");
    let before = std::fs::read(&elsewhere).expect("the file");

    let run = stage.deploy(&first, &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("link"), "{run:?}");
    assert_eq!(std::fs::read(&elsewhere).expect("the file"), before);
    assert!(stage.snapshot().images.is_empty(), "nothing was changed");
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let stage = Stage::new();
    let first = stage.published("first");
    let file = stage.project().env_file();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o620)).expect("rights");
    let before = stage.snapshot();

    let run = stage.deploy(&first, &["--run-now"]);

    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("chmod"), "it says what to do: {run:?}");
    assert_eq!(before.differences(&stage.snapshot()), [""; 0]);
}

#[test]
fn the_callers_environment_changes_nothing() {
    let stage = Stage::new();
    let first = stage.published("first");
    let other = stage.folder().join("other.yml");
    std::fs::write(&other, "services:\n  project-manager:\n    image: evil\n    container_name: evil\n")
        .expect("a file");
    let mut command = stage.command(&[
        "deploy",
        "project-manager",
        "--env",
        "prod",
        "--commit",
        &first,
        "--run-now",
        "--output",
        "json",
    ]);
    command
        .env("UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT", commit("evil"))
        .env("COMPOSE_FILE", &other)
        .env("COMPOSE_PROJECT_NAME", "evil")
        .env("COMPOSE_PROFILES", "evil")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("http_proxy", "http://127.0.0.1:1");

    let run = e2e::Run::of(&mut command);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert_eq!(stage.running(), Some(first));
}
