//! `[registry.installation]`: how the registry is installed on its machine. The defaults are the specification's
//! ("Architecture").

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::HttpUrl;
use super::file::compose_project;
use crate::names::ContainerName;
use crate::words::quoted;

/// Longest part of a refused value that a message repeats, in characters.
const SHOWN: usize = 120;

/// A registry that systemd keeps running through Docker Compose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The unit of systemd.
    pub unit: String,
    /// The Compose project.
    pub project: String,
    /// The container.
    pub container: ContainerName,
    /// The image, by a tag that does not move or by digest.
    pub image: String,
    /// The registry's own configuration.
    pub config: PathBuf,
    /// The Compose file.
    pub compose: PathBuf,
    /// Where artifacts are kept. Nothing here ever removes, moves or chowns it.
    pub storage: PathBuf,
    /// Where the registry listens on its machine; loopback.
    pub bind: SocketAddr,
    /// What gives a command there the rights of root, never by a question; nothing where ssh logs in as root.
    pub sudo: Vec<String>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct InstallationTable {
    unit: String,
    project: String,
    container: String,
    image: String,
    config: PathBuf,
    compose: PathBuf,
    storage: PathBuf,
    sudo: Vec<String>,
}

impl Default for InstallationTable {
    fn default() -> Self {
        let name = "unidesk-artifact-registry";
        let folder = Path::new("/home/ubuntu/.unidesk");
        Self {
            unit: format!("{name}.service"),
            project: name.to_owned(),
            container: name.to_owned(),
            image: "registry:2.8.3".to_owned(),
            config: folder.join("artifact-registry/config.yml"),
            compose: folder.join("artifact-registry/compose.yml"),
            storage: folder.join("registry-storage"),
            sudo: ["sudo", "-n"].map(str::to_owned).to_vec(),
        }
    }
}

impl InstallationTable {
    /// What it stands for, of a registry that its machine reaches at `url`.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn installation(self, url: &HttpUrl) -> Result<Installation, (&'static str, String)> {
        let name = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
        let stem = self
            .unit
            .strip_suffix(".service")
            .filter(|stem| stem.starts_with(|c: char| c.is_ascii_alphanumeric()));
        if !stem.is_some_and(|stem| stem.chars().all(name)) {
            let why = format!("{} is no name of a unit: <name>.service", quoted(&self.unit, SHOWN));
            return Err(("unit", why));
        }
        compose_project(&self.project).map_err(|why| ("project", why))?;
        let container =
            ContainerName::parse(&self.container).map_err(|error| ("container", error.to_string()))?;
        image(&self.image).map_err(|why| ("image", why))?;
        for (key, path) in [("config", &self.config), ("compose", &self.compose), ("storage", &self.storage)]
        {
            plain(path).map_err(|why| (key, why))?;
        }
        if self.config == self.compose {
            return Err(("compose", "it is the same file as `config`".to_owned()));
        }
        if [&self.config, &self.compose].iter().any(|file| file.starts_with(&self.storage)) {
            return Err((
                "storage",
                "the managed files cannot be inside of it: it is never written to".to_owned(),
            ));
        }
        let bind = bind(url).map_err(|why| ("url", why))?;
        if let Some(word) =
            self.sudo.iter().find(|word| word.is_empty() || word.chars().any(char::is_control))
        {
            return Err(("sudo", format!("{} is no word of a command", quoted(word, SHOWN))));
        }
        let Self { unit, project, image, config, compose, storage, sudo, .. } = self;
        Ok(Installation { unit, project, container, image, config, compose, storage, bind, sudo })
    }
}

/// It goes into a unit, a Compose file and a shell: nothing that means something in one of them.
fn plain(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let sound = path.is_absolute()
        && path.file_name().is_some()
        && !path.components().any(|part| part.as_os_str() == "..")
        && text.chars().all(allowed);
    if sound {
        return Ok(());
    }
    Err(format!("{} is no absolute path of letters, digits, `.`, `_` and `-`", quoted(&text, SHOWN)))
}

