use std::collections::BTreeSet;
use std::path::Path;

use crate::access::{Action, ResourceType};
use crate::policy::schema::SCHEMA;
use crate::policy::testing;
use cedar_policy::Schema;

use super::{Folder, SHIPPED, service};

#[test]
fn the_tests_beside_the_policies_pass() {
    let outcomes = testing::run(Path::new(SHIPPED)).unwrap();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(outcomes.len() > 30);
}

fn schema() -> Schema {
    Schema::from_cedarschema_str(SCHEMA).unwrap().0
}

#[test]
fn the_schema_has_the_actions_of_the_code() {
    let schema = schema();
    let declared: BTreeSet<_> = schema.actions().map(|action| action.id().unescaped().to_owned()).collect();
    let known: BTreeSet<_> = Action::ALL.iter().map(|action| action.as_str().to_owned()).collect();
    assert_eq!(declared, known);
}

#[test]
fn the_schema_has_the_resource_types_of_the_code() {
    let schema = schema();
    let touched: BTreeSet<_> = schema.resources().map(ToString::to_string).collect();
    let known: BTreeSet<_> = ResourceType::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(touched, known);
}

#[expect(
    dead_code,
    reason = "a new resource type fails to compile here, and belongs into `ResourceType::ALL`"
)]
fn listed(kind: ResourceType) {
    match kind {
        ResourceType::Repository
        | ResourceType::Image
        | ResourceType::EnvKey
        | ResourceType::ComposeService
        | ResourceType::Container
        | ResourceType::Deployment
        | ResourceType::KubernetesObject
        | ResourceType::SecretKey
        | ResourceType::HealthTarget
        | ResourceType::FarSide => {}
    }
}

/// The example of the language `kind` in the README.
fn example(kind: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(SHIPPED).join("README.md")).unwrap();
    let after = readme.split(&format!("```{kind}\n")).nth(1).unwrap();
    after.split("```").next().unwrap().to_owned()
}

#[test]
fn the_examples_of_the_readme_work() {
    let folder = Folder::with(&example("cedar"));
    let services = "\"services\": {";
    folder.edit("entities.json", services, &format!("{services} {},", example("json")));
    assert!(folder.load().knows(&service("bookmarks")));
}
