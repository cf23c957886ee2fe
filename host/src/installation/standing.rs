//! How an installation stands: what was found on its machine, held against what should be there.

use schemars::JsonSchema;
use serde::Serialize;

use super::query::{Kept, Observed};
use super::render::{File, Rendered};
use crate::config::Installation;
use crate::words::listed;

/// In a word (specification, "CLI").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It runs as it should.
    Healthy,
    /// Artifacts can be had, and something else of it is not as it should be.
    ServiceDegraded,
    /// Nothing of it is there.
    NotInstalled,
    /// Artifacts cannot be had.
    Unhealthy,
    /// Nobody could look.
    InfraBlocked,
}

impl Verdict {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::ServiceDegraded => "service-degraded",
            Self::NotInstalled => "not-installed",
            Self::Unhealthy => "unhealthy",
            Self::InfraBlocked => "infra-blocked",
        }
    }

    /// The exit code of `health` (design: the registry's commands).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::NotInstalled | Self::Unhealthy => 1,
            Self::InfraBlocked => 4,
            Self::ServiceDegraded => 6,
        }
    }
}

/// A part of the installation that can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// On the way of a gateway: `UniDesk`'s own backend.
    BackendCore,
    /// On the way of a gateway: its database.
    Database,
    /// On the way of a gateway: what hands a command on to a machine.
    ProviderDispatch,
    /// The way to its machine.
    ProviderHostSsh,
    /// The unit.
    Systemd,
    /// The engine.
    Docker,
    /// The container, and the image that it runs.
    Container,
    /// Where it listens.
    Listener,
    /// Its API.
    RuntimeApi,
    /// Where artifacts are kept.
    Storage,
    /// The managed files.
    Files,
}

impl Scope {
    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackendCore => "backend-core",
            Self::Database => "database",
            Self::ProviderDispatch => "provider-dispatch",
            Self::ProviderHostSsh => "provider-host-ssh",
            Self::Systemd => "systemd",
            Self::Docker => "docker",
            Self::Container => "container",
            Self::Listener => "listener",
            Self::RuntimeApi => "runtime-api",
            Self::Storage => "storage",
            Self::Files => "files",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What.
    pub name: String,
    /// Part of what.
    pub scope: Scope,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub evidence: String,
    /// What to do; nothing where all is well.
    pub recommended_action: Option<String>,
}

/// Everything that is told of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub verdict: Verdict,
    /// Whether the same question may be answered better later, without anybody changing anything.
    pub retryable: bool,
    /// Whether anything of it is there.
    pub installed: bool,
    /// Whether artifacts can be had.
    pub runtime_api_healthy: bool,
    /// Each.
    pub checks: Vec<Check>,
}

impl Standing {
    /// Of an installation on whose machine this was found.
    #[must_use]
    pub fn of(installation: &Installation, observed: &Observed) -> Self {
        let rendered = Rendered::new(installation);
        let mut checks = unit(installation, observed);
        checks.push(docker(observed));
        checks.push(container(installation, observed));
        checks.push(image(installation, &rendered, observed));
        checks.push(listener(installation, observed));
        checks.push(api(installation, observed));
        checks.push(storage(installation, observed));
        let kept = observed.files.iter().map(Some).chain(std::iter::repeat(None));
        checks.extend(
            rendered.files().into_iter().zip(kept).map(|((name, file), kept)| kept_as(name, file, kept)),
        );

        let holds = |scope: Scope| checks.iter().filter(|check| check.scope == scope).all(|check| check.ok);
        let runs = observed.container.as_ref().is_some_and(|container| container.state == "running");
        let runtime_api_healthy = runs && holds(Scope::Listener) && holds(Scope::RuntimeApi);
        let loaded = observed.unit.get("LoadState").is_some_and(|state| state != "not-found");
        let some_file = observed.files.iter().any(|kept| !matches!(kept, Kept::Missing { .. }));
        let installed = loaded || observed.container.is_some() || some_file;
        let verdict = if checks.iter().all(|check| check.ok) {
            Verdict::Healthy
        } else if runtime_api_healthy && holds(Scope::Storage) {
            // Without its storage it answers, and has nothing to give.
            Verdict::ServiceDegraded
        } else if installed {
            Verdict::Unhealthy
        } else {
            Verdict::NotInstalled
        };
        // What is just beginning is well by itself in a moment.
        let beginning = observed.unit.get("ActiveState").is_some_and(|state| state == "activating")
            || observed.container.as_ref().is_some_and(|container| container.state == "restarting");
        let retryable = verdict == Verdict::Unhealthy && beginning;
        Self { verdict, retryable, installed, runtime_api_healthy, checks }
    }

