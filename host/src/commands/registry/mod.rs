//! `host registry`: the artifact registry's own life, and the specification's own lines for what is deployed from it.

pub mod backend_core;
mod deploy_service;
mod errand;
mod health;
pub mod install;
pub mod list;
pub mod look;
pub mod plan;
pub mod render;
mod status;

use clap::{Args, Subcommand};

use super::Global;
use crate::fault::Fault;

/// The artifact registry, and deploys from it
#[derive(Args)]
#[command(after_help = "\
Examples:
  host registry plan
  host registry render --out rendered
  host registry install --dry-run
  host registry health
  host registry list --service frontend
  host artifact-registry deploy-service --service frontend --env dev --commit $(git rev-parse HEAD) --dry-run
  host artifact-registry deploy-service --service baidu-netdisk --commit $(git rev-parse HEAD) --run-now")]
pub struct RegistryArgs {
    #[command(subcommand)]
    command: RegistryCommand,
}

#[derive(Subcommand)]
enum RegistryCommand {
    Plan(plan::PlanArgs),
    Render(render::RenderArgs),
    Install(install::InstallArgs),
    Status(status::StatusArgs),
    Health(health::HealthArgs),
    List(list::ListArgs),
    DeployService(deploy_service::DeployServiceArgs),
    DeployBackendCore(backend_core::DeployBackendCoreArgs),
}

impl RegistryArgs {
    /// Whether it is asked for offline.
    pub fn offline(&self) -> bool {
        match &self.command {
            RegistryCommand::DeployService(args) => args.offline(),
            RegistryCommand::Install(_)
            | RegistryCommand::Status(_)
            | RegistryCommand::Health(_)
            | RegistryCommand::List(_) => false,
            RegistryCommand::Plan(_) | RegistryCommand::Render(_) | RegistryCommand::DeployBackendCore(_) => {
                true
            }
        }
    }
}

pub async fn run(args: &RegistryArgs, global: &Global) -> Result<u8, Fault> {
    match &args.command {
        RegistryCommand::Plan(args) => plan::run(args, global),
        RegistryCommand::Render(args) => render::run(args, global),
        RegistryCommand::Install(args) => install::run(args, global).await,
        RegistryCommand::Status(args) => status::run(args, global).await,
        RegistryCommand::Health(args) => health::run(args, global).await,
        RegistryCommand::List(args) => list::run(args, global).await,
        RegistryCommand::DeployService(args) => deploy_service::run(args, global).await,
        RegistryCommand::DeployBackendCore(args) => backend_core::run(args, global.output),
    }
}
