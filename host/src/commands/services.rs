//! `host services`.

pub(super) mod catalog;

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use clap::{ArgAction, Args};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::report::{SCHEMA, wrapped};
use crate::run::{EnvironmentRow, GateKind, GateRow, ServiceRow};

/// List the services that can be deployed, and where
#[derive(Args)]
#[command(after_help = "\
Examples:
  host services --output json
  host services --catalog")]
pub struct ServicesArgs {
    /// What CI produces, beside what can be deployed
    #[arg(long, action = ArgAction::SetTrue)]
    catalog: bool,
}

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

pub fn run(args: &ServicesArgs, global: &Global) -> Result<u8, Fault> {
    let host = global.host()?;
    if args.catalog {
        return catalog::run(&host, global.output);
    }
    let services = host.services()?;
    let ok = services.iter().all(|service| service.error.is_none());
    match global.output {
        Output::Json => print_json(&ServiceList { schema_version: SCHEMA, ok, services })?,
        Output::Text => print(&text(&services))?,
    }
    Ok(if ok { 0 } else { 2 })
}

fn text(services: &[ServiceRow]) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, services);
    out
}

fn write_text(out: &mut String, services: &[ServiceRow]) -> fmt::Result {
    let mut row = |cells: [&str; 5]| {
        let [service, environment, shape, plugin, gates] = cells;
        let line = format!("{service:<16} {environment:<5} {shape:<20} {plugin:<7} {gates}");
        writeln!(out, "{}", line.trim_end())
    };
    row(["SERVICE", "ENV", "SHAPE", "PLUGIN", "GATES"])?;
    let mut holds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ServiceRow { service, version, environments, error } in services {
        for EnvironmentRow { name, shape, gates, .. } in environments {
            let told: Vec<_> = gates.iter().map(in_a_word).collect();
            row([service.as_str(), name.as_str(), shape.as_str(), version, &told.join(", ")])?;
            for reason in gates.iter().filter_map(|gate| gate.reason.as_ref()) {
                holds.entry(reason.clone()).or_default().push(format!("{service} {name}"));
            }
        }
        if let Some(error) = error {
            row([service.as_str(), error, "", "", ""])?;
        }
    }
    if services.is_empty() {
        writeln!(out, "(no plugin is installed and no policy names one)")?;
    }
    if !holds.is_empty() {
        writeln!(out, "\nheld: only plans and dry runs")?;
    }
    holds.iter().try_for_each(|(reason, pairs)| wrapped(out, &format!("{}: {reason}", pairs.join(", ")), 2))
}

fn in_a_word(row: &GateRow) -> String {
    match row.gate {
        GateKind::Approval => format!("{} approves", row.of.join(" or ")),
        GateKind::Outside => "from outside".to_owned(),
        GateKind::Secrets => "secrets".to_owned(),
        GateKind::Pinned => "pinned".to_owned(),
        GateKind::Hold => "held".to_owned(),
    }
}
