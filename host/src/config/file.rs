//! The keys of `host.toml` as they are written, and how they become a [`Config`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::approvals::ApprovalsTable;
use super::installation::InstallationTable;
use super::invalid::invalid;
use super::locate::{Chosen, default_folder, xdg};
use super::secrets::SecretsTable;
use super::ssh::{Reached, SshTable};
use super::{ComposeRuntime, Config, EnvFileSource, HttpUrl, KubernetesRuntime, Limits, RegistryConfig};
use crate::fault::Fault;
use crate::names::{ConfigName, ImageName, RuntimeName};
use crate::words::{plain, quoted};

/// Largest `host.toml`, in bytes.
const LARGEST: u64 = 1 << 20;
/// Longest part of a refused value that a message repeats, in characters.
const SHOWN: usize = 120;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    plugins: Option<PathBuf>,
    policies: Option<PathBuf>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    zone: Option<String>,
    registry: RegistryTable,
    runtimes: BTreeMap<RuntimeName, toml::Spanned<RuntimeTable>>,
    health: BTreeMap<ConfigName, HealthTable>,
    secrets: BTreeMap<ConfigName, SecretsTable>,
    ssh: BTreeMap<ConfigName, SshTable>,
    catalog: CatalogTable,
    approvals: ApprovalsTable,
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct RegistryTable {
    url: String,
    via: Option<ConfigName>,
    namespace: String,
    installation: InstallationTable,
}

