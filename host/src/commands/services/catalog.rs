//! `host services --catalog`: what CI produces, beside what can be deployed.

use std::fmt::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Output, print, print_json};
use crate::config::CatalogueEntry;
use crate::fault::Fault;
use crate::names::{Digest, ServiceName};
use crate::report::SCHEMA;
use crate::run::{Host, components};

/// What `host services --catalog` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct CatalogList {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Every service that has a plugin is in the catalogue.
    ok: bool,
    /// Everything that the catalogue has, by service.
    artifacts: Vec<CatalogRow>,
    /// Services that have a plugin, and no entry: they cannot be deployed.
    missing: Vec<ServiceName>,
}

/// One entry of the catalogue.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CatalogRow {
    /// Which service.
    service: ServiceName,
    /// Who makes it.
    kind: Kind,
    /// Its repository in the registry; of an image that others make, where its mirror will be.
    image: String,
    /// What CI makes it from.
    source: Option<Source>,
    /// The image that others make.
    upstream: Option<UpstreamImage>,
    /// Whether a plugin knows how to deploy it. Without one it is never deployed, whatever is in the registry.
    supported: bool,
}

/// As in the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// CI builds it.
    SourceBuild,
    /// Somebody else does.
    UpstreamImage,
}

/// What CI makes an artifact from.
#[derive(Serialize, JsonSchema)]
struct Source {
    /// As people name it.
    repository: String,
    /// In that repository.
    dockerfile: Option<String>,
    /// The CI command.
    producer: String,
}

/// An image that others make.
#[derive(Serialize, JsonSchema)]
struct UpstreamImage {
    /// With its registry.
    name: String,
    /// That was reviewed.
    digest: Digest,
}

pub fn run(host: &Host, output: Output) -> Result<u8, Fault> {
    let Some(catalogue) = host.catalogue()? else {
        return Err(Fault::usage(
            "catalogue",
            "there is no artifact catalogue: host.toml names no `artifacts` file under [catalog]",
            "name CI.json there",
        ));
    };
    let plugins = components(&host.config.plugins)?;
    let row =
        |(service, entry): (&ServiceName, &CatalogueEntry)| row(service, entry, plugins.contains(service));
    let artifacts: Vec<_> = catalogue.entries().map(row).collect();
    let missing: Vec<_> =
        plugins.iter().filter(|service| catalogue.entry(service).is_none()).cloned().collect();
    let ok = missing.is_empty();
    let list = CatalogList { schema_version: SCHEMA, ok, artifacts, missing };
    match output {
        Output::Json => print_json(&list)?,
        Output::Text => print(&text(&list))?,
    }
    Ok(if ok { 0 } else { 2 })
}

fn row(service: &ServiceName, entry: &CatalogueEntry, supported: bool) -> CatalogRow {
    let service = service.clone();
    match entry.clone() {
        CatalogueEntry::SourceBuild { repository, dockerfile, producer, image } => CatalogRow {
            service,
            kind: Kind::SourceBuild,
            image: image.to_string(),
            source: Some(Source { repository, dockerfile, producer }),
            upstream: None,
            supported,
        },
        CatalogueEntry::UpstreamImage { upstream, mirror } => CatalogRow {
            service,
            kind: Kind::UpstreamImage,
            image: mirror.to_string(),
            source: None,
            upstream: Some(UpstreamImage { name: upstream.name, digest: upstream.digest }),
            supported,
        },
    }
}

fn text(list: &CatalogList) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, list);
    out
}

fn write_text(out: &mut String, list: &CatalogList) -> fmt::Result {
    let mut line = |service: &str, image: &str, plugin: &str, from: &str| {
        writeln!(out, "{}", format!("{service:<16} {image:<26} {plugin:<7} {from}").trim_end())
    };
    line("SERVICE", "IMAGE", "PLUGIN", "FROM")?;
    for row in &list.artifacts {
        let from = match (&row.source, &row.upstream) {
            (Some(source), _) => format!("{}, {}", source.repository, source.producer),
            (None, Some(upstream)) => format!("{}@{}", upstream.name, upstream.digest),
            (None, None) => String::new(),
        };
        line(row.service.as_str(), &row.image, if row.supported { "yes" } else { "none" }, &from)?;
    }
    for service in &list.missing {
        line(service.as_str(), "not in the catalogue", "yes", "add it there, or remove its plugin")?;
    }
    Ok(())
}
