//! Every command explains itself.

use clap::{Command, CommandFactory};

use super::Cli;
use super::man::pages;

/// The program's command and all below it, each with the words that call it.
fn all() -> Vec<(String, Command)> {
    fn add(command: &Command, found: &mut Vec<(String, Command)>) {
        found.push((command.get_bin_name().unwrap_or(command.get_name()).to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            add(below, found);
        }
    }
    let mut found = Vec::new();
    let mut program = Cli::command();
    program.build();
    add(&program, &mut found);
    found
}

#[test]
fn every_command_and_flag_is_explained_and_every_example_is_one() {
    let commands = all();
    assert!(commands.len() > 8, "{:?}", commands.iter().map(|(line, _)| line).collect::<Vec<_>>());
    for (line, command) in &commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "`{line}` has no about");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "`{line}`: {} has no help", argument.get_id());
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.starts_with("Example"), "`{line}` has no examples: {after}");
        let examples: Vec<_> = after.lines().filter_map(|line| line.strip_prefix("  host ")).collect();
        assert!(!examples.is_empty(), "`{line}` has no examples: {after}");
        for example in examples {
            let said = example.split(['|', '>', '&']).next().unwrap_or_default();
            let said = said.replace("$(git rev-parse HEAD)", "0123456789abcdef0123456789abcdef01234567");
            let words = ["host"].into_iter().chain(said.split_whitespace());
            let parsed = Cli::command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "`{line}` has an example that does not work: {example}: {parsed:?}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let pages = pages(Cli::command());
    let names: Vec<_> = pages.iter().map(|page| page.name.clone()).collect();
    let lines: Vec<_> = all().into_iter().map(|(line, _)| line.replace(' ', "-")).collect();
    assert_eq!(names, lines);
    for (page, (_, command)) in pages.iter().zip(all()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let plain = page.text.replace('\\', "");
        for part in [".TH", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", &about, "Example"] {
            assert!(plain.contains(part), "{} lacks {part:?}:\n{}", page.name, page.text);
        }
        for (_, other) in plain
            .match_indices("(1)")
            .map(|(at, _)| plain[..at].rsplit_once(char::is_whitespace).unwrap_or_default())
        {
            assert!(
                pages.iter().any(|one| one.name == other),
                "{} names {other}, which has no page",
                page.name
            );
        }
    }
}
