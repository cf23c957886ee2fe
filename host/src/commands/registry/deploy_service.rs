//! `host registry deploy-service`: the specification's own line for `host deploy`.

use clap::Args;

use crate::commands::Global;
use crate::commands::deploy::{HowArgs, one};
use crate::fault::Fault;

/// Deploy one commit of one service: what `host deploy SERVICE` does, with prod where no environment is named
#[derive(Args)]
#[command(after_help = "\
Examples:
  host artifact-registry deploy-service --service baidu-netdisk --commit $(git rev-parse HEAD) --dry-run
  host artifact-registry deploy-service --service frontend --env dev --commit $(git rev-parse HEAD) --run-now")]
pub struct DeployServiceArgs {
    /// Service to deploy (`host services` lists them)
    #[arg(long, value_name = "SERVICE")]
    service: String,
    /// Environment to deploy to
    #[arg(long, value_name = "ENV", default_value = "prod")]
    env: String,
    #[command(flatten)]
    how: HowArgs,
}

impl DeployServiceArgs {
    /// Whether it is asked for offline.
    pub fn offline(&self) -> bool {
        self.how.offline()
    }
}

pub async fn run(args: &DeployServiceArgs, global: &Global) -> Result<u8, Fault> {
    one(&args.service, &args.env, &args.how, global).await
}
