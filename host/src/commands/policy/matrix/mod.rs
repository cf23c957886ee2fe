//! `host policy matrix`.

mod notes;
mod page;
mod text;

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::FolderArgs;
use super::page::save;
use crate::access::{Action, Resource};
use crate::commands::{Global, Output, print, print_json};
use crate::fault::Fault;
use crate::names::{Digest, Environment, ServiceName, Shape};
use crate::policy::survey::{Ruling, State};
use crate::policy::{Policy, Principal, RuleFacts};
use crate::report::SCHEMA;
use crate::run::{Inquiries, Inquiry};
pub(super) use notes::told;
pub(super) use text::write_unheard;

/// Show what policy says to everything that deploys ask, for every service and environment
///
/// Each plugin is run offline to its end, whatever policy denies, and every question that it asks is put to the rules in
/// all circumstances that make a difference to them: days and times, who approved, whether the commit was tried. A service
/// without a plugin is asked about what it owns. `yes` is always permitted, `no` never, `partly` not for everything that is
/// touched, `if` in some circumstances only; `·` is not asked. Ends with code 0, or 2 where a plugin cannot be used.
#[derive(Args)]
#[command(after_help = "\
Examples:
  host policy matrix
  host policy matrix policies --html policies.html
  host policy matrix --output json | jq '.rows[].cells[] | select(.state != \"allowed\")'")]
pub struct MatrixArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Write it as a page for a browser, which needs nothing but that file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What `host policy matrix` answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyMatrix {
    /// Version of these fields.
    #[schemars(extend("const" = SCHEMA))]
    schema_version: u32,
    /// Every plugin could be used.
    ok: bool,
    /// The policy folder.
    folder: String,
    /// SHA-256 over policies, schema and entities.
    digest: Digest,
    /// By service and environment, then the parts of the host that ask for themselves.
    rows: Vec<MatrixRow>,
    /// Each rule that decides something of it, by id.
    rules: Vec<RuleFacts>,
    /// Plugins that cannot be used.
    unheard: Vec<Unheard>,
}

/// What one asks in one environment, and what is said to it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MatrixRow {
    /// The service, or the part of the host.
    name: String,
    /// Who asks.
    asks: Asks,
    /// Where; nothing for what is about no environment.
    environment: Option<Environment>,
    /// How the service is deployed there, as its plugin says.
    shape: Option<Shape>,
    /// What is asked, in the order of a deploy.
    cells: Vec<Cell>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Asks {
    /// The plugin of the service.
    Plugin,
    /// No plugin is there: what it could ask about what the service owns.
    Owner,
    /// The host for itself.
    Host,
}

/// One action, and everything that it is asked for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Cell {
    /// What is done.
    pub(super) action: Action,
    /// The answers in one word.
    pub(super) state: CellState,
    /// Each thing it is done to.
    pub(super) requests: Vec<Asked>,
}

/// Answers in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CellState {
    /// Everything is permitted, whatever the circumstances.
    Allowed,
    /// Nothing ever is.
    Denied,
    /// Some of it always is, and some never.
    Partly,
    /// Something is permitted in some circumstances, and not in others.
    Depends,
}

/// One question, and the answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Asked {
    /// What is touched.
    pub(super) resource: Resource,
    /// What the rules say.
    pub(super) ruling: Ruling,
}

/// A plugin that cannot be used; its service is asked about what it owns.
#[derive(Serialize, JsonSchema)]
pub(super) struct Unheard {
    /// Whose.
    pub(super) service: ServiceName,
    /// Why, and what to do about it.
    pub(super) error: String,
}

impl Unheard {
    pub(super) fn all(inquiries: &Inquiries) -> Vec<Self> {
        let unheard = inquiries.unheard.iter();
        unheard.map(|(service, error)| Self { service: service.clone(), error: error.clone() }).collect()
    }
}