    /// Of one that nobody could look at, because the way to its machine is missing.
    #[must_use]
    pub fn blocked(why: &str, retryable: bool) -> Self {
        // A gateway names the channel that it lacks.
        let on_the_way = [Scope::BackendCore, Scope::Database, Scope::ProviderDispatch];
        let mut missing: Vec<Scope> =
            on_the_way.into_iter().filter(|scope| why.contains(scope.as_str())).collect();
        if missing.is_empty() {
            missing.push(Scope::ProviderHostSsh);
        }
        let action = "see that a command reaches that machine by hand, as host.toml says ([ssh.<name>])";
        let checks =
            missing.into_iter().map(|scope| failed(scope.as_str(), scope, why.to_owned(), action)).collect();
        let verdict = Verdict::InfraBlocked;
        Self { verdict, retryable, installed: false, runtime_api_healthy: false, checks }
    }

    /// The parts all of which are well, or one of which is not.
    #[must_use]
    pub fn scopes(&self, well: bool) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = self.checks.iter().map(|check| check.scope).collect();
        scopes.sort();
        scopes.dedup();
        let holds =
            |scope: &Scope| self.checks.iter().filter(|check| check.scope == *scope).all(|check| check.ok);
        scopes.retain(|scope| holds(scope) == well);
        scopes
    }
}

fn held(name: &str, scope: Scope, evidence: String) -> Check {
    Check { name: name.to_owned(), scope, ok: true, evidence, recommended_action: None }
}

fn failed(name: &str, scope: Scope, evidence: String, action: &str) -> Check {
    let recommended_action = Some(action.to_owned());
    Check { name: name.to_owned(), scope, ok: false, evidence, recommended_action }
}

/// For what is not as its files say.
const BRING: &str = "`host registry install --run-now` brings it to what the files say";

/// For what is not there yet.
const PUT: &str = "`host registry install --dry-run` shows what would put it there, `--run-now` does it";

fn unit(installation: &Installation, observed: &Observed) -> Vec<Check> {
    let unit = &installation.unit;
    let fact = |key: &str| observed.unit.get(key).map(String::as_str);
    if observed.unit.is_empty() {
        let evidence = "systemd did not answer there".to_owned();
        let action = "the registry is kept running by systemd: install it on a machine that has it";
        return vec![failed("unit", Scope::Systemd, evidence, action)];
    }
    let row = |name: &str, key: &str, wanted: &str, action: &str| {
        let found = fact(key).filter(|word| !word.is_empty()).unwrap_or("nothing");
        if found == wanted {
            held(name, Scope::Systemd, format!("{unit} is {found}"))
        } else {
            failed(name, Scope::Systemd, format!("{unit} is {found}, not {wanted}"), action)
        }
    };
    let start = format!("`systemctl start {unit}` there");
    vec![
        row("unit exists", "LoadState", "loaded", PUT),
        row("unit active", "ActiveState", "active", &start),
        row("unit enabled", "UnitFileState", "enabled", &format!("`systemctl enable {unit}` there")),
    ]
}

fn docker(observed: &Observed) -> Check {
    let action = "see what the engine is doing (`systemctl status docker`), and start it again";
    match (&observed.docker, &observed.docker_error) {
        (Some(version), _) => held("docker available", Scope::Docker, format!("Docker Engine {version}")),
        (None, why) => {
            let why = why.clone().unwrap_or_else(|| "it said nothing".to_owned());
            failed("docker available", Scope::Docker, format!("Docker did not answer: {why}"), action)
        }
    }
}

fn container(installation: &Installation, observed: &Observed) -> Check {
    let name = "container running";
    let wanted = &installation.container;
    let start = format!("`systemctl restart {}` there", installation.unit);
    match &observed.container {
        Some(found) if found.state != "running" => {
            failed(name, Scope::Container, format!("{wanted} is {}", found.state), &start)
        }
        Some(found) if found.project != installation.project => {
            let whose = if found.project.is_empty() {
                "no Compose project".to_owned()
            } else {
                found.project.clone()
            };
            let evidence = format!("{wanted} runs, and belongs to {whose}, not to {}", installation.project);
            failed(
                name,
                Scope::Container,
                evidence,
                &format!("find out who made it; remove it, then {start}"),
            )
        }
        Some(_) => held(name, Scope::Container, format!("{wanted} runs")),
        None => failed(name, Scope::Container, format!("there is no container {wanted}"), &start),
    }
}

