//! The schema: what the host asks. The folder's schema must say what this host is built against, in whatever order and
//! with whatever comments; a rule about anything else could never apply.

use std::collections::BTreeMap;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, SchemaFragment};
use serde_json::Value;

use super::files::Text;
use super::problem::Problem;

/// The schema of this host.
pub(super) const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

/// The schema with its names at hand, so that a decision parses none.
#[derive(Debug)]
pub(super) struct Vocabulary {
    schema: Schema,
    types: BTreeMap<String, EntityTypeName>,
}

impl Vocabulary {
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Whether `action` can be asked of a resource of the type `kind`.
    pub(super) fn has(&self, action: &str, kind: &str) -> bool {
        self.schema
            .request_envs()
            .any(|about| about.action().id().unescaped() == action && about.resource().to_string() == kind)
    }

    /// `Image::"main-server/project-manager"`.
    ///
    /// # Errors
    /// A type that the schema does not have.
    pub(super) fn uid(&self, kind: &str, id: &str) -> Result<EntityUid, String> {
        let kind = self.types.get(kind).ok_or_else(|| format!("the schema has no type {kind}"))?;
        Ok(EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id)))
    }
}

/// The host's own schema.
///
/// # Errors
/// Never in a host that was built: a test parses it.
pub(super) fn own() -> Result<Vocabulary, Problem> {
    Ok(vocabulary(understand(&own_text())?))
}

fn own_text() -> Text {
    Text { name: "the host's own schema".to_owned(), text: SCHEMA.to_owned() }
}

/// Parses a schema and holds it against [`SCHEMA`].
pub(super) fn parse(file: &Text) -> Result<Vocabulary, Problem> {
    let schema = understand(file)?;
    if file.text != SCHEMA
        && let Some(place) = difference(&meaning(&own_text())?, &meaning(file)?)
    {
        return Err(Problem::new(
            "policy-schema",
            format!("{}: not the schema of this version of the host; it differs at {place}", file.name),
            "take the schema that comes with this version; it says what the host asks, rules belong in *.cedar",
        ));
    }
    Ok(vocabulary(schema))
}

fn vocabulary(schema: Schema) -> Vocabulary {
    let types = schema
        .entity_types()
        .cloned()
        .chain(schema.actions().map(|action| action.type_name().clone()))
        .map(|kind| (kind.to_string(), kind))
        .collect();
    Vocabulary { schema, types }
}

fn understand(file: &Text) -> Result<Schema, Problem> {
    let (schema, mut warnings) = Schema::from_cedarschema_str(&file.text)
        .map_err(|error| misunderstood(file, &DetailedError::from(&error)))?;
    match warnings.next() {
        Some(warning) => Err(misunderstood(file, &DetailedError::from(&warning))),
        None => Ok(schema),
    }
}

/// What a schema says, as JSON.
fn meaning(file: &Text) -> Result<Value, Problem> {
    let problem = |error: DetailedError| misunderstood(file, &error);
    let (fragment, _) =
        SchemaFragment::from_cedarschema_str(&file.text).map_err(|error| problem((&error).into()))?;
    fragment.to_json_value().map_err(|error| problem((&error).into()))
}

fn misunderstood(file: &Text, error: &DetailedError) -> Problem {
    let offset = error.source_locations.first().map_or(0, |label| label.loc.start);
    Problem::at(
        file.place(offset),
        "policy-schema",
        error.message.clone(),
        "take the schema that comes with this version of the host",
    )
}

/// Where two schemas differ, as the path of their JSON form. Order of lists and annotations mean nothing there.
fn difference(own: &Value, found: &Value) -> Option<String> {
    match (own, found) {
        (Value::Object(own), Value::Object(found)) => {
            let keys = own.keys().chain(found.keys()).filter(|key| *key != "annotations");
            keys.into_iter().find_map(|key| {
                let (own, found) = (own.get(key), found.get(key));
                difference(own.unwrap_or(&Value::Null), found.unwrap_or(&Value::Null)).map(|rest| {
                    if key.is_empty() || rest.is_empty() {
                        key.clone() + &rest
                    } else {
                        format!("{key}.{rest}")
                    }
                })
            })
        }
        (Value::Array(own), Value::Array(found)) => (sorted(own) != sorted(found)).then(String::new),
        _ => (own != found).then(String::new),
    }
}

fn sorted(list: &[Value]) -> Vec<String> {
    let mut list: Vec<_> = list.iter().map(Value::to_string).collect();
    list.sort_unstable();
    list
}
