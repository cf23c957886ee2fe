//! The part of a `host.toml` that leads to D601: its registry feeds every engine, and a project there is deployed to.

use crate::{D601, d601, image::NAMESPACE, project::Settings};

impl Settings {
    /// The registry is the one that only D601 reaches, and the runtime `d601` is the project of this name there.
    #[must_use]
    pub fn through_d601(d601: &D601, project: &str) -> Self {
        let (host, registry, folder) = (d601::HOST, d601::REGISTRY, d601::SERVICES);
        let config = d601.ssh_config().display().to_string();
        let tables = format!(
            r#"
[ssh.{host}]
destination = "{host}"
config = {config:?}

[runtimes.d601]
kind = "compose"
via = "{host}"
project = "{project}"
project-directory = "{folder}/{project}"
env-file = "config.json#/providerGateway/upgrade/composeEnvFile"
"#
        );
        let registry = format!("url = \"http://{registry}\"\nvia = \"{host}\"\nnamespace = \"{NAMESPACE}\"");
        Self { registry: Some(registry), tables, ..Self::default() }
    }
}
