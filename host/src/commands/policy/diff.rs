//! `host policy diff`.

mod page;

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::matrix::{Unheard, told, write_unheard};
use super::page::save;
use crate::access::{Access, Action, Resource};
use crate::commands::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::names::{Digest, Environment};
use crate::policy::survey::{Ruling, State, When};
use crate::policy::{Change, ChangedRule, Policy, Principal};
use crate::report::{SCHEMA, wrapped};
use crate::run::{Inquiries, Inquiry};
use crate::words::counted;

/// Show what changes, and for which service, between two policy folders
///
/// Every question that `host policy matrix` asks is put to both; only what is answered otherwise is shown, with the rules
/// that were added, removed or changed. Ends with code 0; with --exit-code 1 where something changes. A folder that cannot
/// be used is code 2.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy diff policies.old policies
  host policy diff policies.old policies --html change.html
  host policy diff policies.old policies --exit-code --output json | jq '.differences[]'")]
pub struct DiffArgs {
    /// Policy folder as it was
    #[arg(value_name = "A")]
    was: PathBuf,
    /// Policy folder as it is to be
    #[arg(value_name = "B")]
    is: PathBuf,
    /// Also write it as a page for a browser: one file, which asks nobody for anything
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// End with code 1 where something changes
    #[arg(long)]
    exit_code: bool,
}

/// What `host policy diff` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyDiff {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Every plugin could be used.
    ok: bool,
    /// As it was.
    was: Folder,
    /// As it is.
    is: Folder,
    /// How many questions were put to both.
    asked: usize,
    /// Rules that were added, removed or changed, by id.
    rules: Vec<ChangedRule>,
    /// What is answered otherwise, by service and environment.
    differences: Vec<Difference>,
    /// Plugins that cannot be used; their services were asked about what they own.
    unheard: Vec<Unheard>,
}

/// A policy folder.
#[derive(Serialize, JsonSchema)]
struct Folder {
    /// Its path.
    folder: String,
    /// SHA-256 over policies, schema and entities.
    digest: Digest,
}

/// One question that is answered otherwise.
#[derive(Serialize, JsonSchema)]
struct Difference {
    /// The service whose plugin asks, or the part of the host.
    name: String,
    /// Where; nothing for what is about no environment.
    environment: Option<Environment>,
    /// What is done.
    action: Action,
    /// To what.
    resource: Resource,
    /// In one word.
    change: Turn,
    /// What the rules said.
    was: Ruling,
    /// What they say.
    is: Ruling,
}

/// What an answer became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Turn {
    /// Permitted, or in some circumstances at least, what was never, or in fewer, before.
    Permitted,
    /// The other way round.
    Denied,
    /// Permitted in other circumstances.
    Circumstances,
    /// The same, for other rules.
    Rules,
}

impl Turn {
    fn of(was: &Ruling, is: &Ruling) -> Self {
        let rank = |ruling: &Ruling| match ruling.state {
            State::Denied => 0,
            State::Depends => 1,
            State::Allowed => 2,
        };
        let denied = |ruling: &Ruling| -> Vec<When> {
            let denied = ruling.answers.iter().filter(|answer| !answer.allowed);
            denied.flat_map(|answer| answer.when.iter().cloned()).collect()
        };
        match rank(was).cmp(&rank(is)) {
            std::cmp::Ordering::Less => Self::Permitted,
            std::cmp::Ordering::Greater => Self::Denied,
            std::cmp::Ordering::Equal if was.state == State::Depends && denied(was) != denied(is) => {
                Self::Circumstances
            }
            std::cmp::Ordering::Equal => Self::Rules,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Permitted => "more is permitted",
            Self::Denied => "less is permitted",
            Self::Circumstances => "in other circumstances",
            Self::Rules => "by other rules",
        }
    }
}

pub fn run(args: &DiffArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let (was, is) = (load(&args.was)?, load(&args.is)?);
    let inquiries = Inquiries::of(&config, &[&was, &is])?;
    let differences = inquiries.asked.iter().flat_map(|inquiry| differences(inquiry, &was, &is)).collect();
    let folder = |path: &Path, policy: &Policy| Folder {
        folder: path.display().to_string(),
        digest: policy.digest().clone(),
    };
    let answer = PolicyDiff {
        schema_version: SCHEMA,
        ok: inquiries.unheard.is_empty(),
        was: folder(&args.was, &was),
        is: folder(&args.is, &is),
        asked: inquiries.asked.iter().map(|inquiry| inquiry.accesses.len()).sum(),
        rules: was.changed_rules(&is),
        differences,
        unheard: Unheard::all(&inquiries),
    };
    if let Some(file) = &args.html {
        save(file, &page::page(&answer))?;
    }
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&text(&answer))?,
    }
    let differs = !(answer.rules.is_empty() && answer.differences.is_empty());
    Ok(match (answer.ok, args.exit_code && differs) {
        (false, _) => 2,
        (true, differs) => u8::from(differs),
    })
}

