//! The registry's own life on D601, whose systemd, Docker Engine and registry program are real: what is rendered is accepted
//! there, and each thing that goes wrong is told as what it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2e::{Run, Settings, Stage};
use lab::D601;
use serde_json::{Value, json};

use super::d601;

pub const UNIT: &str = "unidesk-artifact-registry.service";
pub const CONTAINER: &str = "unidesk-artifact-registry";
pub const CONFIG: &str = "/home/ubuntu/.unidesk/artifact-registry/config.yml";
pub const COMPOSE: &str = "/home/ubuntu/.unidesk/artifact-registry/compose.yml";
pub const STORAGE: &str = "/home/ubuntu/.unidesk/registry-storage";

/// An image by the specification's name, of the registry program that Debian has.
const IMAGE: &str = r#"set -e
program=/usr/bin/docker-registry
libraries=$(ldd "$program" | grep -o '/[^ ]*' || true)
mkdir -p "$1/tmp" && cd / && tar --dereference -c $program $libraries | tar -x -C "$1"
tar -C "$1" -c . | docker import --change "ENTRYPOINT [\"$program\", \"serve\", \"/etc/docker/registry/config.yml\"]" - registry:2.8.3
docker tag registry:2.8.3 registry:2.7
rm -rf "$1""#;

pub struct Scene<'a> {
    pub d601: &'a D601,
    pub stage: Stage,
}

impl<'a> Scene<'a> {
    /// D601 without a registry, but for the image of one.
    pub fn set(d601: &'a D601) -> Self {
        let config = d601.ssh_config().display().to_string();
        let stage = Stage::with(Settings {
            registry: Some("url = \"http://127.0.0.1:5000\"\nvia = \"d601\"".to_owned()),
            tables: format!("\n[ssh.d601]\ndestination = \"d601\"\nconfig = {config:?}\n"),
            ..Settings::default()
        });
        let scene = Self { d601, stage };
        scene.root(&["systemctl", "disable", "--now", "docker-registry.service"]);
        scene.ssh(&["sh", "-c", IMAGE, "sh", "/tmp/image"]);
        scene
    }

    pub fn ssh(&self, command: &[&str]) -> String {
        self.d601.ssh(command).expect("a command on D601")
    }

    pub fn root(&self, command: &[&str]) -> String {
        self.ssh(&[&["sudo", "-n"], command].concat())
    }

    fn host(&self, command: &str) -> Run {
        self.host_with(&[command])
    }

    pub fn host_with(&self, command: &[&str]) -> Run {
        self.stage.host(&[&["registry"], command, &["--output", "json"]].concat())
    }

    /// As if host.toml were another one.
    pub fn with_toml(&self, change: impl FnOnce(String) -> String, command: &[&str]) -> Run {
        let toml = fs::read_to_string(self.stage.project().host_toml()).expect("host.toml");
        let file = self.stage.folder().join("changed.toml");
        fs::write(&file, change(toml)).expect("host.toml");
        let file = file.display().to_string();
        self.stage.host(&[&["registry"], command, &["--config", &file, "--output", "json"]].concat())
    }

    /// Exit codes of `status` and `health`, the decision, and the parts that are not well.
    fn told(&self) -> (i32, i32, String, Value) {
        let (status, health) = (self.host("status"), self.host("health"));
        let (one, other) = (status.json(), health.json());
        for part in ["decision", "failedScopes", "healthyScopes", "retryable", "runtimeApiHealthy"] {
            assert_eq!(one[part], other[part], "{part}: {status:?} {health:?}");
        }
        // What is wrong stays so until somebody mends it; a machine may come back by itself.
        assert_eq!(one["retryable"], one["decision"] == "infra-blocked", "{status:?}");
        assert_eq!(one["ok"], status.code == 0, "{status:?}");
        assert_eq!(other["ok"], health.code == 0, "{health:?}");
        (status.code, health.code, health.text("/decision"), other["failedScopes"].clone())
    }