impl Default for RegistryTable {
    fn default() -> Self {
        // Both from the specification, "Architecture".
        Self {
            url: "http://127.0.0.1:5000".to_owned(),
            via: None,
            namespace: "unidesk".to_owned(),
            installation: InstallationTable::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RuntimeTable {
    kind: RuntimeKind,
    #[serde(default)]
    via: Option<ConfigName>,
    #[serde(default)]
    docker: Option<String>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    project_directory: Option<PathBuf>,
    #[serde(default)]
    files: Option<Vec<PathBuf>>,
    #[serde(default)]
    env_file: Option<String>,
    #[serde(default)]
    kubeconfig: Option<PathBuf>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    containerd: Option<PathBuf>,
}

impl RuntimeTable {
    /// Keys that are set and belong to the other kind.
    fn misplaced(&self) -> Vec<&'static str> {
        let compose = [
            ("docker", self.docker.is_some()),
            ("project", self.project.is_some()),
            ("project-directory", self.project_directory.is_some()),
            ("files", self.files.is_some()),
            ("env-file", self.env_file.is_some()),
        ];
        let kubernetes = [
            ("kubeconfig", self.kubeconfig.is_some()),
            ("context", self.context.is_some()),
            ("containerd", self.containerd.is_some()),
        ];
        let others = match self.kind {
            RuntimeKind::Compose => kubernetes.as_slice(),
            RuntimeKind::Kubernetes => compose.as_slice(),
        };
        others.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect()
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RuntimeKind {
    Compose,
    Kubernetes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HealthTable {
    url: String,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CatalogTable {
    artifacts: Option<PathBuf>,
    desired: Option<PathBuf>,
}

/// The parts of the specification that hold when nobody says otherwise.
const MAIN_SERVER: &str = r#"
[runtimes.main-server]
kind = "compose"
"#;

pub(super) fn load(chosen: &Chosen) -> Result<Config, Fault> {
    match &chosen.file {
        Some(path) => understood(&read(path)?, chosen),
        None => understood(MAIN_SERVER, chosen),
    }
}

/// The configuration that `text`, the content of the chosen file, stands for.
pub(super) fn understood(text: &str, chosen: &Chosen) -> Result<Config, Fault> {
    let base = &chosen.base;
    let at = |path: &Path| base.join(path);
    let name = chosen.file.as_ref().map_or_else(|| "host.toml".to_owned(), |path| path.display().to_string());
    let file: File = parse(text, &name)?;
    let (mut ssh, mut gateways) = (BTreeMap::new(), BTreeMap::new());
    for (host, table) in file.ssh {
        let key = format!("ssh.{host}");
        match table.reached(base).map_err(|error| bad_value(&name, &key, &error))? {
            Reached::Ssh(found) => drop(ssh.insert(host, found)),
            Reached::Gateway(command) => drop(gateways.insert(host, command)),
        }
    }
    let via = |key: &str, via: Option<ConfigName>| match via {
        Some(host) if !ssh.contains_key(&host) && !gateways.contains_key(&host) => {
            let error = format!("no [ssh.{host}] says how that machine is reached");
            Err(bad_value(&name, key, &error))
        }
        via => Ok(via),
    };
    let url = registry_url(&file.registry.url, &name)?;
    let registry = RegistryConfig {
        via: via("registry.via", file.registry.via)?,
        installation: file
            .registry
            .installation
            .installation(&url)
            .map_err(|(key, why)| bad_value(&name, &format!("registry.installation.{key}"), &why))?,
        url,
        namespace: ImageName::parse(&file.registry.namespace)
            .map_err(|error| bad_value(&name, "registry.namespace", &error.to_string()))?,
    };
    let (mut runtimes, mut clusters) = (BTreeMap::new(), BTreeMap::new());
    for (runtime, table) in file.runtimes {
        let mut table = table.into_inner();
        let key = |key: &str| format!("runtimes.{runtime}.{key}");
        if let Some(misplaced) = table.misplaced().first() {
            return Err(bad_value(&name, &key(misplaced), "a runtime of this kind has no such key"));
        }
        table.via = via(&key("via"), table.via)?;
        match table.kind {
            RuntimeKind::Compose => {
                let compose = compose_runtime(&runtime, table, base, &name)?;
                runtimes.insert(runtime, compose);
            }
            RuntimeKind::Kubernetes => {
                let RuntimeTable { via, kubeconfig, context, containerd, .. } = table;
                let cluster = KubernetesRuntime::parse(via, kubeconfig, context, containerd, base)
                    .map_err(|(which, error)| bad_value(&name, &key(which), &error))?;
                clusters.insert(runtime, cluster);
            }
        }
    }
    let health = file
        .health
        .into_iter()
        .map(|(endpoint, table)| {
            let url = HttpUrl::parse(&table.url)
                .map_err(|error| bad_value(&name, &format!("health.{endpoint}.url"), &error))?;
            Ok((endpoint, url))
        })
        .collect::<Result<_, Fault>>()?;
    let secrets = file
        .secrets
        .into_iter()
        .map(|(source, table)| {
            let key = format!("secrets.{source}");
            Ok((source, table.source(base).map_err(|error| bad_value(&name, &key, &error))?))
        })
        .collect::<Result<_, Fault>>()?;
    let components = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "wasm"))
        })
    };
    Ok(Config {
        file: chosen.file.clone(),
        plugins: file.plugins.map_or_else(|| default_folder(base, "plugins", components), |path| at(&path)),
        policies: file.policies.map_or_else(
            || default_folder(base, "policies", |folder| folder.join("schema.cedarschema").is_file()),
            |path| at(&path),
        ),
        state: folder(file.state.as_deref().map(at), "XDG_STATE_HOME", ".local/state", "state")?,
        cache: folder(file.cache.as_deref().map(at), "XDG_CACHE_HOME", ".cache", "cache")?,
        zone: zone(file.zone.as_deref(), &name)?,
        registry,
        runtimes,
        clusters,
        health,
        secrets,
        ssh,
        gateways,
        desired: file.catalog.desired.as_deref().map(at),
        artifacts: file.catalog.artifacts.as_deref().map(at),
        approvals: file
            .approvals
            .approvals(base)
            .map_err(|(key, why)| bad_value(&name, &format!("approvals.{key}"), &why))?,
        limits: file.limits,
    })
}

pub(super) fn read(path: &Path) -> Result<String, Fault> {
    let shown = path.display();
    let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if size > LARGEST {
        return Err(Fault::usage(
            "config-size",
            format!("{shown} has {size} bytes; a configuration has at most {LARGEST}"),
            "name the right file with --config",
        ));
    }
    std::fs::read_to_string(path).map_err(|error| {
        Fault::usage(
            "config-unreadable",
            format!("{shown} cannot be read: {error}"),
            "make it a readable UTF-8 file",
        )
    })
}

fn parse<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, Fault> {
    toml::from_str(text).map_err(|error| invalid(name, text, &error))
}

fn bad_value(file: &str, key: &str, error: &str) -> Fault {
    Fault::usage(
        "config-value",
        format!("{file}: {key}: {error}"),
        "see the Configuration section of README.md",
    )
}

fn registry_url(text: &str, file: &str) -> Result<HttpUrl, Fault> {
    let url = HttpUrl::parse(text).map_err(|error| bad_value(file, "registry.url", &error))?;
    if !url.is_loopback() || url.path != "/" {
        return Err(Fault::usage(
            "config-registry",
            format!(
                "{file}: registry.url is {}, which is not a registry on this machine's loopback",
                quoted(text, SHOWN)
            ),
            "the artifact registry listens on loopback only; use http://127.0.0.1:<port>",
        ));
    }
    Ok(url)
}

fn compose_runtime(
    runtime: &RuntimeName,
    table: RuntimeTable,
    base: &Path,
    file: &str,
) -> Result<ComposeRuntime, Fault> {
    let key = |key: &str| format!("runtimes.{runtime}.{key}");
    let directory = table.project_directory.unwrap_or_else(|| PathBuf::from("."));
    if let Some(via) = &table.via
        && !directory.is_absolute()
    {
        let error = format!("a path on {via} cannot be relative to this file; write it in full");
        return Err(bad_value(file, &key("project-directory"), &error));
    }
    // Without the `.` parts: the path is shown in commands.
    let directory: PathBuf = base.join(directory).components().collect();
    let docker = table.docker.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    if !docker.starts_with("unix:///") {
        let error = format!(
            "{} is no address of an engine on this machine; write unix:///path/to/docker.sock",
            quoted(&docker, SHOWN)
        );
        return Err(bad_value(file, &key("docker"), &error));
    }
    let project = table.project.unwrap_or_else(|| "unidesk".to_owned());
    compose_project(&project).map_err(|error| bad_value(file, &key("project"), &error))?;
    let files = table.files.unwrap_or_else(|| vec![PathBuf::from("docker-compose.yml")]);
    if files.is_empty() {
        return Err(bad_value(file, &key("files"), "at least one Compose file is needed"));
    }
    let env_file =
        table.env_file.unwrap_or_else(|| "config.json#/providerGateway/upgrade/composeEnvFile".to_owned());
    let env_file = EnvFileSource::parse(&env_file, &directory);
    let files = files.iter().map(|one| directory.join(one)).collect();
    Ok(ComposeRuntime { via: table.via, docker, project, directory, files, env_file })
}

/// Whether it can be the name of a Compose project.
pub(super) fn compose_project(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    if name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "{} is no Compose project name: lower-case letters, digits, `_` and `-`",
        quoted(name, SHOWN)
    ))
}

