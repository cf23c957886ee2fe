//! `host deploy plan --all --offline` over a thousand services: each a component of its own, with its own targets and its
//! own desired commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::project::SERVICE;
use serde_json::{Value, json};

use crate::Result;
use crate::memory;
use crate::sample;
use crate::stage;
use crate::table::Table;

const SERVICES: usize = 1000;
const SAMPLES: usize = 15;
const GOAL: Duration = Duration::from_secs(1);
const PLAN: [&str; 6] = ["deploy", "plan", "--all", "--offline", "--output", "json"];

pub fn measure(table: &mut Table) -> Result<()> {
    let config = make(&lab::paths::target()?.join("bench/catalogue"))?;
    eprintln!("  compiling {SERVICES} components, where they are not in the cache");
    stage::whole_process(&mut stage::program(&config, &PLAN)?)?;
    let plan = sample::alone(SAMPLES, || stage::whole_process(&mut stage::program(&config, &PLAN)?))?;
    table.within(&format!("deploy plan --all --offline, {SERVICES} services"), &plan, GOAL);
    let megabytes = memory::peak(&mut stage::program(&config, &PLAN)?)? >> 10;
    table.note(format!("deploy plan over {SERVICES} services: at most {megabytes} MB in memory"));
    Ok(())
}

/// Writes the catalogue, but for what is there already.
fn make(folder: &Path) -> Result<PathBuf> {
    let template = fs::read(lab::paths::plugins()?.join(format!("{SERVICE}.wasm")))?;
    let entities: Value = serde_json::from_slice(&fs::read(lab::paths::policies().join("entities.json"))?)?;
    let block = entities["services"][SERVICE].to_string();
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
        // As long as the template's name, so that every offset in the component stays as it is.
        let name = format!("{:0>width$}", format!("{number:04}"), width = SERVICE.len() - "svc-".len());
        let name = format!("svc-{name}");
        write_if_new(&plugins.join(format!("{name}.wasm")), &replaced(&template, SERVICE, &name))?;
        let upper = |name: &str| name.to_uppercase().replace('-', "_");
        let block = block.replace(SERVICE, &name).replace(&upper(SERVICE), &upper(&name));
        services.insert(name.clone(), serde_json::from_str(&block)?);
        desired.insert(name, json!(lab::image::commit(&number.to_string())));
    }
    let entities = json!({ "environments": ["prod"], "teams": entities["teams"], "services": services });
    fs::write(policies.join("entities.json"), entities.to_string())?;
    fs::write(folder.join("deploy.json"), json!({ "prod": desired }).to_string())?;
    let config = folder.join("host.toml");
    fs::write(
        &config,
        "plugins = \"plugins\"\npolicies = \"policies\"\nstate = \"state\"\ncache = \"cache\"\n\
         [runtimes.main-server]\nkind = \"compose\"\n[catalog]\ndesired = \"deploy.json\"\n",
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
