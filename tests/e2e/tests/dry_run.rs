//! A dry run needs no network, no engine and no state, and touches nothing but its own state and cache.

use std::process::Command;

use e2e::{Run, SERVICE, Stage, commit};

#[test]
fn the_report_has_every_field_and_nothing_is_invented() {
    let stage = Stage::new();
    let run = stage.deploy(&commit("dry"), &["--dry-run"]);

    assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
    let report = run.json();
    for key in ["willCompile", "willRunCargoBuild", "willRunDockerBuild", "willRunDockerComposeBuild"] {
        assert_eq!(report["build"][key], false);
    }
    assert!(report["registry"]["digest"].is_null());
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r#""id": "[^"]+""#, r#""id": "[run]""#);
    settings.add_filter(r#""digest": "sha256:[0-9a-f]+""#, r#""digest": "[digest]""#);
    settings.add_filter(r#""durationMs": \d+"#, r#""durationMs": 0"#);
    settings.bind(|| insta::assert_snapshot!(stage.stable(&run.stdout)));
}

#[test]
fn without_network_files_or_engine_it_works_on_the_specifications_defaults() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let (state, cache) = (folder.path().join("state"), folder.path().join("cache"));
    let program = lab::paths::host().expect("the program");
    // Its own network namespace, so that nothing could answer, and a trace of every call that would ask.
    let mut command = Command::new("unshare");
    command
        .args(["--net", "strace", "--follow-forks", "--output"])
        .arg(&trace)
        .args(["--trace=%network,%file,openat,open,creat"])
        .arg(program)
        .args([
            "deploy",
            SERVICE,
            "--env",
            "prod",
            "--commit",
            &commit("dry"),
            "--dry-run",
            "--output",
            "json",
        ])
        .current_dir(lab::paths::root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("XDG_STATE_HOME", &state)
        .env("XDG_CACHE_HOME", &cache);

    let run = Run::of(&mut command);

    assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
    assert_eq!(
        run.text("/registry/probeUrl"),
        format!("http://127.0.0.1:5000/v2/unidesk/{SERVICE}/manifests/{}", commit("dry"))
    );
    let trace = std::fs::read_to_string(&trace).expect("the trace");
    assert!(trace.contains("execve("), "the trace is one: {trace}");
    let sockets: Vec<_> = trace
        .lines()
        .filter(|line| ["socket(", "socketpair(", "connect(", "bind("].iter().any(|call| line.contains(call)))
        .collect();
    assert_eq!(sockets, [""; 0]);
    let allowed = [state.display().to_string(), cache.display().to_string()];
    let foreign: Vec<_> = trace
        .lines()
        .filter(|line| writes(line))
        .filter(|line| {
            !allowed.iter().any(|folder| line.contains(folder.as_str())) && !line.contains("/dev/null")
        })
        .collect();
    assert_eq!(foreign, [""; 0]);
}

/// Whether a line of a trace is a call that changes a file or a folder.
fn writes(line: &str) -> bool {
    let opens = ["O_WRONLY", "O_RDWR", "O_CREAT"];
    let changes = [
        "rename", "mkdir", "rmdir", "unlink", "symlink", "link", "chmod", "fchmod", "chown", "truncate",
        "mknod",
    ];
    let call = line.split('(').next().and_then(|head| head.split_whitespace().last()).unwrap_or_default();
    opens.iter().any(|flag| line.contains(flag)) || changes.iter().any(|name| call.starts_with(name))
}

#[test]
fn a_trace_is_read_for_every_way_to_write() {
    assert!(writes(r#"7 openat(AT_FDCWD, "/x", O_WRONLY|O_CREAT, 0600) = 3"#));
    assert!(writes(r#"7 mkdirat(AT_FDCWD, "/x", 0700) = 0"#));
    assert!(writes(r#"7 renameat2(AT_FDCWD, "/x", AT_FDCWD, "/y", 0) = 0"#));
    assert!(!writes(r#"7 readlink("/proc/self/exe", "/x", 4096) = 2"#));
    assert!(!writes(r#"7 openat(AT_FDCWD, "/x", O_RDONLY|O_CLOEXEC) = 3"#));
}
