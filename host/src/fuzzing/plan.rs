//! A plan as it is kept: steps as JSON.

use serde_json::Value;

use super::recording::sound;
use crate::canonical;
use crate::step::Step;

/// Any bytes are steps as JSON, or none: what can be read is written and read again as the same, and has one canonical
/// form.
pub fn plan(input: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(input)
        && !has_fractions(&value)
    {
        one_form(&value);
    }
    let Ok(steps) = serde_json::from_slice::<Vec<Step>>(input) else { return };
    steps.iter().for_each(sound);
    let written = serde_json::to_vec(&steps).expect("steps are JSON");
    let again: Vec<Step> = serde_json::from_slice(&written).expect("what was written can be read");
    // No state of ours has a fraction, which a reader may round.
    if !has_fractions(&serde_json::to_value(&steps).expect("steps are JSON")) {
        assert_eq!(again, steps);
    }
}

/// The canonical form is JSON for the same value, whatever order its keys had.
fn one_form(value: &Value) {
    let form = canonical::json(value).expect("JSON");
    let again: Value = serde_json::from_str(&form).expect("JSON");
    assert_eq!(again, *value);
    assert_eq!(canonical::json(&again).expect("JSON"), form);
    assert_eq!(canonical::json(&reversed(value)).expect("JSON"), form);
}

/// The same value, its keys in another order where the library keeps one.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            object.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect::<Value>()
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

fn has_fractions(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fractions),
        Value::Object(object) => object.values().any(has_fractions),
        _ => false,
    }
}
