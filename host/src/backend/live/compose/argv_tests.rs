//! Every argument vector that the program can run, with names as hostile as their types let them be.

use std::path::PathBuf;

use super::*;
use crate::config::EnvFileSource;

/// Where data may stand at all: behind one of these, or as the name of the service.
const TAKING: [&str; 6] = ["-p", "--project-directory", "-f", "--env-file", "--format", "--pull"];
/// Every word that is the program's own.
const OURS: [&str; 12] = [
    "docker",
    "compose",
    "up",
    "rm",
    "config",
    "version",
    "-d",
    "--no-build",
    "--no-deps",
    "--force-recreate",
    "--stop",
    "--force",
];
/// Words by which something would be built.
const BUILDERS: [&str; 7] = ["build", "--build", "buildx", "buildkit", "bake", "cargo", "make"];
/// What people call things when they mean harm.
const HOSTILE: [&str; 18] = [
    "--privileged",
    "-f",
    "-v/:/host",
    "--build",
    "--file=/evil.yml",
    "--",
    "-",
    "build",
    "buildx",
    "cargo",
    "a b",
    "a;reboot",
    "$(reboot)",
    "`reboot`",
    "a\nb",
    "../../x",
    "a\u{202e}b",
    "",
];

fn argvs(path: &str, service: &ComposeService) -> Vec<Vec<OsString>> {
    let root = PathBuf::from("/srv");
    let runtime = ComposeRuntime {
        via: None,
        docker: format!("unix:///{path}"),
        project: "unidesk".to_owned(),
        directory: root.join(path),
        // A path that is given relative to a folder of the caller's may begin with anything.
        files: vec![path.into(), root.join(path)],
        env_file: EnvFileSource::Path(path.into()),
    };
    let compose = Compose::new(Machine::Here, &runtime, Path::new(path), &Limits::default());
    vec![
        compose.recreate_argv(service),
        compose.remove_argv(service),
        compose.config_argv(service),
        version_argv().into(),
    ]
}

#[test]
fn no_argument_from_data_can_be_read_as_an_option() {
    let services: Vec<_> = HOSTILE
        .iter()
        .chain(&["project-manager", "a"])
        .filter_map(|name| ComposeService::parse(name).ok())
        .collect();
    // Names of commands are names; whatever begins like an option, or needs quotes, is none.
    let names: Vec<_> = services.iter().map(ComposeService::as_str).collect();
    assert_eq!(names, ["build", "buildx", "cargo", "project-manager", "a"]);
    for service in &services {
        for path in HOSTILE {
            for argv in argvs(path, service) {
                let mut words = argv.iter();
                let mut positional = 0;
                while let Some(word) = words.next() {
                    let word = word.to_str().expect("text");
                    if TAKING.contains(&word) {
                        words.next().expect("the option's value");
                    } else if word == service.as_str() {
                        positional += 1;
                        assert_eq!(words.len(), 0, "the service is the last word of {argv:?}");
                    } else {
                        assert!(OURS.contains(&word), "{word:?} in {argv:?}");
                    }
                }
                assert!(positional <= 1, "{argv:?}");
            }
        }
    }
}

#[test]
fn nothing_that_is_run_builds() {
    let service = ComposeService::parse("project-manager").expect("a name");
    for argv in argvs("/srv/x", &service) {
        let builds = |word: &OsString| BUILDERS.iter().any(|one| word == one);
        assert!(!argv.iter().any(builds), "{argv:?}");
        assert!(!argv.contains(&"up".into()) || argv.contains(&"--no-build".into()), "{argv:?}");
    }
    // Nor does any other program that is run get such a word: ssh, and on nodes containerd's own.
    for (path, text) in sources() {
        let builds = |word: &&str| text.contains(&format!("\"{word}\""));
        assert_eq!(BUILDERS.iter().find(|word| builds(word)), None, "{path}");
        for command in ["docker build", "compose build", "cargo build", "buildctl", "nerdctl"] {
            assert!(!text.contains(command), "{path}: {command}");
        }
    }
}

/// Every file of the program without its tests, by its path.
fn sources() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![source.clone()], Vec::new());
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|entry| entry.path()));
            continue;
        }
        let shown = path.strip_prefix(&source).expect("inside").display().to_string();
        if !shown.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a file");
            found.push((shown, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// Clippy's `disallowed-methods` keeps programs from being started elsewhere; this also keeps a shell out of that place.
#[test]
fn programs_are_started_in_one_place_and_never_through_a_shell() {
    let (mut starting, mut shells) = (Vec::new(), Vec::new());
    // Tests start programs as they need.
    for (shown, text) in sources() {
        if text.contains("Command::new(") {
            starting.push(shown.clone());
        }
        if ["\"sh\"", "\"bash\"", "/bin/sh", "\"-c\"", "sh -c"].iter().any(|shell| text.contains(shell)) {
            shells.push(shown);
        }
    }
    assert_eq!(starting.len(), 1, "{starting:?}");
    assert!(starting[0].ends_with("process.rs"), "{starting:?}");
    // On another machine, as a node or the registry's is one, there is nothing but its shell: the scripts are constants, and
    // every value is an argument or input.
    shells.sort();
    assert_eq!(
        shells,
        [
            "backend/live/installation.rs",
            "backend/live/installing.rs",
            "backend/live/kubernetes/import/containerd.rs",
            "backend/live/machine/there.rs"
        ]
    );
    let clippy = Path::new(env!("CARGO_MANIFEST_DIR")).join("clippy.toml");
    let clippy = std::fs::read_to_string(clippy).expect("the lints' settings");
    for door in ["std::process::Command::new", "tokio::process::Command::new"] {
        assert!(clippy.contains(&format!("path = \"{door}\"")), "{door}");
    }
}

/// The module is public for its tests with a real server; inside, only these reach other machines, behind the gate.
#[test]
fn only_channels_and_machines_use_ssh() {
    let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut using) = (vec![live.clone()], Vec::new());
    while let Some(path) = folders.pop() {
        if path.is_dir() && !path.ends_with("backend/live/ssh") {
            folders.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|entry| entry.path()));
        } else if path.is_file() && !path.ends_with("argv_tests.rs") {
            let text = std::fs::read_to_string(&path).expect("a file");
            if text.contains("ssh::Connection") || text.contains("ssh::{Connection") {
                using.push(path.strip_prefix(&live).expect("inside").display().to_string());
            }
        }
    }
    using.sort();
    assert_eq!(
        using,
        [
            "backend/live/channels.rs",
            "backend/live/machine.rs",
            "backend/live/machine/near.rs",
            "backend/live/machine/there.rs"
        ]
    );
}
