//! `host registry deploy-backend-core`: the specification's old entry, which is disabled.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::{Output, print, print_json};
use crate::fault::Fault;
use crate::report::SCHEMA;

/// What took the place of `deploy-backend-core` (specification: the old entry is disabled).
const REPLACEMENT: &str = "host deploy apply --env dev|prod --service backend-core --commit <full-sha>";

/// The decision of a command that does nothing any more, and its exit code (design: table of decisions).
const DEPRECATED: &str = "deprecated";
const EXIT_DEPRECATED: u8 = 3;

/// Deprecated: takes whatever it is given, does nothing, and names the command that took its place
#[derive(Args)]
#[command(after_help = "\
Example:
  host artifact-registry deploy-backend-core --output json")]
pub struct DeployBackendCoreArgs {
    /// Anything
    #[arg(num_args = 0.., allow_hyphen_values = true, hide = true)]
    anything: Vec<String>,
}

/// What a command answers that is there only to say what took its place.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deprecated {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Nothing was done.
    ok: bool,
    /// That it is deprecated.
    #[schemars(extend("const" = DEPRECATED))]
    decision: &'static str,
    /// What was asked for.
    command: String,
    /// What to say in its place.
    replacement: String,
}

pub fn run(args: &DeployBackendCoreArgs, output: Output) -> Result<u8, Fault> {
    let given = &args.anything;
    // What stands after a word that means nothing is taken for one as well.
    let json = given.windows(2).any(|two| two == ["--output", "json"])
        || given.iter().any(|one| one == "--output=json");
    let output = if json { Output::Json } else { output };
    let command = "deploy-backend-core";
    match output {
        Output::Json => print_json(&Deprecated {
            schema_version: SCHEMA,
            ok: false,
            decision: DEPRECATED,
            command: command.to_owned(),
            replacement: REPLACEMENT.to_owned(),
        })?,
        Output::Text => print(&format!("{command} is deprecated: nothing was done\nto do: {REPLACEMENT}\n"))?,
    }
    Ok(EXIT_DEPRECATED)
}
