//! Every way in which a component is broken here, and what keeps it so while the doctor looks.

use std::any::Any;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::{Run, SERVICE};
use rustix::process::{Pid, Signal, kill_process};

use super::scene::Scene;
use super::{answering, answering_at};

/// Breaks something, and gives what the doctor says; the second part is held until it has.
pub type Damage = fn(&Scene) -> (Run, Box<dyn Any>);

/// All of them.
pub fn all() -> impl Iterator<Item = &'static (&'static str, Damage)> {
    [FAR_SIDES, COMPOSE, ENV_FILE, PLUGINS, POLICIES, OWN_FILES].into_iter().flatten()
}

const FAR_SIDES: &[(&str, Damage)] = &[
    ("nothing listens where the registry should be", |scene| {
        registry(scene, &nobody());
        look(scene)
    }),
    ("something else listens there", |scene| {
        registry(scene, &answering("HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n<h1>It works!</h1>"));
        look(scene)
    }),
    ("a proxy listens there, and the registry behind it is down", |scene| {
        registry(scene, &answering("HTTP/1.0 502 Bad Gateway\r\n\r\nno upstream"));
        look(scene)
    }),
    ("the registry is open to other machines", |scene| {
        let answer = "HTTP/1.0 200 OK\r\ndocker-distribution-api-version: registry/2.0\r\n\r\n{}";
        let port = answering_at("0.0.0.0:0", answer);
        registry(scene, &format!("http://127.0.0.1:{port}"));
        look(scene)
    }),
    ("the engine's socket is missing", |scene| {
        scene.configure("docker", "unix:///run/nowhere/docker.sock");
        look(scene)
    }),
    ("the engine's socket is another user's", |scene| {
        // Root may open everything: the doctor is somebody else, who may read the configuration only.
        let program = scene.aside.path().join("host");
        let built = lab::paths::host().expect("the program");
        fs::hard_link(&built, &program).or_else(|_| fs::copy(&built, &program).map(drop)).expect("a program");
        fs::set_permissions(scene.stage.folder(), fs::Permissions::from_mode(0o755)).expect("rights");
        let mut command = Command::new(program);
        command.args(["--config"]).arg(scene.path("host.toml")).args(["doctor", "--only", "engine"]);
        command.args(["--output", "json"]).uid(65534).gid(65534).env("NO_COLOR", "1");
        let run = Run::of(&mut command);
        fs::set_permissions(scene.stage.folder(), fs::Permissions::from_mode(0o700)).expect("rights");
        (run, Box::new(()))
    }),
];

const COMPOSE: &[(&str, Damage)] = &[
    ("there is no docker command", |scene| {
        let run = scene.doctor(|command| {
            command.env("PATH", "/nonexistent");
        });
        (run, Box::new(()))
    }),
    ("docker has no Compose plugin", |scene| {
        (
            scene.doctor(scene.docker("echo \"docker: 'compose' is not a docker command.\" >&2; exit 1")),
            Box::new(()),
        )
    }),
    ("Compose is old", |scene| (scene.doctor(scene.docker("echo v2.9.0")), Box::new(()))),
    ("the Compose file is missing", |scene| {
        fs::remove_file(scene.path("docker-compose.yml")).expect("no file");
        look(scene)
    }),
    ("the Compose file is no YAML", |scene| {
        scene.edit("docker-compose.yml", "services:", "services: [");
        look(scene)
    }),
    ("the Compose file leaves a part of the stamp out", |scene| {
        let line =
            "      UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT: ${UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT:-}\n";
        scene.edit("docker-compose.yml", line, "");
        look(scene)
    }),
    ("the Compose file uses a variable that nobody sets", |scene| {
        scene.edit(
            "docker-compose.yml",
            "backend\n    environment:\n      UNIDESK_PROJECT",
            "backend\n    environment:\n      LEVEL: ${LOG_LEVEL}\n      UNIDESK_PROJECT",
        );
        look(scene)
    }),
];

const ENV_FILE: &[(&str, Damage)] = &[
    ("the env file is missing", |scene| {
        fs::remove_file(env_file(scene)).expect("no file");
        look(scene)
    }),
    ("nothing says where the env file is", |scene| {
        fs::write(scene.path("config.json"), "{ \"providerGateway\": {} }").expect("a file");
        look(scene)
    }),
    ("the env file may be written by its group", |scene| {
        fs::set_permissions(env_file(scene), fs::Permissions::from_mode(0o660)).expect("rights");
        look(scene)
    }),
    ("a quote in the env file is never closed", |scene| {
        let mut file = fs::OpenOptions::new().append(true).open(env_file(scene)).expect("the file");
        file.write_all(b"PASSWORD='hunter2\n").expect("a line");
        drop(file);
        let (run, held) = look(scene);
        assert!(!run.transcript().contains("hunter2"), "{run:?}");
        (run, held)
    }),
    ("a lock is held", |scene| {
        let path = scene.path(&format!(".state/compose.env.{SERVICE}.lock"));
        let mut file = fs::File::create(path).expect("the lock's file");
        write!(file, "ann runs 20261120T225900Z-abcdef, process {}", std::process::id()).expect("a note");
        file.lock().expect("the lock");
        let (run, _) = look(scene);
        (run, Box::new(file))
    }),
];

