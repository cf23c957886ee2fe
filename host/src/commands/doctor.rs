//! `host doctor`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Global, Output, print, print_json};
use crate::console;
use crate::doctor::{Area, Pending, examine};
use crate::fault::Fault;
use crate::report::Style;
use crate::who::requester;

/// How long it is quiet about what it waits for.
const SLOW: Duration = Duration::from_secs(1);

/// Look at everything that deploys go through: what is wrong, and what to do about it
///
/// It changes nothing and creates nothing. What is outside of this program (registry, engines, Compose, env files, health
/// endpoints) is asked as far as policy permits `BuiltIn::"doctor"`. Ends with 0 where nothing failed, warnings included,
/// else with 1; with 2 where host.toml cannot be read.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host doctor
  host doctor --only registry engine compose
  host doctor --output json | jq '.checks[] | select(.ok | not)'")]
pub struct DoctorArgs {
    /// Only these
    #[arg(long, value_enum, value_name = "NAME", num_args = 1..)]
    only: Vec<Area>,
}

pub async fn run(args: &DoctorArgs, global: &Global) -> Result<u8, Fault> {
    let config = Arc::new(global.config()?);
    let (requester, pending) = (requester(), Pending::default());
    let mut examined = pin!(examine(&config, &requester, &args.only, &pending));
    let mut waiting = None;
    let diagnosis = loop {
        tokio::select! {
            diagnosis = &mut examined => break diagnosis?,
            () = tokio::time::sleep(SLOW) => {
                let bar = waiting.get_or_insert_with(console::Waiting::begin);
                bar.say(&pending.names().join(", "));
            }
        }
    };
    drop(waiting);
    match global.output {
        Output::Json => print_json(&diagnosis)?,
        Output::Text => {
            let style = Style { colour: console::colour_on_stdout(), steps: false };
            print(&diagnosis.render(style))?;
        }
    }
    Ok(u8::from(!diagnosis.ok))
}
