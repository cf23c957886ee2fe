//! The contract of `--output json`: whatever a test reads must be one of the documents whose schemas are kept.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static SCHEMAS: LazyLock<Vec<(String, Validator)>> = LazyLock::new(|| {
    let folder = lab::paths::root().join("host/schemas");
    let files = std::fs::read_dir(&folder).expect("the kept schemas").flatten();
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.path()).expect("a kept schema");
            let schema = serde_json::from_str(&text).expect("a kept schema is JSON");
            let validator = jsonschema::validator_for(&schema).expect("a kept schema is one");
            (file.file_name().to_string_lossy().into_owned(), validator)
        })
        .collect()
});

/// Fails the test where `document` keeps none of the schemas, with what keeps it from the nearest one.
pub fn hold(document: &Value) {
    let broken = |validator: &Validator| -> Vec<String> {
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    };
    let nearest =
        SCHEMAS.iter().map(|(name, schema)| (broken(schema), name)).min_by_key(|(broken, _)| broken.len());
    let (broken, name) = nearest.expect("there are schemas");
    assert!(
        broken.is_empty(),
        "this is no document of the contract; to be one of host/schemas/{name} it would need:\n{}\n{document:#}",
        broken.join("\n")
    );
}
