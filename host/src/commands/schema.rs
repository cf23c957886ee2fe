//! `host schema`: the JSON Schema of each document that `--output json` prints.
//!
//! They are generated from the types and kept in `host/schemas`, so that a change of the contract is seen in a diff. A new
//! document is a variant here and an empty file there; then `UPDATE_SCHEMAS=1 cargo test -p host --lib schema`.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::{Output, print, print_json, print_own};
use crate::fault::Fault;

/// Print the JSON Schema of a document that `--output json` prints
///
/// Without DOCUMENT it lists them; with --output json it prints all of them, by name.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host schema
  host schema report > report.schema.json
  host schema --output json | jq '.report.properties.decision'")]
pub struct SchemaArgs {
    /// The document
    document: Option<Document>,
}

/// A document of the contract.
#[derive(Clone, Copy, ValueEnum)]
enum Document {
    /// What `host deploy` answers
    Report,
    /// What `host deploy plan` answers
    Plan,
    /// What `host deploy show` answers
    PlanShow,
    /// What `host services` answers
    Services,
    /// What `host services --catalog` answers
    Catalog,
    /// What `host runs list` answers
    RunsList,
    /// What `host runs show` answers
    RunsShow,
    /// What `host policy check` answers
    PolicyCheck,
    /// What `host policy test` answers
    PolicyTest,
    /// What `host policy explain` answers
    PolicyExplain,
    /// What `host policy matrix` answers
    PolicyMatrix,
    /// What `host policy diff` answers
    PolicyDiff,
    /// What `host doctor` answers
    Doctor,
    /// What `host registry plan` answers
    RegistryPlan,
    /// What `host registry render` answers
    RegistryRender,
    /// What `host registry install` answers
    RegistryInstall,
    /// What `host registry status` and `host registry health` answer
    RegistryHealth,
    /// What `host registry list` answers
    RegistryList,
    /// What a command answers that is deprecated
    Deprecated,
    /// What any command answers where it could not do its work
    Fault,
}

impl Document {
    /// The kept schema.
    fn kept(self) -> &'static str {
        match self {
            Self::Report => include_str!("../../schemas/report.json"),
            Self::Plan => include_str!("../../schemas/plan.json"),
            Self::PlanShow => include_str!("../../schemas/plan-show.json"),
            Self::Services => include_str!("../../schemas/services.json"),
            Self::Catalog => include_str!("../../schemas/catalog.json"),
            Self::RunsList => include_str!("../../schemas/runs-list.json"),
            Self::RunsShow => include_str!("../../schemas/runs-show.json"),
            Self::PolicyCheck => include_str!("../../schemas/policy-check.json"),
            Self::PolicyTest => include_str!("../../schemas/policy-test.json"),
            Self::PolicyExplain => include_str!("../../schemas/policy-explain.json"),
            Self::PolicyMatrix => include_str!("../../schemas/policy-matrix.json"),
            Self::PolicyDiff => include_str!("../../schemas/policy-diff.json"),
            Self::Doctor => include_str!("../../schemas/doctor.json"),
            Self::RegistryPlan => include_str!("../../schemas/registry-plan.json"),
            Self::RegistryRender => include_str!("../../schemas/registry-render.json"),
            Self::RegistryInstall => include_str!("../../schemas/registry-install.json"),
            Self::RegistryHealth => include_str!("../../schemas/registry-health.json"),
            Self::RegistryList => include_str!("../../schemas/registry-list.json"),
            Self::Deprecated => include_str!("../../schemas/deprecated.json"),
            Self::Fault => include_str!("../../schemas/fault.json"),
        }
    }

    /// Its name on the command line, and of its file.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn about(self) -> String {
        self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }
}

pub fn run(args: &SchemaArgs, output: Output) -> Result<u8, Fault> {
    match (args.document, output) {
        (Some(document), _) => print_own(document.kept())?,
        (None, Output::Json) => print_json(&all()?)?,
        (None, Output::Text) => {
            let lines = Document::value_variants()
                .iter()
                .map(|document| format!("{:<16} {}\n", document.name(), document.about()));
            print(&lines.collect::<String>())?;
        }
    }
    Ok(0)
}

