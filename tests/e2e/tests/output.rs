//! Nothing that comes from outside reaches the terminal as anything but text.

use std::path::Path;

use e2e::misbehaving::shown;
use e2e::{Run, Settings, Stage, commit, policies};

/// What a terminal obeys, as a file name, a key or an argument may carry it.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\u{202e}\u{200b}";

fn both(stage: &Stage, what: &str, arguments: &[&str], words: &str) {
    for form in ["text", "json"] {
        let run = stage.host(&[arguments, &["--output", form]].concat());
        assert_ne!(run.code, 0, "{what}: {run:?}");
        assert!(run.stderr.contains(words), "{what}: {words:?} is missing: {run:?}");
        shown(what, &run);
    }
}

#[test]
fn words_of_the_command_line_are_repeated_as_text() {
    let stage = Stage::new();
    let id = commit("any");
    both(&stage, "a subcommand", &[HOSTILE], "unrecognized subcommand");
    both(&stage, "a flag", &["deploy", &format!("--{HOSTILE}")], "unexpected argument");
    both(&stage, "a value", &["runs", "list", "--limit", HOSTILE], "invalid value");
    both(&stage, "a service", &["deploy", HOSTILE, "--env", "prod", "--commit", &id, "--dry-run"], "SERVICE");
    both(&stage, "a commit", &["deploy", "x", "--env", "prod", "--commit", HOSTILE, "--dry-run"], "--commit");
    both(&stage, "a run", &["runs", "show", HOSTILE], "no single run");
}

#[test]
fn names_and_keys_of_files_are_repeated_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = commit("any");
    let dry = ["deploy", "project-manager", "--env", "prod", "--commit", &id, "--dry-run"];

    let key = format!("{HOSTILE:?}").replace("\\u{1b}", "\\u001b").replace("\\u{7}", "\\u0007");
    let key =
        key.replace("\\u{9b}", "\\u009b").replace("\\u{202e}", "\\u202e").replace("\\u{200b}", "\\u200b");
    let stage = Stage::with(Settings { head: format!("{key} = 1\n"), ..Settings::default() });
    both(&stage, "a key of host.toml", &dry, "2J");

    let hostile = policies(folder.path(), |name, content| match name {
        "artifact.cedar" => {
            // A bare carriage return is no Cedar.
            let id = HOSTILE.replace('\r', "");
            format!("{content}\n@id(\"{id}\")\n@reason(\"{id}\")\npermit(principal, action, resource);")
        }
        _ => content,
    });
    let stage = Stage::with(Settings { policies: Some(hostile), ..Settings::default() });
    both(&stage, "an id of a policy", &dry, "2J");

    let plugins = folder.path().join(HOSTILE);
    std::fs::create_dir(&plugins).expect("a folder");
    let stage = Stage::with(Settings { plugins: Some(plugins), ..Settings::default() });
    both(&stage, "a folder of plugins", &dry, "plugin project-manager");
    let stage = Stage::with(Settings { plugins: Some(Path::new("/").join(HOSTILE)), ..Settings::default() });
    both(&stage, "no folder of plugins", &["services"], "cannot be read");

    let stage = Stage::new();
    let missing = folder.path().join(format!("{HOSTILE}.toml"));
    for form in ["text", "json"] {
        let mut command = std::process::Command::new(lab::paths::host().expect("the program"));
        command.arg("--config").arg(&missing).args(["services", "--output", form]).env("NO_COLOR", "1");
        let run = Run::of(&mut command);
        assert_eq!(run.code, 2, "{run:?}");
        shown("a name of host.toml", &run);
    }
    drop(stage);
}