pub fn run(args: &MatrixArgs, global: &Global) -> Result<u8, Fault> {
    let config = global.config()?;
    let folder = args.folder.or(config.policies.clone());
    let policy = Policy::load(&folder)?;
    let inquiries = Inquiries::of(&config, &[&policy])?;
    let rows: Vec<MatrixRow> =
        inquiries.asked.iter().map(|inquiry| MatrixRow::of(inquiry, &policy)).collect();
    let answers = rows.iter().flat_map(|row| &row.cells).flat_map(|cell| &cell.requests);
    let ids = answers.flat_map(|asked| &asked.ruling.answers).flat_map(|answer| &answer.policies);
    let mut rules: Vec<RuleFacts> = ids.filter_map(|id| policy.rule(id)).collect();
    rules.sort_by(|one, other| one.id.cmp(&other.id));
    rules.dedup();
    let answer = PolicyMatrix {
        schema_version: SCHEMA,
        ok: inquiries.unheard.is_empty(),
        folder: folder.display().to_string(),
        digest: policy.digest().clone(),
        rows,
        rules,
        unheard: Unheard::all(&inquiries),
    };
    if let Some(file) = &args.html {
        save(file, &page::page(&answer))?;
    }
    match global.output {
        Output::Json => print_json(&answer)?,
        Output::Text => print(&text::text(&answer))?,
    }
    Ok(if answer.ok { 0 } else { 2 })
}

impl MatrixRow {
    fn of(inquiry: &Inquiry, policy: &Policy) -> Self {
        let Inquiry { principal, environment, shape, accesses } = inquiry;
        let rulings = policy.survey(principal, environment.as_ref(), accesses);
        let mut cells: Vec<Cell> = Vec::new();
        for (access, ruling) in accesses.iter().zip(rulings) {
            let asked = Asked { resource: access.resource.clone(), ruling };
            let action = access.action;
            if let Some(cell) = cells.iter_mut().find(|cell| cell.action == action) {
                cell.requests.push(asked);
            } else {
                cells.push(Cell { action, state: CellState::Allowed, requests: vec![asked] });
            }
        }
        cells.sort_by_key(|cell| cell.action);
        for cell in &mut cells {
            cell.state = CellState::of(&cell.requests);
        }
        let (name, asks) = match principal {
            Principal::Plugin { plugin, .. } if shape.is_some() => (plugin.to_string(), Asks::Plugin),
            Principal::Plugin { plugin, .. } => (plugin.to_string(), Asks::Owner),
            Principal::BuiltIn { built_in } => (built_in.as_str().to_owned(), Asks::Host),
        };
        Self { name, asks, environment: environment.clone(), shape: shape.clone(), cells }
    }

    fn environment(&self) -> &str {
        self.environment.as_ref().map_or("", Environment::as_str)
    }

    /// What rows like this one stand under.
    fn title(&self) -> String {
        match (self.asks, &self.shape) {
            (Asks::Host, _) => "the host itself".to_owned(),
            (_, Some(shape)) => shape.to_string(),
            (_, None) => "no plugin: about what the service owns".to_owned(),
        }
    }

    fn cell(&self, action: Action) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.action == action)
    }
}

impl CellState {
    fn of(requests: &[Asked]) -> Self {
        let some = |state| requests.iter().any(|asked| asked.ruling.state == state);
        match (some(State::Depends), some(State::Denied), some(State::Allowed)) {
            (true, ..) => Self::Depends,
            (_, true, true) => Self::Partly,
            (_, true, false) => Self::Denied,
            _ => Self::Allowed,
        }
    }

    /// As in tables.
    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "yes",
            Self::Denied => "no",
            Self::Partly => "partly",
            Self::Depends => "if",
        }
    }
}

/// Rows that ask for the same kind of things, and the actions that some of them ask for.
struct Sheet<'a> {
    title: String,
    actions: Vec<Action>,
    rows: Vec<&'a MatrixRow>,
}

impl PolicyMatrix {
    /// The rows by what they stand under, which keeps tables narrow; the host comes last.
    fn sheets(&self) -> Vec<Sheet<'_>> {
        let mut sheets: Vec<Sheet<'_>> = Vec::new();
        for row in &self.rows {
            let title = row.title();
            match sheets.iter_mut().find(|sheet| sheet.title == title) {
                Some(sheet) => sheet.rows.push(row),
                None => sheets.push(Sheet { title, actions: Vec::new(), rows: vec![row] }),
            }
        }
        for sheet in &mut sheets {
            let asked = |action: &Action| sheet.rows.iter().any(|row| row.cell(*action).is_some());
            sheet.actions = Action::ALL.into_iter().filter(asked).collect();
        }
        sheets.sort_by_key(|sheet| {
            sheet.rows.first().map(|row| (row.asks == Asks::Host, row.shape.is_none(), row.title()))
        });
        sheets
    }
}

/// `recreateService` as two words of a heading.
fn heading(action: Action) -> (&'static str, String) {
    let name = action.as_str();
    let (verb, what) = name.split_at(name.find(char::is_uppercase).unwrap_or(name.len()));
    (verb, what.to_lowercase())
}
