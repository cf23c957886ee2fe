//! The list for people.

use std::fmt::{self, Write};

use jiff::Timestamp;

use super::RegistryList;
use super::rows::{ArtifactRow, MissingRow, RepositoryRow};
use crate::commands::runs::targets::{TargetRow, Untold};
use crate::names::{Digest, Environment};
use crate::report::Style;
use crate::words::counted;

/// Hexadecimal digits of a digest that are shown: enough to tell two apart.
const SHOWN: usize = 12;

/// The whole answer; `again` is the command that asked for it.
pub fn text(answer: &RegistryList, again: &str, style: Style) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, answer, again, style, Timestamp::now());
    out
}

fn write(out: &mut String, answer: &RegistryList, again: &str, style: Style, now: Timestamp) -> fmt::Result {
    if let Some(error) = &answer.error {
        writeln!(out, "{}: {}", style.paint("1;31", "the registry could not be listed"), error.message)?;
    } else if answer.repositories.is_empty() {
        writeln!(out, "no artifacts")?;
    }
    for row in &answer.repositories {
        repository(out, row, style, now)?;
    }
    if !answer.missing.is_empty() {
        let title = style.paint("1;31", "wanted, and not in the registry");
        writeln!(out, "\n{title}: publish them with CI, or change the desired state")?;
    }
    for MissingRow { repository, commit, wanted_in, .. } in &answer.missing {
        writeln!(out, "  {repository}:{commit}  {}", wanted(wanted_in))?;
    }
    if answer.refused_names > 0 {
        let names = counted(answer.refused_names, "name", "names");
        writeln!(out, "\nleft out: {names} that no repository can have")?;
    }
    if !answer.untold.is_empty() {
        writeln!(out)?;
    }
    for Untold { runtime, error } in &answer.untold {
        writeln!(out, "{runtime}: what was deployed last is not known: {error}")?;
    }
    if let Some(next) = &answer.next {
        writeln!(out, "\nnext page: {again} --after {next}")?;
    }
    Ok(())
}

fn repository(out: &mut String, row: &RepositoryRow, style: Style, now: Timestamp) -> fmt::Result {
    write!(out, "{}", style.paint("1", &row.repository))?;
    if let Some(commits) = row.commits {
        write!(out, ": {}", counted(commits, "commit", "commits"))?;
    }
    match row.other_tags {
        None | Some(0) => {}
        Some(others) => {
            write!(
                out,
                ", {} that {} no commit",
                counted(others, "tag", "tags"),
                if others == 1 { "is" } else { "are" }
            )?;
        }
    }
    match &row.error {
        Some(error) => writeln!(out, ": {} {error}", style.paint("1;31", "✗"))?,
        None => writeln!(out)?,
    }
    row.artifacts.iter().try_for_each(|row| artifact(out, row, style, now))
}

fn artifact(out: &mut String, row: &ArtifactRow, style: Style, now: Timestamp) -> fmt::Result {
    write!(out, "  {}  ", row.commit)?;
    if let Some(error) = &row.error {
        write!(out, "{} {error}", style.paint("1;31", "✗"))?;
    } else {
        let digest = row.digest.as_ref().map(short).unwrap_or_default();
        let size = row.size.map(size).unwrap_or_default();
        let age = row.created.as_ref().and_then(|created| age(created, now));
        write!(out, "{digest}  {size:>8}  {:>6}", age.as_deref().unwrap_or("-"))?;
    }
    writeln!(out)?;
    let wanted = (!row.wanted_in.is_empty()).then(|| wanted(&row.wanted_in));
    let deployed = row.deployed.iter().map(|target| deployed(target, row));
    wanted.into_iter().chain(deployed).try_for_each(|note| writeln!(out, "      {note}"))
}

fn short(digest: &Digest) -> &str {
    let hex = digest.as_str().split_once(':').map_or("", |(_, hex)| hex);
    hex.get(..SHOWN).unwrap_or(hex)
}

fn wanted(environments: &[Environment]) -> String {
    let names: Vec<&str> = environments.iter().map(Environment::as_str).collect();
    format!("wanted in {}", names.join(", "))
}

/// A commit that was published again since is told: what runs is not what would be deployed.
fn deployed(target: &TargetRow, row: &ArtifactRow) -> String {
    let TargetRow { runtime, deploy, .. } = target;
    let same = row.digest.as_ref().is_none_or(|served| *served == deploy.digest);
    let other = if same { "" } else { " as another image" };
    format!("deployed on {runtime} to {}{other}", deploy.environment)
}

/// Bytes as registries count them, in thousands.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10))
}

/// Days, or hours, or minutes.
fn age(created: &str, now: Timestamp) -> Option<String> {
    let created: Timestamp = created.parse().ok()?;
    let minutes = now.duration_since(created).as_secs().max(0) / 60;
    Some(match minutes {
        0..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    })
}

#[cfg(test)]
mod tests;
