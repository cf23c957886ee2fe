//! What an operator reads: bad input says what, where and what to do; the text form is fine without colour at 80 columns.

use e2e::{Run, SERVICE, Stage, commit};

fn transcript(stage: &Stage, arguments: &[&str]) -> String {
    let mut command = stage.command(arguments);
    stage.stable(&Run::of(&mut command).transcript())
}

/// The id of a run is another one each time.
fn any_run() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "[run]");
    settings
}

#[test]
fn bad_input() {
    let stage = Stage::new();
    let full = "0123456789abcdef0123456789abcdef01234567";
    let cases: [(&str, &[&str]); 9] = [
        ("a floating tag", &["deploy", SERVICE, "--env", "prod", "--commit", "latest", "--dry-run"]),
        ("a short commit", &["deploy", SERVICE, "--env", "prod", "--commit", "0123456", "--dry-run"]),
        ("an unknown service", &["deploy", "project-manger", "--env", "prod", "--commit", full, "--dry-run"]),
        ("an unknown environment", &["deploy", SERVICE, "--env", "staging", "--commit", full, "--dry-run"]),
        ("no service name", &["deploy", "--env=prod", "--commit", full, "--dry-run", "../etc"]),
        ("both modes", &["deploy", SERVICE, "--env", "prod", "--commit", full, "--dry-run", "--run-now"]),
        ("an unknown run", &["runs", "show", "1999"]),
        ("no runs wanted", &["runs", "list", "--limit", "0"]),
        ("the runs of an unknown service", &["runs", "list", "--service", "frontnd"]),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|(name, arguments)| format!("# {name}\n{}", transcript(&stage, arguments)))
        .collect();
    any_run().bind(|| insta::assert_snapshot!(told.join("\n")));
}

#[test]
fn a_bad_configuration() {
    let stage = Stage::new();
    let toml = stage.project().host_toml();
    let good = std::fs::read_to_string(&toml).expect("host.toml");
    let mut told = String::new();
    for (name, bad) in [
        ("an unknown key", good.replace("project-directory", "project-directroy")),
        ("a registry elsewhere", good.replace("url = \"http://", "url = \"http://registry.example/")),
        ("no TOML", good.replace("[registry]", "[registry")),
        ("a negative limit", good.replace("health-seconds = 5", "health-seconds = -5")),
        ("a machine that nobody names", good.replace("[registry]", "[registry]\nvia = \"d601\"")),
        (
            "a role that nobody knows",
            good.replace(
                "[registry]",
                "[approvals]\nallowed-signers = \"x\"\nroles.boss = [\"ann\"]\n\n[registry]",
            ),
        ),
        ("an env file", "TZ=Etc/UTC\nPASSWORD=hunter2\n".to_owned()),
    ] {
        assert_ne!(good, bad, "{name}");
        std::fs::write(&toml, bad).expect("host.toml");
        told += &["# ", name, "\n", &transcript(&stage, &["services"]), "\n"].concat();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_dry_run_and_a_deploy_in_text() {
    let stage = Stage::new();
    let commit = commit("text");
    let arguments = |mode| ["deploy", SERVICE, "--env", "prod", "--commit", &commit, mode].map(str::to_owned);
    let run = |mode| {
        let arguments = arguments(mode);
        transcript(&stage, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let dry = run("--dry-run");
    let _published = stage.published("text");
    let live = run("--run-now");
    let mut settings = any_run();
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r" +\d+(\.\d+)? m?s\b", " [time]");
    settings.bind(|| {
        insta::assert_snapshot!("dry_run_text", dry);
        insta::assert_snapshot!("deploy_text", live);
    });
}

#[test]
fn what_can_be_deployed_where() {
    let stage = Stage::new();
    insta::assert_snapshot!(transcript(&stage, &["services"]));
}

#[test]
fn help_has_examples_and_completions_complete() {
    let stage = Stage::new();
    for arguments in [&["--help"][..], &["deploy", "--help"], &["runs", "--help"], &["services", "--help"]] {
        let run = stage.host(arguments);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("Example"), "{}", run.stdout);
    }
    let wrong = stage.host(&["deploy", "--output", "json"]);
    assert_eq!(
        (wrong.code, wrong.text("/error/code")),
        (2, "usage".to_owned()),
        "JSON was asked for: {wrong:?}"
    );
    let completions = stage.host(&["completions", "bash"]);
    assert!(completions.stdout.contains("--on-failure"), "{completions:?}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let unwritten = Run::of(stage.command(&["completions", "bash"]).stdout(full));
    assert_eq!(unwritten.code, 1, "{unwritten:?}");
    assert!(unwritten.stderr.contains("standard output cannot be written"), "{unwritten:?}");
}
