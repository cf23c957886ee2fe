//! `host man`.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::{Cli, print_own};
use crate::fault::Fault;

/// Print the manual page of this program, or write one page for each command
#[derive(Args)]
#[command(after_help = "\
Examples:
  host man | man -l -
  host man --out ~/.local/share/man/man1 && man host-deploy")]
pub struct ManArgs {
    /// Folder to write `host.1`, `host-deploy.1` and so on into; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &ManArgs) -> Result<u8, Fault> {
    let pages = pages(Cli::command());
    if let Some(folder) = &args.out {
        write(folder, &pages)?;
    } else if let Some(main) = pages.first() {
        print_own(&main.text)?;
    }
    Ok(0)
}

/// One page.
pub struct Page {
    /// `host-deploy`
    pub name: String,
    /// In the form of roff.
    pub text: String,
}

/// The page of `command`, then those of the commands below it.
#[must_use]
pub fn pages(command: clap::Command) -> Vec<Page> {
    let mut command = without_help(command);
    // With this every command knows the whole line that it is called by, and the flags of those above it.
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages);
    pages
}

/// `host help` says what `--help` and these pages say, and has no page.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn add(command: &clap::Command, pages: &mut Vec<Page>) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut roff = Vec::new();
    // Writing to memory cannot fail.
    let _ = clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).render(&mut roff);
    pages.push(Page { name, text: String::from_utf8_lossy(&roff).into_owned() });
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add(below, pages);
    }
}

fn write(folder: &Path, pages: &[Page]) -> Result<(), Fault> {
    let fault = |path: &Path, error: &std::io::Error| {
        Fault::internal(
            "man",
            format!("{} cannot be written: {error}", path.display()),
            "name another folder with --out",
        )
    };
    std::fs::create_dir_all(folder).map_err(|error| fault(folder, &error))?;
    for page in pages {
        let path = folder.join(format!("{}.1", page.name));
        std::fs::write(&path, &page.text).map_err(|error| fault(&path, &error))?;
    }
    Ok(())
}
