//! `host services`.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::report::SCHEMA;
use crate::run::ServiceRow;

/// List the services that can be deployed, and where
#[derive(Args)]
#[command(after_help = "Example:\n  host services --output json")]
pub struct ServicesArgs {}

/// What `host services` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceList {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Every plugin can be used.
    ok: bool,
    /// Every service that has a plugin or that policy knows, by name.
    services: Vec<ServiceRow>,
}

pub fn run(_args: &ServicesArgs, global: &Global) -> Result<u8, Fault> {
    let host = global.host()?;
    let services = host.services()?;
    let ok = services.iter().all(|service| service.error.is_none());
    match global.output {
        Output::Json => print_json(&ServiceList { schema_version: SCHEMA, ok, services })?,
        Output::Text => print(&text(&services))?,
    }
    Ok(if ok { 0 } else { 2 })
}

fn text(services: &[ServiceRow]) -> String {
    let mut lines = vec![format!("{:<20} {:<8} {:<20} {}", "SERVICE", "ENV", "SHAPE", "PLUGIN")];
    for service in services {
        for environment in &service.environments {
            lines.push(format!(
                "{:<20} {:<8} {:<20} {}",
                service.service.as_str(),
                environment.name.as_str(),
                environment.shape.as_str(),
                service.version
            ));
        }
        if let Some(error) = &service.error {
            lines.push(format!("{:<20} {error}", service.service.as_str()));
        }
    }
    if services.is_empty() {
        lines.push("(no plugin is installed and no policy names one)".to_owned());
    }
    lines.join("\n") + "\n"
}
