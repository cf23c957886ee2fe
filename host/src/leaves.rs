//! What differs between two JSON documents, leaf by leaf: how a plan tells a change, and why it no longer fits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::words::plain;

/// Longest value that is told, in characters.
const SHOWN: usize = 100;
/// Most leaves that one line tells.
const NAMED: usize = 3;

/// A value that is another one afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Leaf {
    /// Where, as keys from the outside in; an object of a list by its `name` or `key`.
    pub path: String,
    /// What it was; nothing where nothing was there.
    pub before: Option<String>,
    /// What it is; nothing where nothing is there.
    pub after: Option<String>,
}

impl std::fmt::Display for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let place = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        write!(f, "{place}{} → {}", word(&self.before), word(&self.after))
    }
}

/// Every leaf that differs, sorted by its path.
#[must_use]
pub fn differing(before: &Value, after: &Value) -> Vec<Leaf> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    gather("", before, &mut old);
    gather("", after, &mut new);
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let leaf = |path: &String| {
        let (before, after) = (old.get(path).cloned(), new.get(path).cloned());
        (before != after).then(|| Leaf { path: path.clone(), before, after })
    };
    paths.into_iter().filter_map(leaf).collect()
}

/// The same in one line; nothing where nothing differs.
#[must_use]
pub fn told(before: &Value, after: &Value) -> Option<String> {
    let leaves = differing(before, after);
    let lines: Vec<String> = leaves.iter().map(ToString::to_string).collect();
    (!lines.is_empty()).then(|| crate::words::listed(&lines, NAMED))
}

fn gather(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| gather(&below(key), value, into)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let name = ["name", "key"].iter().find_map(|key| item.get(key)?.as_str());
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                gather(&below(&name), item, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), plain(text, SHOWN))),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_of_a_list_are_the_same_ones_by_name() {
        let before = json!({ "image": "a", "keys": [{ "key": "x", "length": 1 }, { "key": "y", "length": 2 }], "gone": true });
        let after = json!({ "image": "b", "keys": [{ "key": "y", "length": 3 }, { "key": "x", "length": 1 }], "new": null });
        let lines: Vec<String> = differing(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["gone: true → nothing", "image: a → b", "keys.y.length: 2 → 3"]);
        assert_eq!(told(&before, &before), None);
        assert_eq!(told(&json!(1), &json!("one")), Some("1 → one".to_owned()));
    }
}