fn folder(set: Option<PathBuf>, variable: &str, fallback: &str, key: &'static str) -> Result<PathBuf, Fault> {
    set.or_else(|| xdg(variable, fallback)).ok_or_else(|| {
        Fault::usage(
            "config-folder",
            format!(
                "there is no {key} folder: neither `{key}` in host.toml nor ${variable} nor $HOME is set"
            ),
            format!("set `{key} = \"…\"` in host.toml"),
        )
    })
}

fn zone(name: Option<&str>, file: &str) -> Result<jiff::tz::TimeZone, Fault> {
    name.map_or(Ok(jiff::tz::TimeZone::UTC), |name| {
        jiff::tz::TimeZone::get(name)
            .map_err(|error| bad_value(file, "zone", &plain(&error.to_string(), SHOWN)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("host.toml");
        std::fs::write(&path, text).expect("a file");
        load(&Chosen { file: Some(path), base: folder.path().to_path_buf() })
            .map(|_| ())
            .expect_err("refused")
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let fault = fault("[runtimes.main-server]\nkind = \"compose\"\nprojcet = \"x\"\n");
        assert_eq!(fault.exit_code(), 2);
        assert!(fault.help.contains("did you mean \"project\"?"), "{fault}");
        assert!(fault.message.contains("line 3"), "{fault}");
    }

    #[test]
    fn a_key_of_another_kind_of_runtime_is_refused() {
        for (key, text) in [
            ("kubeconfig", "[runtimes.main-server]\nkind = \"compose\"\nkubeconfig = \"x\"\n"),
            ("docker", "[runtimes.d601-k3s]\nkind = \"kubernetes\"\ndocker = \"unix:///x\"\n"),
        ] {
            let fault = fault(text);
            assert!(
                fault.message.contains(&format!("{key}: a runtime of this kind has no such key")),
                "{fault}"
            );
        }
        let socket = fault("[runtimes.d601-k3s]\nkind = \"kubernetes\"\ncontainerd = \"x.sock\"\n");
        assert!(
            socket.message.contains("runtimes.d601-k3s.containerd: the path of a socket is absolute"),
            "{socket}"
        );
    }

    #[test]
    fn a_machine_that_nobody_says_how_to_reach_is_refused() {
        let registry = fault("[registry]\nvia = \"d601\"\n");
        assert!(registry.message.contains("registry.via: no [ssh.d601] says how"), "{registry}");
        let runtime = "[runtimes.d601]\nkind = \"compose\"\nproject-directory = \"/srv\"\nvia = \"d601\"\n";
        let runtime = fault(runtime);
        assert!(runtime.message.contains("runtimes.d601.via: no [ssh.d601]"), "{runtime}");
    }

    #[test]
    fn a_path_on_another_machine_is_written_in_full() {
        let ssh = "[ssh.d601]\ndestination = \"ubuntu@d601\"\n";
        let runtime = "[runtimes.d601]\nkind = \"compose\"\nvia = \"d601\"\n";
        let relative = fault(&format!("{ssh}{runtime}project-directory = \"srv\"\n"));
        assert!(
            relative.message.contains("project-directory: a path on d601 cannot be relative"),
            "{relative}"
        );
        assert!(fault(&format!("{ssh}{runtime}")).message.contains("project-directory"));
    }

    #[test]
    fn a_value_is_repeated_escaped_and_in_part() {
        let long = "\\u001b[2J".repeat(1000);
        for text in [
            format!("zone = \"{long}\"\n"),
            format!("[registry]\nurl = \"http://10.0.0.1/{long}\"\n"),
            "[registry]\nurl = \"http://10.0.0.1/".to_owned() + &"x".repeat(1000) + "\"\n",
            format!("[runtimes.a]\nkind = \"compose\"\ndocker = \"{long}\"\n"),
            format!("[runtimes.a]\nkind = \"compose\"\nproject = \"{long}\"\n"),
        ] {
            let fault = fault(&text);
            assert!(fault.message.len() < 2000, "{fault}");
            assert!(!fault.message.contains('\u{1b}'), "{fault}");
        }
    }

    #[test]
    fn what_is_like_no_key_is_given_no_nearest_one() {
        let fault = fault("hostname = \"x\"\n");
        assert!(fault.message.contains("unknown field `hostname`"), "{fault}");
        assert!(!fault.help.contains("did you mean"), "{fault}");
    }

    #[test]
    fn a_file_with_passwords_is_never_repeated() {
        for text in [
            "\nPASSWORD=hunter2\n",
            "PASSWORD=\"hunter2\"\n",
            "PASSWORD='hunter2\n",
            "hunter2\n",
            "export PASSWORD=hunter2\n",
            "PASSWORD=hunter2=\n",
            "PASSWORD=\"hunter2\\q\"\n",
            "[limits]\nfuel = \"hunter2\"\n",
        ] {
            let told = fault(text).to_string();
            assert!(!told.contains("hunter2"), "{text:?}: {told}");
            assert!(told.contains("line "), "{text:?}: {told}");
        }
        let told = fault("\"a\\u001b[2J\" = 1\n").to_string();
        assert!(!told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn a_port_that_is_none_is_refused_when_the_file_is_read() {
        let registry = fault("[registry]\nurl = \"http://127.0.0.1:99999\"\n");
        assert!(
            registry.message.contains("registry.url") && registry.message.contains("65535"),
            "{registry}"
        );
        let health = fault("[health.x]\nurl = \"http://127.0.0.1:port/health\"\n");
        assert!(health.message.contains("health.x.url") && health.message.contains("65535"), "{health}");
    }

    #[test]
    fn a_registry_off_loopback_is_refused() {
        for url in
            ["http://registry.example:5000", "https://127.0.0.1:5000", "http://10.0.0.1:5000", "ftp://x"]
        {
            let fault = fault(&format!("[registry]\nurl = {url:?}\n"));
            assert!(fault.message.contains("registry.url"), "{fault}");
        }
    }

    #[test]
    fn without_a_file_the_specification_stands() {
        let config = load(&Chosen { file: None, base: PathBuf::from("/srv") }).expect("defaults");
        assert_eq!(config.registry.url.to_string(), "http://127.0.0.1:5000");
        let repository = ImageName::parse("unidesk/todo-note").expect("an image name");
        assert_eq!(
            config.registry.manifest_url(&repository, "0123"),
            "http://127.0.0.1:5000/v2/unidesk/todo-note/manifests/0123"
        );
        assert_eq!(config.registry.namespace.as_str(), "unidesk");
        let runtime = config.runtimes.values().next().expect("main-server");
        assert_eq!(runtime.project, "unidesk");
        assert_eq!(
            runtime.env_file,
            EnvFileSource::Pointer {
                file: PathBuf::from("/srv/config.json"),
                pointer: "/providerGateway/upgrade/composeEnvFile".to_owned()
            }
        );
    }
}
