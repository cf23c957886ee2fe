//! `host completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, print_own};
use crate::fault::Fault;

/// Print the completion script for a shell
#[derive(Args)]
#[command(after_help = "Example:\n  host completions bash > ~/.local/share/bash-completion/completions/host")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<u8, Fault> {
    // Written in one piece: the generator panics where standard output cannot be written.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "host", &mut script);
    print_own(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
