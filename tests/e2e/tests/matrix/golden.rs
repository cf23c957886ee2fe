//! One file for each pair: the whole report of its dry run, but for what differs from run to run.

use serde_json::{Map, Value};

use crate::{Desk, PAIRS};

#[test]
fn each_dry_run_is_as_its_golden_file_says() {
    let desk = Desk::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("goldens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Of the machine that these tests run on.
    settings.add_filter(r#"control group [^;"]+"#, "control group [path]");
    for (service, environment, shape) in PAIRS {
        let report = desk.planned(service, environment);
        assert_eq!(report["shape"], shape, "{service} to {environment}");
        assert_eq!(report["registry"]["digest"], Value::Null, "{service} to {environment}");
        let told = serde_json::to_string_pretty(&readable(report)).expect("JSON");
        let name = format!("{service}-{environment}");
        settings.bind(|| insta::assert_snapshot!(name, desk.stable(&told)));
    }
}

/// The report with lists of facts as one line each.
fn readable(mut report: Value) -> Value {
    for one in array(&mut report["verification"]) {
        let expectations = array(&mut one["expectations"]).iter().map(|expectation| {
            assert_eq!(expectation["found"], Value::Null, "nothing is invented");
            let pointer = text(&expectation["pointer"]);
            if expectation["absent"] == true {
                return format!("nothing at {pointer}");
            }
            // Only the registry knows which digest that will be.
            let equals = expectation["equals"]
                .as_null()
                .map_or_else(|| text(&expectation["equals"]), |()| "the artifact".to_owned());
            format!("{pointer} = {equals}")
        });
        one["expectations"] = expectations.collect();
    }
    for part in ["steps", "retention"] {
        report[part] = array(&mut report[part]).iter().map(step).collect();
    }
    report["plugin"] = report["plugin"]["imports"].take();
    let parts = report.as_object_mut().map(std::mem::take).unwrap_or_default();
    // Of the run itself, of the build under test and of the policies: another text each time.
    let kept =
        parts.into_iter().filter(|(name, _)| !["run", "policy", "schemaVersion"].contains(&name.as_str()));
    Value::Object(kept.collect::<Map<_, _>>())
}

fn step(step: &Value) -> String {
    let target = match step.get("operation") {
        Some(operation) => format!("{} {}", text(operation), text(&step["target"])),
        None => format!("{} {}", text(&step["runtime"]), words(&step["images"])),
    };
    let message = step["message"].as_str().map(|message| format!(" ({message})")).unwrap_or_default();
    let argv = step.get("argv").filter(|argv| argv.is_array());
    let argv = argv.map(|argv| format!(" $ {}", words(argv))).unwrap_or_default();
    let decision = &step["decision"];
    assert_eq!(decision["allowed"], true);
    format!("{target}: {}{message} [{}]{argv}", text(&step["outcome"]), words(&decision["policies"]))
}

fn words(list: &Value) -> String {
    let words: Vec<_> = list.as_array().into_iter().flatten().map(text).collect();
    words.join(" ")
}

/// A text without its quotes, and anything else as in JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("a list")
}
