//! The rules of the names that documents carry, as JSON Schemas say them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Commit, Digest, Environment, RuntimeName, ServiceName, Shape};

macro_rules! described {
    ($($name:ident: $description:literal { $($rule:tt)+ })+) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, $($rule)+ })
            }
        }
    )+};
}

described! {
    ServiceName: "The id of a service, `backend-core`." { "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 63 }
    Environment: "An environment, `dev` or `prod`." { "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 63 }
    RuntimeName: "A logical runtime of the operator's configuration, `main-server`." {
        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 63
    }
    Commit: "A full Git commit." { "pattern": "^[0-9a-f]{40}$" }
    Digest: "A content digest." { "pattern": "^sha256:[0-9a-f]{64}$" }
    Shape: "How a service is deployed." { "enum": Shape::ALL }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds a schema to the rule itself, over texts on both sides of it.
    fn agree<T: JsonSchema>(texts: &[&str], rule: impl Fn(&str) -> bool) {
        let schema = T::json_schema(&mut SchemaGenerator::default());
        let validator = jsonschema::validator_for(schema.as_value()).expect("a schema");
        let (kept, broken): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| rule(text));
        assert!(!kept.is_empty() && !broken.is_empty(), "{texts:?} are on one side of the rule");
        for (text, keeps) in
            kept.iter().map(|text| (text, true)).chain(broken.iter().map(|text| (text, false)))
        {
            assert_eq!(validator.is_valid(&(*text).into()), keeps, "{} {text:?}", T::schema_name());
        }
    }

    #[test]
    fn a_schema_takes_what_the_rule_takes() {
        let (longest, longer) = ("a".repeat(63), "a".repeat(64));
        let names =
            ["a", "a-b", "backend-core", "9", "", "-a", "a-", "a--b", "A", "a b", "ä", &longest, &longer];
        agree::<ServiceName>(&names, |text| ServiceName::parse(text).is_ok());
        agree::<Environment>(&names, |text| Environment::parse(text).is_ok());
        agree::<RuntimeName>(&names, |text| RuntimeName::parse(text).is_ok());
        let commits = ["0".repeat(40), "A".repeat(40), "0".repeat(39), "f".repeat(41), "0".repeat(40) + "\n"];
        agree::<Commit>(&commits.each_ref().map(String::as_str), |text| Commit::parse(text).is_ok());
        let digests = ["sha256:".to_owned() + &longer, "sha256:".to_owned() + &longest, longer.clone()];
        agree::<Digest>(&digests.each_ref().map(String::as_str), |text| Digest::parse(text).is_ok());
        agree::<Shape>(&["d601-k3s", "d601"], |text| Shape::parse(text).is_ok());
    }
}
