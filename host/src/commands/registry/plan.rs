//! `host registry plan`.

use std::fmt::Write;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::installation::{Outline, Part};
use crate::report::SCHEMA;

/// Show what the registry is: its boundary, what it may depend on, where its parts are, and how artifacts go through it
///
/// Nobody is asked anything; everything follows from host.toml ([registry.installation]) and the specification.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry plan
  host registry plan --output json | jq .places")]
pub struct PlanArgs {}

/// What `host registry plan` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryPlan {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Exit code 0.
    ok: bool,
    /// What it is.
    #[serde(flatten)]
    outline: Outline,
}

pub fn run(_: &PlanArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let outline = Outline::new(&config.registry);
    match global.output {
        Output::Json => print_json(&RegistryPlan { schema_version: SCHEMA, ok: true, outline })?,
        Output::Text => print(&text(&outline))?,
    }
    Ok(0)
}

fn text(outline: &Outline) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut text, outline);
    text
}

fn write(out: &mut String, outline: &Outline) -> std::fmt::Result {
    list(out, "boundary", outline.boundary.iter().copied())?;
    let places = &outline.places;
    writeln!(out, "\nplaces")?;
    for (name, place) in [
        ("machine", places.via.clone().unwrap_or_else(|| "this one".to_owned())),
        ("unit", format!("{} ({})", places.unit, places.unit_file.display())),
        ("project", places.project.clone()),
        ("container", places.container.clone()),
        ("image", places.image.clone()),
        ("config", places.config.display().to_string()),
        ("compose", places.compose.display().to_string()),
        ("storage", places.storage.display().to_string()),
        ("endpoint", format!("{} (published as {})", places.endpoint, places.published)),
    ] {
        writeln!(out, "  {name:<10} {place}")?;
    }
    list(out, "\ndepends on", outline.depends_on.iter().map(String::as_str))?;
    list(out, "\nmust not depend on", outline.must_not_depend_on.iter().copied())?;
    parts(out, "\nan artifact's way, with backend-core as the example", &outline.flow)?;
    parts(out, "\nby hand, on its machine", &outline.maintenance)
}

fn list<'a>(out: &mut String, title: &str, lines: impl Iterator<Item = &'a str>) -> std::fmt::Result {
    writeln!(out, "{title}")?;
    for line in lines {
        writeln!(out, "  - {line}")?;
    }
    Ok(())
}

fn parts(out: &mut String, title: &str, parts: &[Part]) -> std::fmt::Result {
    writeln!(out, "{title}")?;
    for Part { what, how } in parts {
        writeln!(out, "  {what}\n      {how}")?;
    }
    Ok(())
}
