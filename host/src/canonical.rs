//! One form of JSON: keys sorted, no white space. What is compared, hashed or signed is written like this, whatever order
//! a library keeps its keys in.

use serde::Serialize;
use serde_json::Value;

/// `value` in the one form.
///
/// # Errors
/// When a map has a key that is no text; none of our types has.
pub fn json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(value)?;
    sort(&mut value);
    serde_json::to_string(&value)
}

fn sort(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            for (key, mut value) in entries {
                sort(&mut value);
                map.insert(key, value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = serde_json::json!({"b": [{"z": 1, "a": 2}], "a": null});
        assert_eq!(super::json(&value).expect("json"), r#"{"a":null,"b":[{"a":2,"z":1}]}"#);
    }
}