fn all() -> Result<Map<String, Value>, Fault> {
    let document = |document: &Document| Ok((document.name(), serde_json::from_str(document.kept())?));
    Document::value_variants().iter().map(document).collect::<Result<_, _>>().map_err(
        |error: serde_json::Error| {
            Fault::internal("schema", format!("a kept schema is no JSON: {error}"), "report this as a bug")
        },
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use schemars::generate::SchemaSettings;
    use schemars::transform::{RecursiveTransform, Transform};
    use schemars::{JsonSchema, Schema};

    use super::*;
    use crate::commands::{policy, registry, runs, services};
    use crate::doctor::Diagnosis;
    use crate::report::{FaultReport, Report, SCHEMA, Several};

    fn generated(document: Document) -> Schema {
        let name = document.name();
        match document {
            Document::Report => schema::<Report>(&name),
            Document::Plan => schema::<Several>(&name),
            Document::PlanShow => schema::<crate::plan::shown::PlanShown>(&name),
            Document::Services => schema::<services::ServiceList>(&name),
            Document::Catalog => schema::<services::catalog::CatalogList>(&name),
            Document::RunsList => schema::<runs::RunList>(&name),
            Document::RunsShow => schema::<runs::RunShow>(&name),
            Document::PolicyCheck => schema::<policy::check::PolicyCheck>(&name),
            Document::PolicyTest => schema::<policy::test::PolicyTest>(&name),
            Document::PolicyExplain => schema::<policy::explain::PolicyExplanation>(&name),
            Document::PolicyMatrix => schema::<policy::matrix::PolicyMatrix>(&name),
            Document::PolicyDiff => schema::<policy::diff::PolicyDiff>(&name),
            Document::Doctor => schema::<Diagnosis>(&name),
            Document::RegistryPlan => schema::<registry::plan::RegistryPlan>(&name),
            Document::RegistryRender => schema::<registry::render::RegistryRender>(&name),
            Document::RegistryInstall => schema::<registry::install::RegistryInstall>(&name),
            Document::RegistryHealth => schema::<registry::look::RegistryHealth>(&name),
            Document::RegistryList => schema::<registry::list::RegistryList>(&name),
            Document::Deprecated => schema::<registry::backend_core::Deprecated>(&name),
            Document::Fault => schema::<FaultReport>(&name),
        }
    }

    fn schema<T: JsonSchema>(name: &str) -> Schema {
        let mut schema =
            SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
        schema.insert("$id".to_owned(), format!("urn:host:schema:{name}:{SCHEMA}").into());
        RecursiveTransform(finished).transform(&mut schema);
        schema
    }

    /// What the types do not have is never printed; lines of a doc comment are none of a description.
    fn finished(schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
        if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }

    fn folder() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"))
    }

    #[test]
    fn the_kept_schemas_are_those_of_the_types() {
        let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
        for document in Document::value_variants() {
            let text = serde_json::to_string_pretty(&generated(*document)).expect("a schema") + "\n";
            let file = folder().join(document.name() + ".json");
            if update {
                std::fs::write(&file, &text).expect("a schema that can be written");
            }
            let kept = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                kept == text,
                "{} is not the schema of its type any more. Where the change of the contract is meant:\n  \
                 UPDATE_SCHEMAS=1 cargo test -p host --lib schema",
                file.display()
            );
            assert!(
                update || document.kept() == kept,
                "{} was compiled in before it changed",
                file.display()
            );
        }
    }

    #[test]
    fn every_kept_schema_is_one_and_is_of_a_document() {
        let files: BTreeSet<String> = std::fs::read_dir(folder())
            .expect("the schemas")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let documents: BTreeSet<String> =
            Document::value_variants().iter().map(|document| document.name() + ".json").collect();
        assert_eq!(files, documents);
        for document in Document::value_variants() {
            let schema: Value = serde_json::from_str(document.kept()).expect("JSON");
            jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
            assert!(schema["title"].is_string() && schema["description"].is_string(), "{}", document.name());
            undescribed(&document.name(), &schema);
        }
    }

    /// Every field says what it is.
    fn undescribed(place: &str, schema: &Value) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                assert!(property["description"].is_string(), "{place}/{name} has no description");
            }
        }
        match schema {
            Value::Object(parts) => {
                parts.iter().for_each(|(name, part)| undescribed(&format!("{place}/{name}"), part));
            }
            Value::Array(parts) => parts.iter().for_each(|part| undescribed(place, part)),
            _ => {}
        }
    }
}
