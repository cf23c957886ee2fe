//! The matrix as tables of at most 100 columns where names allow.

use std::fmt::{self, Write};

use super::notes::Notes;
use super::{MatrixRow, PolicyMatrix, Sheet, Unheard, heading};
use crate::access::Action;
use crate::report::wrapped;

/// The whole answer.
pub fn text(answer: &PolicyMatrix) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_text(&mut out, answer);
    out
}

fn write_text(out: &mut String, answer: &PolicyMatrix) -> fmt::Result {
    writeln!(out, "policies  {}\ndigest    {}", answer.folder, answer.digest)?;
    let mut notes = Notes::default();
    for sheet in answer.sheets() {
        write_sheet(out, &sheet, &mut notes)?;
    }
    writeln!(out, "\nyes always, no never, partly not all of it, if it depends, · not asked")?;
    if notes.all().next().is_some() {
        writeln!(out, "\nnotes")?;
    }
    for (number, note) in notes.all() {
        wrapped(out, &format!("{number}  {note}"), 2)?;
    }
    write_unheard(out, &answer.unheard)
}

/// Plugins that cannot be used.
pub fn write_unheard(out: &mut String, unheard: &[Unheard]) -> fmt::Result {
    if !unheard.is_empty() {
        writeln!(out, "\nplugins that cannot be used; their services are asked about what they own")?;
    }
    let lines = unheard.iter().flat_map(|one| one.error.lines());
    lines.into_iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_sheet(out: &mut String, sheet: &Sheet<'_>, notes: &mut Notes) -> fmt::Result {
    let mut lines: Vec<Vec<String>> = vec![
        std::iter::once(String::new())
            .chain([String::new()])
            .chain(sheet.actions.iter().map(|one| heading(*one).0.to_owned()))
            .collect(),
        std::iter::once("WHO".to_owned())
            .chain(["ENV".to_owned()])
            .chain(sheet.actions.iter().map(|one| heading(*one).1))
            .collect(),
    ];
    lines.extend(sheet.rows.iter().map(|row| cells(row, &sheet.actions, notes)));
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..sheet.actions.len() + 2).map(width).collect();
    writeln!(out, "\n{}", sheet.title)?;
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "  {}", padded.join(" ").trim_end())?;
    }
    Ok(())
}

fn cells(row: &MatrixRow, actions: &[Action], notes: &mut Notes) -> Vec<String> {
    let mut cells = vec![row.name.clone(), row.environment().to_owned()];
    cells.extend(actions.iter().map(|action| match row.cell(*action) {
        None => "·".to_owned(),
        Some(cell) => {
            let note = notes.number(cell).map(|number| format!(" {number}")).unwrap_or_default();
            format!("{}{note}", cell.state.word())
        }
    }));
    cells
}
