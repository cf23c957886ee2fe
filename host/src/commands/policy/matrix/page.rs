//! The matrix as a page for a browser.

use std::fmt::{self, Write};

use super::notes::{Notes, told};
use super::{Cell, CellState, MatrixRow, PolicyMatrix, Sheet, heading};
use crate::access::Action;
use crate::commands::policy::page::{Plain, begin, end};
use crate::words::counted;

/// The whole page.
pub fn page(answer: &PolicyMatrix) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_page(&mut out, answer);
    out
}

fn write_page(out: &mut String, answer: &PolicyMatrix) -> fmt::Result {
    let folder = Plain(&answer.folder);
    begin(out, "Who may deploy what", &answer.folder)?;
    writeln!(out, "<dt>policies</dt><dd><code>{folder}</code></dd>")?;
    writeln!(out, "<dt>digest</dt><dd><code>{}</code></dd>\n</dl>", Plain(&answer.digest))?;
    writeln!(
        out,
        "<p class=\"legend\">yes: always permitted. no: never. partly: not all that it touches. if: depends on the \
         circumstances, as its note says. ·: not asked.</p>\n</header>\n<main>"
    )?;
    let mut notes = Notes::default();
    for sheet in answer.sheets() {
        write_sheet(out, &sheet, &mut notes)?;
    }
    if notes.all().next().is_some() {
        writeln!(out, "<section>\n<h2>Notes</h2>\n<ol class=\"notes\">")?;
        for (number, note) in notes.all() {
            writeln!(out, "<li id=\"note-{number}\">{}</li>", Plain(note))?;
        }
        writeln!(out, "</ol>\n</section>")?;
    }
    write_unheard(out, answer)?;
    write_details(out, answer)?;
    write_rules(out, answer)?;
    end(out)
}

fn write_sheet(out: &mut String, sheet: &Sheet<'_>, notes: &mut Notes) -> fmt::Result {
    let title = Plain(&sheet.title);
    writeln!(
        out,
        "<section>\n<h2>{title}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\">"
    )?;
    writeln!(out, "<table>\n<thead>\n<tr><th scope=\"col\">who</th><th scope=\"col\">env</th>")?;
    for action in &sheet.actions {
        let (verb, what) = heading(*action);
        writeln!(out, "<th scope=\"col\">{verb}<span>{what}</span></th>")?;
    }
    writeln!(out, "</tr>\n</thead>\n<tbody>")?;
    for row in &sheet.rows {
        let (name, environment) = (Plain(&row.name), Plain(row.environment()));
        writeln!(out, "<tr><th scope=\"row\">{name}</th><td>{environment}</td>")?;
        for action in &sheet.actions {
            write_cell(out, row, *action, notes)?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n</div>\n</section>")
}

fn write_cell(out: &mut String, row: &MatrixRow, action: Action, notes: &mut Notes) -> fmt::Result {
    let Some(cell) = row.cell(action) else {
        return writeln!(out, "<td class=\"cell unasked\">·</td>");
    };
    let class = match cell.state {
        CellState::Allowed => "allowed",
        CellState::Denied => "denied",
        CellState::Partly => "partly",
        CellState::Depends => "depends",
    };
    let rules = Plain(rules(cell).join(", "));
    write!(out, "<td class=\"cell {class}\" title=\"{rules}\">{}", cell.state.word())?;
    if let Some(number) = notes.number(cell) {
        write!(out, " <a href=\"#note-{number}\" aria-label=\"note {number}\">{number}</a>")?;
    }
    writeln!(out, "</td>")
}

/// The rules that decide something of `cell`.
fn rules(cell: &Cell) -> Vec<&str> {
    let answers = cell.requests.iter().flat_map(|asked| &asked.ruling.answers);
    let mut ids: Vec<&str> = answers.flat_map(|answer| &answer.policies).map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn write_unheard(out: &mut String, answer: &PolicyMatrix) -> fmt::Result {
    if answer.unheard.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Plugins that cannot be used</h2>\n<dl class=\"facts\">")?;
    for unheard in &answer.unheard {
        writeln!(out, "<dt>{}</dt><dd><pre>{}</pre></dd>", Plain(&unheard.service), Plain(&unheard.error))?;
    }
    writeln!(out, "</dl>\n</section>")
}

fn write_details(out: &mut String, answer: &PolicyMatrix) -> fmt::Result {
    writeln!(out, "<section class=\"questions\">\n<h2>Every question</h2>")?;
    for row in &answer.rows {
        let count = row.cells.iter().map(|cell| cell.requests.len()).sum();
        let environment =
            if row.environment().is_empty() { String::new() } else { format!(" → {}", row.environment()) };
        writeln!(
            out,
            "<details>\n<summary>{}{}: {}</summary>\n<div class=\"scroll\">\n<table>\n<thead>\n<tr><th \
             scope=\"col\">action</th><th scope=\"col\">what</th><th scope=\"col\">answer</th></tr>\n</thead>\n<tbody>",
            Plain(&row.name),
            Plain(environment),
            counted(count, "question", "questions")
        )?;
        for cell in &row.cells {
            for asked in &cell.requests {
                write!(
                    out,
                    "<tr><td>{}</td><td><code>{}</code></td><td>{}",
                    cell.action.as_str(),
                    Plain(&asked.resource),
                    Plain(told(&asked.ruling))
                )?;
                if let Some(reason) = &asked.ruling.reason {
                    write!(out, "<pre>{}</pre>", Plain(reason))?;
                }
                writeln!(out, "</td></tr>")?;
            }
        }
        writeln!(out, "</tbody>\n</table>\n</div>\n</details>")?;
    }
    writeln!(out, "</section>")
}

fn write_rules(out: &mut String, answer: &PolicyMatrix) -> fmt::Result {
    writeln!(out, "<section>\n<h2>Rules</h2>\n<dl class=\"facts\">")?;
    for rule in &answer.rules {
        let (id, place, reason) = (Plain(&rule.id), Plain(&rule.place), Plain(&rule.reason));
        writeln!(out, "<dt><code>{id}</code></dt><dd>{reason} <code>{place}</code></dd>")?;
    }
    writeln!(out, "</dl>\n</section>")
}