fn image(installation: &Installation, rendered: &Rendered, observed: &Observed) -> Check {
    let name = "image as expected";
    let wanted = &installation.image;
    let action = "`systemctl reload` its unit there, or say in host.toml which image it should be ([registry.installation])";
    let Some(found) = &observed.container else {
        return failed(name, Scope::Container, "no container runs it".to_owned(), action);
    };
    if found.image_name != *wanted {
        let evidence = format!("the container was made from {}, not from {wanted}", found.image_name);
        return failed(name, Scope::Container, evidence, action);
    }
    if found.made_from != rendered.made_from {
        let evidence = "the container was made from another configuration or Compose file".to_owned();
        return failed(name, Scope::Container, evidence, BRING);
    }
    match &observed.image {
        Some(image) if *image != found.image => {
            let evidence = format!("{wanted} is {image} now, and the container runs {}", found.image);
            failed(name, Scope::Container, evidence, action)
        }
        _ => held(name, Scope::Container, format!("{wanted}, {}", found.image)),
    }
}

fn listener(installation: &Installation, observed: &Observed) -> Check {
    let name = "listens on loopback only";
    let bind = installation.bind;
    let Some(all) = &observed.listeners else {
        let evidence = "it cannot be seen who listens there (/proc/net/tcp)".to_owned();
        return failed(name, Scope::Listener, evidence, "look with `ss -ltn` there");
    };
    let here: Vec<_> = all.iter().filter(|one| one.port() == bind.port()).collect();
    let open: Vec<String> =
        here.iter().filter(|one| !one.ip().is_loopback()).map(ToString::to_string).collect();
    if !open.is_empty() {
        let evidence = format!("{} can be reached from elsewhere", listed(&open, 5));
        let action =
            "the registry is for its own machine only: find out what publishes that port, and take it away";
        return failed(name, Scope::Listener, evidence, action);
    }
    if here.is_empty() {
        let evidence = format!("nothing listens on {bind}");
        return failed(
            name,
            Scope::Listener,
            evidence,
            "see whether the container runs, and what it publishes",
        );
    }
    let all: Vec<String> = here.iter().map(ToString::to_string).collect();
    held(name, Scope::Listener, listed(&all, 5))
}

fn api(installation: &Installation, observed: &Observed) -> Check {
    let name = "API answers";
    let url = format!("http://{}/v2/", installation.bind);
    let action =
        format!("see what the registry says: `docker logs --tail 50 {}` there", installation.container);
    match (observed.http, &observed.http_error) {
        (Some(200), _) => held(name, Scope::RuntimeApi, format!("GET {url} is 200")),
        (Some(status), _) => {
            failed(name, Scope::RuntimeApi, format!("GET {url} is {status}, not 200"), &action)
        }
        (None, why) => {
            let why = why.clone().unwrap_or_else(|| "nobody asked".to_owned());
            failed(name, Scope::RuntimeApi, format!("GET {url} has no answer: {why}"), &action)
        }
    }
}

fn storage(installation: &Installation, observed: &Observed) -> Check {
    let name = "storage exists";
    let path = installation.storage.display();
    match observed.storage.as_deref() {
        Some("folder") => {
            let free =
                observed.storage_free.map(|kib| format!(", {} GiB free", kib >> 20)).unwrap_or_default();
            held(name, Scope::Storage, format!("{path}{free}"))
        }
        Some("missing") => failed(
            name,
            Scope::Storage,
            format!("{path} does not exist"),
            "if a disk is not mounted, mount it: what was in it is nowhere else; for a new registry, make the folder",
        ),
        _ => failed(
            name,
            Scope::Storage,
            format!("{path} is no folder"),
            "see what is in its place; nothing was touched",
        ),
    }
}

fn kept_as(name: &str, file: &File, kept: Option<&Kept>) -> Check {
    let path = file.path.display();
    let title = format!("{name} file");
    let wanted = file.sha256();
    let decide = "the operator decides whether it is a controlled upgrade or drift; `host registry install --dry-run` shows \
                  the difference, `--run-now` overwrites it";
    match kept {
        Some(Kept::Present { sha256, .. }) if *sha256 == wanted => {
            held(&title, Scope::Files, format!("{path} is as rendered (sha256 {wanted})"))
        }
        Some(Kept::Present { sha256, managed: true, .. }) => {
            let evidence = format!("{path} has sha256 {sha256}, and rendered it has {wanted}");
            failed(&title, Scope::Files, evidence, decide)
        }
        Some(Kept::Present { sha256, managed: false, .. }) => {
            let evidence = format!(
                "{path} is not managed by host: it lacks the first line of managed files (sha256 {sha256})"
            );
            failed(&title, Scope::Files, evidence, "find out whose it is, and move it away")
        }
        Some(Kept::Missing { .. }) => failed(&title, Scope::Files, format!("{path} does not exist"), PUT),
        Some(Kept::Unreadable) | None => {
            let evidence = format!("{path} cannot be read");
            failed(&title, Scope::Files, evidence, "it is to be readable for whoever looks: `chmod a+r`")
        }
    }
}
