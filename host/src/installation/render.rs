//! The three files of an installation, the same bytes for the same configuration.

use std::path::{Path, PathBuf};

use crate::config::Installation;
use crate::names::Digest;

/// What every managed file begins with; a file at a managed path without it is somebody else's.
pub const HEADER: &str = "# Managed by host (`host registry render`). A change by hand is drift: the next install overwrites it.\n";

/// The label that says what a container was made from: the configuration is mounted, and a container that does not change by it
/// would go on with the old one.
pub const LABEL: &str = "unidesk.artifact-registry.rendered-sha256";

/// Where the image has its configuration, and its storage (CNCF Distribution's own image).
const CONFIG_INSIDE: &str = "/etc/docker/registry/config.yml";
const STORAGE_INSIDE: &str = "/var/lib/registry";

/// Where units of the machine's administrator are (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where, on the registry's machine.
    pub path: PathBuf,
    /// All of it.
    pub content: String,
}

impl File {
    /// Its name without the folder.
    #[must_use]
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy()
    }

    /// SHA-256, as `sha256sum` prints it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.content)
    }
}

/// Everything that an install writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The registry's own configuration.
    pub config: File,
    /// The Compose file.
    pub compose: File,
    /// The unit of systemd.
    pub unit: File,
    /// What [`LABEL`] says of a container that was made from these.
    pub made_from: String,
}

impl Rendered {
    /// What `installation` looks like on its machine.
    #[must_use]
    pub fn new(installation: &Installation) -> Self {
        let config = File { path: installation.config.clone(), content: format!("{HEADER}{CONFIG}") };
        let (compose, made_from) = compose(installation, &config);
        let compose = File { path: installation.compose.clone(), content: compose };
        let unit = File { path: Path::new(UNITS).join(&installation.unit), content: unit(installation) };
        Self { config, compose, unit, made_from }
    }

    /// In the order in which they are written: each before what reads it.
    #[must_use]
    pub fn files(&self) -> [(&'static str, &File); 3] {
        [("config", &self.config), ("compose", &self.compose), ("unit", &self.unit)]
    }
}

/// Inside the container it may listen everywhere: what is published decides who reaches it (specification, "Architecture").
const CONFIG: &str = "\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: false
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
";

/// The file, and the digest of everything that decides about its container.
fn compose(installation: &Installation, config: &File) -> (String, String) {
    let Installation { project, container, image, bind, storage, .. } = installation;
    let unlabelled = format!(
        "{HEADER}\
name: {project}
services:
  registry:
    image: {image}
    container_name: {container}
    restart: unless-stopped
    ports:
      - \"{bind}:5000\"
    volumes:
      - type: bind
        source: {config}
        target: {CONFIG_INSIDE}
        read_only: true
      - type: bind
        source: {storage}
        target: {STORAGE_INSIDE}
        bind:
          create_host_path: false
",
        container = container.as_str(),
        config = config.path.display(),
        storage = storage.display(),
    );
    let made_from = sha256(&format!("{}{unlabelled}", config.content));
    (format!("{unlabelled}    labels:\n      {LABEL}: \"{made_from}\"\n"), made_from)
}

/// As `sha256sum` prints it.
fn sha256(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str().trim_start_matches("sha256:").to_owned()
}

/// `systemctl start` and `reload` bring the container to what the Compose file says, and leave it alone where it is so.
fn unit(installation: &Installation) -> String {
    let Installation { project, compose, .. } = installation;
    let docker = format!("/usr/bin/env docker compose --project-name {project} --file {}", compose.display());
    format!(
        "{HEADER}\
[Unit]
Description=Artifact registry on loopback (CNCF Distribution, Docker Compose)
Requires=docker.service
After=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={docker} up --detach --remove-orphans
ExecReload={docker} up --detach --remove-orphans
ExecStop={docker} stop
TimeoutStartSec=300

[Install]
WantedBy=multi-user.target
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_as_the_reviewed_ones() {
        let rendered = Rendered::new(&Installation::specified());
        let file =
            |(name, file): (&str, &File)| format!("==> {name}: {}\n{}\n", file.path.display(), file.content);
        insta::assert_snapshot!(rendered.files().map(file).concat());
        assert_eq!(rendered, Rendered::new(&Installation::specified()), "the same bytes each time");
    }

    #[test]
    fn another_configuration_is_another_container() {
        let one = Installation::specified();
        let mut other = Rendered::new(&one);
        other.config.content += "# more\n";
        assert_ne!(compose(&one, &other.config).0, Rendered::new(&one).compose.content);
    }
}
