//! `host deploy show`.

use std::path::PathBuf;

use clap::Args;

use crate::approval::Approvals;
use crate::commands::{Global, Output, print, print_json};
use crate::console;
use crate::fault::Fault;
use crate::journal::Peek;
use crate::plan::Plan;
use crate::plan::shown::{PlanShown, text};
use crate::report::Style;

/// Show a plan that `host deploy plan --out` wrote: what would change, from what to what, and what is pending
///
/// No machine is asked anything; signatures are checked here.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host deploy show prod.plan
  host deploy show prod.plan --output json | jq '.services[].changes'")]
pub struct ShowArgs {
    /// The file
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
}

pub async fn run(args: &ShowArgs, global: &Global) -> Result<u8, Fault> {
    let (plan, name) = Plan::read(&args.plan)?;
    let config = global.config()?;
    let now = jiff::Timestamp::now();
    let approvals = Approvals::of(&args.plan, &name, plan.services.len(), &config.approvals, now).await?;
    let journal = Peek::open(&config.state)?;
    let applied = |service: &_, environment: &_| match &journal {
        Some(journal) => journal.applied(&name, service, environment),
        None => Ok(None),
    };
    let shown = PlanShown::new(&plan, &name, now, approvals, applied)?;
    match global.output {
        Output::Json => print_json(&shown)?,
        Output::Text => {
            print(&text(&shown, Style { colour: console::colour_on_stdout(), steps: false }))?;
        }
    }
    Ok(0)
}
