//! Every service of the specification in every environment that it supports, as operators are shown it before anything
//! happens. Nothing stands behind the configuration of these tests: whoever asked a far side would get no answer.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

mod built;
mod fixed;
mod golden;
mod path;
mod refused;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use e2e::Run;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Service, environment and shape of each pair that the specification supports.
const PAIRS: [(&str, &str, &str); 24] = [
    ("backend-core", "dev", "d601-k3s"),
    ("backend-core", "prod", "main-server-compose"),
    ("baidu-netdisk", "dev", "main-server-compose"),
    ("baidu-netdisk", "prod", "main-server-compose"),
    ("claudeqq", "dev", "d601-k3s"),
    ("claudeqq", "prod", "d601-k3s"),
    ("code-queue", "dev", "d601-k3s"),
    ("code-queue-mgr", "prod", "main-server-compose"),
    ("decision-center", "dev", "d601-k3s"),
    ("decision-center", "prod", "d601-k3s"),
    ("findjob", "dev", "d601-compose"),
    ("findjob", "prod", "d601-compose"),
    ("frontend", "dev", "d601-k3s"),
    ("frontend", "prod", "main-server-compose"),
    ("k3sctl-adapter", "prod", "d601-compose"),
    ("mdtodo", "dev", "d601-k3s"),
    ("mdtodo", "prod", "d601-k3s"),
    ("met-nonlinear", "dev", "d601-compose"),
    ("met-nonlinear", "prod", "d601-compose"),
    ("oa-event-flow", "prod", "main-server-compose"),
    ("pipeline", "dev", "d601-compose"),
    ("pipeline", "prod", "d601-compose"),
    ("project-manager", "prod", "main-server-compose"),
    ("todo-note", "prod", "main-server-compose"),
];

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Stands where secrets are; nothing may ever show it.
const VALUE: &str = "never-to-be-shown";

const HOST_TOML: &str = r#"
state = "state"
cache = "cache"

[registry]
via = "d601"

[ssh.d601]
destination = "operator@d601.invalid"

[runtimes.main-server]
kind = "compose"
docker = "unix:///nowhere/docker.sock"
project-directory = "."
env-file = "config.json#/providerGateway/upgrade/composeEnvFile"

[runtimes.d601]
kind = "compose"
via = "d601"
project-directory = "/srv/unidesk"
env-file = "/srv/unidesk/compose.env"

[runtimes.d601-k3s]
kind = "kubernetes"
via = "d601"
kubeconfig = "kubeconfig"

[secrets.frontend]
json = "config.json"
pointer = "/auth"
"#;

/// A canonical root with a configuration for all three runtimes, and none of them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(TempDir::with_prefix("host-matrix-").expect("a folder"));
        let plugins = lab::paths::plugins().expect("the components");
        let places = format!(
            "plugins = \"{}\"\npolicies = \"{}\"\n",
            plugins.display(),
            lab::paths::policies().display()
        );
        desk.write("host.toml", &(places + HOST_TOML));
        let config = json!({
            "providerGateway": { "upgrade": { "composeEnvFile": "compose.env" } },
            "auth": { "username": VALUE, "password": VALUE, "sessionSecret": VALUE },
        });
        desk.write("config.json", &config.to_string());
        let secrets = ["CLIENT_ID", "CLIENT_SECRET", "TOKEN_KEY"];
        desk.write(
            "compose.env",
            &secrets.map(|key| format!("UNIDESK_BAIDU_NETDISK_{key}={VALUE}\n")).concat(),
        );
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("an owner's file");
    }

    /// The program as an operator runs it here.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(lab::paths::host().expect("the program"));
        self.start(&mut command, arguments)
    }

    /// A configuration whose desired state is the desk's `deploy.json`.
    fn desiring(&self) -> String {
        let toml = fs::read_to_string(self.path().join("host.toml")).expect("host.toml");
        self.write("desiring.toml", &format!("{toml}\n[catalog]\ndesired = \"deploy.json\"\n"));
        self.path().join("desiring.toml").display().to_string()
    }

    /// The same, started as `command` says.
    fn start(&self, command: &mut Command, arguments: &[&str]) -> Run {
        let toml = self.path().join("host.toml");
        let run = Run::of(command.arg("--config").arg(toml).args(arguments).env("NO_COLOR", "1"));
        assert!(!format!("{run:?}").contains(VALUE), "a secret is shown: {run:?}");
        run
    }

    /// The report of a dry run that was planned.
    fn planned(&self, service: &str, environment: &str) -> Value {
        let run = self.run(&[
            "deploy",
            service,
            "--env",
            environment,
            "--commit",
            COMMIT,
            "--dry-run",
            "--output",
            "json",
        ]);
        assert_eq!(run.outcome(), (0, "planned".to_owned()), "{run:?}");
        run.json()
    }

    fn stable(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "[desk]")
    }
}

#[test]
fn the_services_are_those_of_the_specification() {
    let desk = Desk::new();
    let run = desk.run(&["services", "--output", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let answer = run.json();
    let mut found = Vec::new();
    for service in answer["services"].as_array().expect("services") {
        for one in service["environments"].as_array().expect("environments") {
            found.push(
                [&service["service"], &one["name"], &one["shape"]]
                    .map(|text| text.as_str().unwrap_or_default()),
            );
        }
    }
    assert_eq!(found, PAIRS.map(|(service, environment, shape)| [service, environment, shape]));
    assert_eq!(answer["services"].as_array().map(Vec::len), Some(15));
}