/// A fault that says which of the two folders it is about.
fn load(folder: &Path) -> Result<Policy, Fault> {
    Policy::load(folder).map_err(|fault| {
        let message = format!("in {}: {}", folder.display(), fault.message);
        Fault { message, ..fault }
    })
}

fn differences(inquiry: &Inquiry, was: &Policy, is: &Policy) -> Vec<Difference> {
    let Inquiry { principal, environment, accesses, .. } = inquiry;
    let name = match principal {
        Principal::Plugin { plugin, .. } => plugin.to_string(),
        Principal::BuiltIn { built_in } => built_in.as_str().to_owned(),
    };
    let asked = |policy: &Policy| policy.survey(principal, environment.as_ref(), accesses);
    let both = asked(was).into_iter().zip(asked(is));
    let difference = |(access, (was, is)): (&Access, (Ruling, Ruling))| {
        // How a denial is told is no answer.
        let same = was.answers == is.answers && was.untried == is.untried;
        (!same).then(|| Difference {
            name: name.clone(),
            environment: environment.clone(),
            action: access.action,
            resource: access.resource.clone(),
            change: Turn::of(&was, &is),
            was,
            is,
        })
    };
    accesses.iter().zip(both).filter_map(difference).collect()
}

fn text(answer: &PolicyDiff) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, answer);
    out
}

fn write_text(out: &mut String, answer: &PolicyDiff) -> fmt::Result {
    writeln!(out, "was  {}\n     {}", answer.was.folder, answer.was.digest)?;
    writeln!(out, "is   {}\n     {}", answer.is.folder, answer.is.digest)?;
    if !answer.rules.is_empty() {
        writeln!(out, "\nrules")?;
    }
    for ChangedRule { id, change, place, reason, .. } in &answer.rules {
        let (mark, _) = mark(*change);
        writeln!(out, "  {mark} {id} ({place})\n      {reason}")?;
    }
    for one in answer.by_whom() {
        write_differences(out, one)?;
    }
    write_unheard(out, &answer.unheard)?;
    let asked = counted(answer.asked, "question", "questions");
    if answer.differences.is_empty() {
        writeln!(out, "\nnothing changes: {asked} asked, and each is answered as before")
    } else {
        writeln!(out, "\n{} of {asked} answered otherwise", answer.differences.len())
    }
}

impl PolicyDiff {
    /// What is answered otherwise, for one service in one environment after another.
    fn by_whom(&self) -> impl Iterator<Item = &[Difference]> {
        let same = |one: &Difference, other: &Difference| {
            one.name == other.name && one.environment == other.environment
        };
        self.differences.chunk_by(same)
    }
}

/// In one character, and in one word.
fn mark(change: Change) -> (char, &'static str) {
    match change {
        Change::Added => ('+', "added"),
        Change::Removed => ('-', "removed"),
        Change::Changed => ('~', "changed"),
    }
}

/// How a change is told: what it is, what was answered, and what is.
type Words = (Turn, String, String);

/// What changes in the same way stands together.
fn groups(differences: &[Difference]) -> Vec<(Words, Vec<&Difference>)> {
    let mut groups: Vec<(Words, Vec<&Difference>)> = Vec::new();
    for one in differences {
        let words = (one.change, told(&one.was), told(&one.is));
        match groups.iter_mut().find(|(other, _)| *other == words) {
            Some((_, group)) => group.push(one),
            None => groups.push((words, vec![one])),
        }
    }
    groups
}

/// What is answered otherwise for one service in one environment.
fn write_differences(out: &mut String, differences: &[Difference]) -> fmt::Result {
    let Some(first) = differences.first() else { return Ok(()) };
    let environment = first.environment.as_ref().map(|name| format!(" → {name}")).unwrap_or_default();
    writeln!(out, "\n{}{environment}", first.name)?;
    for ((change, was, is), group) in groups(differences) {
        writeln!(out, "  {}", change.words())?;
        for Difference { action, resource, .. } in group {
            writeln!(out, "      {:<17} {resource}", action.as_str())?;
        }
        wrapped(out, &format!("was {was}"), 4)?;
        wrapped(out, &format!("is  {is}"), 4)?;
    }
    Ok(())
}