/// `name:tag` or `name@sha256:…`: what runs must not change by itself.
fn image(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "./:_@-".contains(c);
    let named = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed);
    let (_, last) = text.rsplit_once('/').unwrap_or(("", text));
    let pinned = match (text.split_once("@sha256:"), last.split_once(':')) {
        (Some((_, hex)), _) => {
            hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
        }
        (None, Some((name, tag))) => !name.is_empty() && !tag.is_empty() && tag != "latest",
        (None, None) => false,
    };
    if named && pinned {
        return Ok(());
    }
    Err(format!(
        "{} is no pinned image: write name:version or name@sha256:<64 hexadecimal digits>; `latest` moves",
        quoted(text, SHOWN)
    ))
}

/// Where Docker publishes the port (specification: bound to the loopback of its machine).
fn bind(url: &HttpUrl) -> Result<SocketAddr, String> {
    let authority = url.authority.replace("localhost", "127.0.0.1");
    let found = authority.parse::<SocketAddr>().or_else(|_| format!("{authority}:80").parse());
    match found {
        Ok(bind) if bind.ip().is_loopback() => Ok(bind),
        _ => Err(format!("{} is not on the loopback of its machine", quoted(&url.authority, SHOWN))),
    }
}

#[cfg(test)]
impl Installation {
    /// That of the specification.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "for tests only")]
    pub fn specified() -> Self {
        let url = HttpUrl::parse("http://127.0.0.1:5000").expect("a URL");
        InstallationTable::default().installation(&url).expect("the defaults")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: impl FnOnce(&mut InstallationTable)) -> Result<Installation, (&'static str, String)> {
        let mut table = InstallationTable::default();
        change(&mut table);
        table.installation(&HttpUrl::parse("http://127.0.0.1:5000").expect("a URL"))
    }

    #[test]
    fn without_a_word_it_is_as_the_specification_has_it() {
        let installation = told(|_| {}).expect("the defaults");
        assert_eq!(installation.unit, "unidesk-artifact-registry.service");
        assert_eq!(installation.bind.to_string(), "127.0.0.1:5000");
        assert_eq!(installation.storage, Path::new("/home/ubuntu/.unidesk/registry-storage"));
    }

    #[test]
    fn only_loopback_and_only_what_does_not_move() {
        for (key, refused) in [
            ("unit", told(|table| table.unit = "a b.service".to_owned())),
            ("unit", told(|table| table.unit = "registry".to_owned())),
            ("project", told(|table| table.project = "Registry!".to_owned())),
            ("container", told(|table| table.container = "a;b".to_owned())),
            ("image", told(|table| table.image = "registry".to_owned())),
            ("image", told(|table| table.image = "registry:latest".to_owned())),
            ("image", told(|table| table.image = "registry@sha256:12".to_owned())),
            ("image", told(|table| table.image = "registry:2\nprivileged: true".to_owned())),
            ("config", told(|table| table.config = "config.yml".into())),
            ("compose", told(|table| table.compose = "/srv/$HOME/compose.yml".into())),
            ("compose", told(|table| table.compose = table.config.clone())),
            ("sudo", told(|table| table.sudo = vec![String::new()])),
            ("storage", told(|table| table.storage = "/srv/../etc".into())),
            ("storage", told(|table| table.storage = table.config.parent().expect("a folder").to_owned())),
        ] {
            assert_eq!(refused.expect_err(key).0, key);
        }
        let pinned = format!("registry@sha256:{}", "5".repeat(64));
        assert_eq!(told(|table| table.image.clone_from(&pinned)).expect("pinned").image, pinned);
        let mirrored = "mirror.internal:5000/library/registry:2.8.3";
        assert!(told(|table| table.image = mirrored.to_owned()).is_ok());
        let open =
            InstallationTable::default().installation(&HttpUrl::parse("http://0.0.0.0:5000").expect("a URL"));
        assert!(open.expect_err("refused").1.contains("loopback"));
        let six =
            InstallationTable::default().installation(&HttpUrl::parse("http://[::1]:5000").expect("a URL"));
        assert_eq!(six.expect("loopback").bind.to_string(), "[::1]:5000");
    }
}
