//! `host doctor`: each component broken in turn is told with what to do, and looking changes nothing.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

mod broken;
mod scene;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Run, Stage};
use scene::Scene;

/// What differs between machines and versions.
fn any_machine() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"Docker \S+, API \S+, images in \S+, linux/\w+", "Docker [version]");
    settings.add_filter(r"Compose \d\S+,", "Compose [version],");
    settings.add_filter(r"\d+ KiB", "[size]");
    settings.add_filter(r"\d{8}T\d{6}Z-[0-9a-f]{6}", "[run]");
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"port \d+", "port [port]");
    settings.add_filter(r"(127\.0\.0\.1|0\.0\.0\.0):\d+", "$1:[port]");
    settings.add_filter(r"\b(172|192\.168|10)(\.\d+)+:\d+", "[container]");
    settings.add_filter(r"process \d+", "process [id]");
    settings
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_no_trace() {
    let scene = Scene::new();

    let run = scene.doctor(|_| {});
    assert_eq!((run.code, run.text("/decision")), (0, "healthy".to_owned()), "{}", scene.told(&run));
    assert_eq!(run.json()["ok"], true);

    let text = scene.stage.host(&["doctor"]);
    assert_eq!((text.code, text.stderr.as_str()), (0, ""));
    any_machine().bind(|| insta::assert_snapshot!(scene.stage.stable(&text.stdout)));
}

#[test]
fn each_component_broken_in_turn() {
    let scene = Scene::new();
    let mut told = String::new();
    for (name, damage) in broken::all() {
        let (run, held) = damage(&scene);
        told += &["# ", name, "\n", &scene.told(&run), "\n"].concat();
        drop(held);
        scene.mend();
    }
    any_machine().bind(|| insta::assert_snapshot!(told));
    let run = scene.doctor(|_| {});
    assert_eq!(run.code, 0, "everything was mended: {}", scene.told(&run));
}

/// The system calls of a doctor that matter: connections, programs and files.
fn traced(scene: &Scene) -> (Run, String) {
    let trace = scene.aside.path().join("trace");
    let host = scene.stage.command(&["doctor", "--output", "json"]);
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--output"])
        .arg(&trace)
        .args(["--trace=%network,%file,execve"])
        .arg(host.get_program())
        .args(host.get_args());
    for (key, value) in host.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    let run = Run::of(&mut command);
    (run, std::fs::read_to_string(&trace).expect("the trace"))
}

/// Whether anybody outside was asked: a connection, a program, the env file, what points to it.
fn outside(trace: &str) -> Vec<&'static str> {
    let called = |call: &str| trace.lines().any(|line| line.contains(call));
    let programs = trace.lines().filter(|line| line.contains("execve(") && !line.contains("ENOENT")).count();
    [
        ("a connection", called("connect(")),
        ("a program", programs > 1),
        ("the env file", called("compose.env")),
        ("what names the env file", called("config.json")),
        ("a compose file", called("docker-compose.yml")),
    ]
    .into_iter()
    .filter_map(|(what, happened)| happened.then_some(what))
    .collect()
}

#[test]
fn nobody_is_asked_whom_no_rule_permits_to_ask() {
    let scene = Scene::new();
    let (run, trace) = traced(&scene);
    assert_eq!(run.code, 0, "{}", scene.told(&run));
    let asked = ["a connection", "a program", "the env file", "what names the env file", "a compose file"];
    assert_eq!(outside(&trace), asked, "so the rest of this test can fail");

    std::fs::remove_file(scene.path("policies/doctor.cedar")).expect("no rule");
    std::fs::remove_file(scene.path("policies/tests/doctor.json")).expect("no test of it");
    let (run, trace) = traced(&scene);
    assert_eq!(outside(&trace), [""; 0]);
    assert_eq!((run.code, run.text("/decision")), (1, "unhealthy".to_owned()));
    let text = scene.stage.host(&["doctor"]).stdout;
    any_machine().bind(|| insta::assert_snapshot!("without_a_rule", scene.stage.stable(&text)));

    scene.mend();
    std::fs::write(scene.path("policies/compose.cedar"), "permit (").expect("a broken rule");
    let (run, trace) = traced(&scene);
    assert_eq!(outside(&trace), [""; 0]);
    any_machine().bind(|| insta::assert_snapshot!("with_broken_policies", scene.told(&run)));
}

