//! `host deploy plan --all --offline` over the services of the specification, and over a thousand of all shapes: each a
//! component of its own, with its own targets and its own desired commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;
use crate::memory;
use crate::sample;
use crate::stage;
use crate::table::Table;

const SERVICES: usize = 1000;
const SAMPLES: usize = 15;
const GOAL: Duration = Duration::from_secs(1);
/// For the services of the specification.
const REAL_GOAL: Duration = Duration::from_millis(50);
const PLAN: [&str; 6] = ["deploy", "plan", "--all", "--offline", "--output", "json"];
/// One service of each shape, which a third of the thousand are copies of.
const TEMPLATES: [&str; 3] = ["project-manager", "met-nonlinear", "decision-center"];

pub fn measure(table: &mut Table) -> Result<()> {
    let folder = lab::paths::target()?.join("bench");
    let real = real(&folder.join("services"))?;
    let thousand = thousand(&folder.join("catalogue"))?;
    eprintln!("  compiling {SERVICES} components, where they are not in the cache");
    for (config, what, goal) in [
        (real, "deploy plan --all --offline, the specification's 24 pairs".to_owned(), REAL_GOAL),
        (thousand, format!("deploy plan --all --offline, {SERVICES} services"), GOAL),
    ] {
        // Journals grow by every run; what is measured is one of the usual size.
        let state = config.with_file_name("state");
        if state.exists() {
            fs::remove_dir_all(state)?;
        }
        stage::whole_process(&mut stage::program(&config, &PLAN)?)?;
        let plan = sample::alone(SAMPLES, || stage::whole_process(&mut stage::program(&config, &PLAN)?))?;
        table.within(&what, &plan, goal);
        let megabytes = memory::peak(&mut stage::program(&config, &PLAN)?)? >> 10;
        table.note(format!("{what}: at most {megabytes} MB in memory"));
    }
    Ok(())
}

/// A desired state for everything that the release supports.
fn real(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut listing =
        stage::program(&config(folder, &lab::paths::plugins()?, &lab::paths::policies())?, &[])?;
    listing.args(["services", "--output", "json"]).stdout(std::process::Stdio::piped());
    let services: Value = serde_json::from_slice(&listing.output()?.stdout)?;
    let mut desired = json!({});
    for service in services["services"].as_array().into_iter().flatten() {
        for environment in service["environments"].as_array().into_iter().flatten() {
            let (name, environment) = (text(&service["service"]), text(&environment["name"]));
            desired[environment][name] = json!(lab::image::commit(name));
        }
    }
    fs::write(folder.join("deploy.json"), desired.to_string())?;
    Ok(folder.join("host.toml"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Writes the catalogue, but for what is there already.
fn thousand(folder: &Path) -> Result<PathBuf> {
    let entities: Value = serde_json::from_slice(&fs::read(lab::paths::policies().join("entities.json"))?)?;
    let (plugins, policies) = (folder.join("plugins"), folder.join("policies"));
    fs::create_dir_all(&plugins)?;
    fs::create_dir_all(&policies)?;
    for entry in fs::read_dir(lab::paths::policies())?.flatten() {
        if entry.path().extension().is_some_and(|end| end == "cedar" || end == "cedarschema") {
            fs::copy(entry.path(), policies.join(entry.file_name()))?;
        }
    }
    let (mut services, mut desired) = (serde_json::Map::new(), serde_json::Map::new());
    for number in 0..SERVICES {
        let template = TEMPLATES[number % TEMPLATES.len()];
        let component = fs::read(lab::paths::plugins()?.join(format!("{template}.wasm")))?;
        // As long as the template's name, so that every offset in the component stays as it is.
        let name = format!("s{number:0>width$}", width = template.len() - "s".len());
        write_if_new(&plugins.join(format!("{name}.wasm")), &replaced(&component, template, &name))?;
        let upper = |name: &str| name.to_uppercase().replace('-', "_");
        let block = entities["services"][template].to_string();
        let block = block.replace(template, &name).replace(&upper(template), &upper(&name));
        services.insert(name.clone(), serde_json::from_str(&block)?);
        desired.insert(name, json!(lab::image::commit(&number.to_string())));
    }
    let entities =
        json!({ "environments": ["dev", "prod"], "teams": entities["teams"], "services": services });
    fs::write(policies.join("entities.json"), entities.to_string())?;
    fs::write(folder.join("deploy.json"), json!({ "prod": desired }).to_string())?;
    config(folder, &plugins, &policies)
}

/// A `host.toml` in `folder` for all three runtimes, none of which is there.
fn config(folder: &Path, plugins: &Path, policies: &Path) -> Result<PathBuf> {
    let config = folder.join("host.toml");
    fs::write(
        &config,
        format!(
            "plugins = {}\npolicies = {}\nstate = \"state\"\ncache = \"cache\"\n\
             [registry]\nvia = \"d601\"\n[ssh.d601]\ndestination = \"d601\"\n\
             [runtimes.main-server]\nkind = \"compose\"\n[runtimes.d601]\nkind = \"compose\"\nvia = \"d601\"\nproject-directory = \"/srv/unidesk\"\n\
             [runtimes.d601-k3s]\nkind = \"kubernetes\"\nvia = \"d601\"\n[catalog]\ndesired = \"deploy.json\"\n",
            stage::quoted(plugins),
            stage::quoted(policies)
        ),
    )?;
    Ok(config)
}

/// `bytes` with every `from` replaced by `to`, which is as long.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn write_if_new(file: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    Ok(fs::write(file, bytes)?)
}