const PLUGINS: &[(&str, Damage)] = &[
    ("a plugin is cut off", |scene| {
        let path = scene.path(&format!("plugins/{SERVICE}.wasm"));
        let bytes = fs::read(&path).expect("a component");
        fs::write(&path, &bytes[..100]).expect("its beginning");
        look(scene)
    }),
    ("a plugin lies under the name of another service, beside notes", |scene| {
        let plugins = scene.path("plugins");
        fs::copy(plugins.join(format!("{SERVICE}.wasm")), plugins.join("todo-note.wasm")).expect("a copy");
        fs::write(plugins.join("notes.txt"), "").expect("a file");
        look(scene)
    }),
    ("the desired state names what moves, and the catalogue another repository", |scene| {
        let toml = scene.stage.project().host_toml();
        let catalog = "\n[catalog]\nartifacts = \"CI.json\"\ndesired = \"deploy.json\"\n";
        let text = fs::read_to_string(&toml).expect("host.toml");
        fs::write(&toml, text + catalog).expect("host.toml");
        let desired = format!("{{\"prod\": {{\"{SERVICE}\": \"latest\"}}}}");
        fs::write(scene.path("deploy.json"), desired).expect("deploy.json");
        let published = format!(
            "{{\"artifacts\": {{\"{SERVICE}\": {{\"kind\": \"source-build\", \"repository\": \"Elsewhere\", \
             \"dockerfile\": \"Dockerfile\", \"producer\": \"ci publish-user-service\", \
             \"image\": \"unidesk/{SERVICE}\"}}}}}}"
        );
        fs::write(scene.path("CI.json"), published).expect("CI.json");
        look(scene)
    }),
    ("the folder of plugins is missing", |scene| {
        scene.configure("plugins", "nowhere");
        look(scene)
    }),
];

const POLICIES: &[(&str, Damage)] = &[
    ("policy does not let the plugin look its image up", |scene| {
        scene.edit("policies/entities.json", "\"unidesk/project-manager\"", "\"unidesk/other\"");
        look(scene)
    }),
    ("a rule is broken", |scene| {
        scene.edit("policies/health.cedar", "resource in principal.service", "resource in principal.servce");
        look(scene)
    }),
    ("a policy test fails", |scene| {
        scene.edit("policies/tests/doctor.json", "\"engine/main-server\"", "\"docker/main-server\"");
        scene.edit("policies/doctor.cedar", "resource is FarSide", "resource == FarSide::\"registry\"");
        look(scene)
    }),
];

const OWN_FILES: &[(&str, Damage)] = &[
    ("the state folder is on a disk that is mounted read-only", |scene| {
        let mount = ReadOnly::new(scene.path("state"));
        let (run, _) = look(scene);
        (run, Box::new(mount))
    }),
    ("the journal is damaged", |scene| {
        let path = scene.path("state/journal.sqlite");
        journal(scene, "PRAGMA wal_checkpoint(TRUNCATE)");
        let mut bytes = fs::read(&path).expect("the journal");
        bytes[4096..].fill(0x5a);
        fs::write(&path, bytes).expect("a damaged journal");
        look(scene)
    }),
    ("a run was killed", |scene| {
        kill_a_run(scene);
        look(scene)
    }),
    ("the journal is of another version", |scene| {
        journal(scene, "PRAGMA user_version = 99");
        look(scene)
    }),
    ("compiled code may be changed by others", |scene| {
        for entry in fs::read_dir(scene.path("cache/compiled")).expect("entries").flatten() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o666)).expect("rights");
        }
        look(scene)
    }),
    ("the health endpoint is dead", |scene| {
        scene.configure("url", &format!("{}/health", nobody()));
        look(scene)
    }),
    ("the health endpoint answers something else", |scene| {
        scene.configure("url", &answering("HTTP/1.0 404 Not Found\r\n\r\nnot here"));
        look(scene)
    }),
    ("a limit lets nothing through", |scene| {
        scene.edit("host.toml", "[limits]\n", "[limits]\nfuel = 0\ndocker-seconds = 1_000_000\n");
        look(scene)
    }),
    ("host.toml may be written by everybody", |scene| {
        fs::set_permissions(scene.path("host.toml"), fs::Permissions::from_mode(0o666)).expect("rights");
        look(scene)
    }),
];

fn look(scene: &Scene) -> (Run, Box<dyn Any>) {
    (scene.doctor(|_| {}), Box::new(()))
}

fn env_file(scene: &Scene) -> PathBuf {
    scene.stage.project().env_file()
}

fn registry(scene: &Scene, url: &str) {
    let old = format!("url = \"{}\"", scene.stage.registry_url());
    scene.edit("host.toml", &old, &format!("url = \"{url}\""));
}

/// An address that nothing listens at.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// A plan that is killed while it waits for Compose.
fn kill_a_run(scene: &Scene) {
    let started = scene.aside.path().join("started");
    let stalled = scene.docker(&format!("echo $$ > {}; exec sleep 300", started.display()));
    let commit = scene.stage.published("well");
    let mut command = scene.stage.command(&["deploy", SERVICE, "--env", "prod", "--commit", &commit]);
    stalled(&mut command);
    let mut host = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
    let compose = (0..1000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        fs::read_to_string(&started).ok()?.trim().parse().ok().and_then(Pid::from_raw)
    });
    host.kill().expect("killed");
    host.wait().expect("ended");
    kill_process(compose.expect("it asked Compose"), Signal::KILL).expect("killed");
}

/// A folder under a mount that nobody may write to, root neither.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn new(folder: PathBuf) -> Self {
        mount(&["--bind"], &folder, true);
        mount(&["-o", "remount,ro,bind"], &folder, false);
        Self(folder)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(options: &[&str], folder: &Path, onto_itself: bool) {
    let mut command = Command::new("mount");
    command.args(options).arg(folder);
    if onto_itself {
        command.arg(folder);
    }
    assert!(command.status().expect("mount").success());
}

/// Does this to the journal; whoever closes it last moves what is in the log beside it into it.
fn journal(scene: &Scene, statement: &str) {
    let db = rusqlite::Connection::open(scene.path("state/journal.sqlite")).expect("the journal");
    db.execute_batch(statement).expect("a statement");
}