#[test]
fn nobody_is_waited_for() {
    let scene = Scene::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let socket = scene.aside.path().join("docker.sock");
    let _engine = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    scene.configure("docker", &format!("unix://{}", socket.display()));
    // The last one of this name is that of the health endpoint.
    scene.configure("url", &format!("{url}/health"));
    scene.edit(
        "host.toml",
        &format!("url = \"{}\"", scene.stage.registry_url()),
        &format!("url = \"{url}\""),
    );
    let marker = scene.aside.path().join("asleep");
    let sleeping = scene.docker(&format!("echo $$ > {}; exec sleep 300", marker.display()));

    let begun = Instant::now();
    let run = scene.doctor(sleeping);

    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    any_machine().bind(|| insta::assert_snapshot!(scene.told(&run)));
    let id = std::fs::read_to_string(marker).expect("it was started");
    assert!(!std::path::Path::new(&format!("/proc/{}", id.trim())).exists(), "it was ended");
}

#[test]
fn what_is_not_wanted_is_not_looked_at_and_an_unreadable_configuration_is_no_diagnosis() {
    let scene = Scene::new();
    let run = scene.doctor(|command| {
        command.args(["--only", "state", "cache"]);
    });
    let names: Vec<_> =
        run.json()["checks"].as_array().expect("checks").iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["state", "cache"]);
    let unknown = scene.stage.host(&["doctor", "--only", "registy"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("'registry'"), "the nearest name is told: {unknown:?}");

    std::fs::write(scene.path("host.toml"), "[registry").expect("a broken file");
    let run = scene.doctor(|_| {});
    assert_eq!((run.code, run.text("/error/code")), (2, "config-invalid".to_owned()), "{run:?}");
}

#[test]
fn without_a_configuration_the_defaults_are_looked_at() {
    let _stage = Stage::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(lab::paths::host().expect("the program"));
    command
        .args(["doctor", "--output", "json"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder.path());

    let run = Run::of(&mut command);

    assert_eq!(run.code, 1, "nothing is there: {run:?}");
    assert_eq!(run.text("/checks/0/evidence"), "no host.toml: the specification's defaults hold");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing was made");
    let names: Vec<_> =
        run.json()["checks"].as_array().expect("checks").iter().map(|one| one["name"].clone()).collect();
    for name in
        ["policies", "plugins", "registry", "engine/main-server", "env-file/main-server", "state", "cache"]
    {
        assert!(names.contains(&name.into()), "{name} is missing in {names:?}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let stage = Stage::new();
    let folder = stage.folder().join("man/man1");
    let run = stage.host(&["man", "--out", &folder.display().to_string()]);
    assert_eq!(run.code, 0, "{run:?}");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("pages").flatten().map(|page| page.file_name()).collect();
    names.sort();
    assert!(names.contains(&"host.1".into()) && names.contains(&"host-runs-show.1".into()), "{names:?}");
    let page = std::fs::read_to_string(folder.join("host-doctor.1")).expect("a page");
    assert!(page.starts_with(".ie") || page.contains(".TH HOST-DOCTOR 1"), "{page}");
    assert_eq!(stage.host(&["man"]).stdout, std::fs::read_to_string(folder.join("host.1")).expect("a page"));
}

/// Something that answers every request with this, until the test ends.
fn answering(answer: &'static str) -> String {
    format!("http://127.0.0.1:{}", answering_at("127.0.0.1:0", answer))
}

/// The same at an address; gives its port.
fn answering_at(address: &str, answer: &'static str) -> u16 {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    port
}