    pub fn install(&self) {
        let run = self.host_with(&["install", "--run-now"]);
        assert_eq!(run.outcome(), (0, "healthy".to_owned()), "{run:?}");
    }

    /// Writes what is rendered on D601, where its own programs can be asked about it.
    fn render(&self, to: &str) {
        let folder = self.stage.folder().join("rendered").display().to_string();
        let run = self.host_with(&["render", "--out", &folder]);
        assert_eq!(run.code, 0, "{run:?}");
        self.d601.copy(folder.as_ref(), to).expect("a copy");
    }

    /// The same question by a command that stands for the specification's `trans D601 sh -- '<command>'`, where nobody here
    /// has `ssh` to D601; and by one that lacks a channel.
    fn by_a_gateway(&self) {
        let ssh = lab::process::show(&self.d601.ssh_command());
        let script = |name: &str, text: &str| {
            let file = self.stage.folder().join(name);
            fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a script");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a program");
            file.display().to_string()
        };
        let trans = script("trans", &format!("[ \"$1 $2 $3\" = 'D601 sh --' ] && exec {ssh} -- \"$4\""));
        let missing = script("missing", "echo 'provider-dispatch: No such container' >&2; exit 1");
        let by = |program: &str| -> Run {
            let table = format!("[ssh.d601]\ncommand = [{program:?}, \"D601\", \"sh\", \"--\"]\n\n");
            let change = |toml: String| {
                let (before, after) = toml.split_once("[ssh.d601]").expect("a table");
                let (_, rest) = after.trim_start().split_once("\n\n").unwrap_or_default();
                format!("{before}{table}{rest}")
            };
            self.with_toml(change, &["health"])
        };
        let run = by(&trans);
        assert_eq!(run.outcome(), (0, "healthy".to_owned()), "{run:?}");
        let run = by(&missing);
        assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");
        assert_eq!(run.json()["missingChannels"], json!(["provider-dispatch"]), "{run:?}");
        let run = by(&self.stage.folder().join("nowhere").display().to_string());
        assert_eq!(run.outcome(), (4, "infra-blocked".to_owned()), "{run:?}");
    }

    /// Under other policies.
    pub fn under(&self, change: impl Fn(&str, String) -> String, command: &[&str]) -> Run {
        let policies = e2e::policies(self.stage.folder(), change).display().to_string();
        let toml = |toml: String| {
            let (before, after) = toml.split_once("policies = ").expect("policies");
            let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
            format!("{before}policies = {policies:?}\n{rest}")
        };
        self.with_toml(toml, command)
    }

    /// As it is when nothing is wrong, however long it takes to come up again.
    fn well_again(&self) {
        self.root(&["systemctl", "restart", UNIT]);
        for _ in 0..40 {
            if self.host("health").code == 0 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        assert_eq!(self.told(), (0, 0, "healthy".to_owned(), json!([])));
    }
}

/// What is done to it, how that is undone, and what is told then.
type Wrong = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    i32,
    &'static str,
    &'static [&'static str],
);

