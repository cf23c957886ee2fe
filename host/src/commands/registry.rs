//! `host registry`: the specification's own command lines for the registry and for what is deployed from it.

use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::Serialize;

use super::deploy::{HowArgs, one};
use super::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::report::SCHEMA;

/// What took the place of `deploy-backend-core` (specification: the old entry is disabled).
const REPLACEMENT: &str = "host deploy apply --env dev|prod --service backend-core --commit <full-sha>";

/// The decision of a command that does nothing any more, and its exit code (design: table of decisions).
const DEPRECATED: &str = "deprecated";
const EXIT_DEPRECATED: u8 = 3;

/// The artifact registry, and deploys from it
#[derive(Args)]
#[command(after_help = "\
Examples:
  host artifact-registry deploy-service --service frontend --env dev --commit $(git rev-parse HEAD) --dry-run
  host artifact-registry deploy-service --service baidu-netdisk --commit $(git rev-parse HEAD) --run-now")]
pub struct RegistryArgs {
    #[command(subcommand)]
    command: RegistryCommand,
}

#[derive(Subcommand)]
enum RegistryCommand {
    DeployService(DeployServiceArgs),
    DeployBackendCore(DeployBackendCoreArgs),
}

/// Deprecated: takes whatever it is given, does nothing, and names the command that took its place
#[derive(Args)]
#[command(after_help = "\
Example:
  host artifact-registry deploy-backend-core --output json")]
struct DeployBackendCoreArgs {
    /// Anything
    #[arg(num_args = 0.., allow_hyphen_values = true, hide = true)]
    anything: Vec<String>,
}

/// Deploy one commit of one service: what `host deploy SERVICE` does, with prod where no environment is named
#[derive(Args)]
#[command(after_help = "\
Examples:
  host artifact-registry deploy-service --service baidu-netdisk --commit $(git rev-parse HEAD) --dry-run
  host artifact-registry deploy-service --service frontend --env dev --commit $(git rev-parse HEAD) --run-now")]
struct DeployServiceArgs {
    /// Service to deploy (`host services` lists them)
    #[arg(long, value_name = "SERVICE")]
    service: String,
    /// Environment to deploy to
    #[arg(long, value_name = "ENV", default_value = "prod")]
    env: String,
    #[command(flatten)]
    how: HowArgs,
}

/// What a command answers that is there only to say what took its place.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deprecated {
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

impl RegistryArgs {
    /// Whether it is asked for offline.
    pub fn offline(&self) -> bool {
        match &self.command {
            RegistryCommand::DeployService(args) => args.how.offline(),
            RegistryCommand::DeployBackendCore(_) => true,
        }
    }
}

pub async fn run(args: &RegistryArgs, global: &Global) -> Result<u8, Fault> {
    match &args.command {
        RegistryCommand::DeployService(args) => one(&args.service, &args.env, &args.how, global).await,
        RegistryCommand::DeployBackendCore(args) => deprecated(&args.anything, global.output),
    }
}

fn deprecated(given: &[String], output: Output) -> Result<u8, Fault> {
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
