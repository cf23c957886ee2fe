//! `host completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print the completion script for a shell
#[derive(Args)]
#[command(after_help = "Example:\n  host completions bash > ~/.local/share/bash-completion/completions/host")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) {
    clap_complete::generate(args.shell, &mut Cli::command(), "host", &mut std::io::stdout());
}