const WRONG: [Wrong; 9] = [
    (
        "the unit is stopped, and somebody started the container",
        &["sh", "-c", "systemctl stop unidesk-artifact-registry && docker start unidesk-artifact-registry"],
        &["true"],
        6,
        "service-degraded",
        &["systemd"],
    ),
    (
        "the unit is stopped",
        &["systemctl", "stop", UNIT],
        &["true"],
        1,
        "unhealthy",
        &["systemd", "container", "listener", "runtime-api"],
    ),
    (
        "a byte of the configuration",
        &["sed", "-i", "s/interval: 10s/interval: 11s/", CONFIG],
        &["sed", "-i", "s/interval: 11s/interval: 10s/", CONFIG],
        6,
        "service-degraded",
        &["files"],
    ),
    (
        "a byte of the Compose file",
        &["sed", "-i", "s/unless-stopped/always/", COMPOSE],
        &["sed", "-i", "s/always/unless-stopped/", COMPOSE],
        6,
        "service-degraded",
        &["files"],
    ),
    (
        "a byte of the unit",
        &[
            "sed",
            "-i",
            "s/TimeoutStartSec=300/TimeoutStartSec=301/",
            "/etc/systemd/system/unidesk-artifact-registry.service",
        ],
        &[
            "sh",
            "-c",
            "sed -i s/301/300/ /etc/systemd/system/unidesk-artifact-registry.service && systemctl daemon-reload",
        ],
        6,
        "service-degraded",
        &["files"],
    ),
    (
        "the container is stopped",
        &["docker", "stop", CONTAINER],
        &["true"],
        1,
        "unhealthy",
        &["container", "listener", "runtime-api"],
    ),
    (
        "everybody can reach it",
        &[
            "sh",
            "-c",
            "sed s/127.0.0.1:// /home/ubuntu/.unidesk/artifact-registry/compose.yml | docker compose -f - up --detach",
        ],
        &["true"],
        1,
        "unhealthy",
        &["listener"],
    ),
    (
        "another version of the image runs",
        &[
            "sh",
            "-c",
            "sed s/registry:2.8.3/registry:2.7/ /home/ubuntu/.unidesk/artifact-registry/compose.yml | docker compose -f - up --detach",
        ],
        &["true"],
        6,
        "service-degraded",
        &["container"],
    ),
    (
        "its storage is gone",
        &["mv", STORAGE, "/home/ubuntu/elsewhere"],
        &["mv", "/home/ubuntu/elsewhere", STORAGE],
        1,
        "unhealthy",
        &["storage"],
    ),
];

#[test]
fn d601_tells_how_its_registry_is() {
    let d601 = d601();
    let scene = Scene::set(&d601);
    assert_eq!(scene.host("status").json()["installed"], false);
    let (status, health, decision, _) = scene.told();
    assert_eq!((status, health, decision.as_str()), (0, 1, "not-installed"));

    scene.install();
    scene.render("/tmp/rendered");
    scene.ssh(&["systemd-analyze", "verify", &format!("/tmp/rendered/{UNIT}")]);
    scene.ssh(&["docker", "compose", "--file", "/tmp/rendered/compose.yml", "config", "--quiet"]);
    scene.well_again();
    assert_eq!(scene.told(), (0, 0, "healthy".to_owned(), json!([])));

    for (what, command, back, code, decision, failed) in WRONG {
        scene.root(command);
        let (status, health, told, scopes) = scene.told();
        assert_eq!((status, health, told.as_str()), (0, code, decision), "{what}: {scopes}");
        assert_eq!(scopes, json!(failed), "{what}");
        scene.root(back);
        scene.well_again();
    }

    // What is degraded is said to be that, and nothing else of D601.
    scene.root(&["systemctl", "disable", UNIT]);
    let run = scene.stage.host(&["registry", "health"]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stdout.contains("not about its machine being offline"), "{run:?}");
    scene.root(&["systemctl", "enable", UNIT]);

    scene.by_a_gateway();

    // No rule, no question.
    let run = scene
        .under(|name, content| if name == "registry.cedar" { String::new() } else { content }, &["health"]);
    assert_eq!(run.code, 3, "{run:?}");

    // The way there, last: Docker's end takes the container along, and nobody answers where there is no sshd.
    scene.root(&["systemctl", "stop", "docker.socket", "docker.service"]);
    let (status, health, told, scopes) = scene.told();
    assert_eq!((status, health, told.as_str()), (0, 1, "unhealthy"), "{scopes}");
    assert!(scopes.as_array().is_some_and(|scopes| scopes.contains(&json!("docker"))), "{scopes}");
    d601.cut_power().expect("D601 without power");
    let (status, health, told, scopes) = scene.told();
    assert_eq!((status, health, told.as_str()), (4, 4, "infra-blocked"), "{scopes}");
    assert_eq!(scopes, json!(["provider-host-ssh"]));
    d601.restore_power().expect("D601 again");
}
