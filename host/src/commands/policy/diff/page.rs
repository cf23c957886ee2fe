//! What changes, as a page for a browser.

use std::fmt::{self, Write};

use super::{PolicyDiff, Turn, groups, mark};
use crate::commands::policy::page::{Plain, begin, end};
use crate::policy::ChangedRule;
use crate::words::counted;

/// The whole page.
pub fn page(answer: &PolicyDiff) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_page(&mut out, answer);
    out
}

fn write_page(out: &mut String, answer: &PolicyDiff) -> fmt::Result {
    begin(out, "What changes for whom", &format!("{} → {}", answer.was.folder, answer.is.folder))?;
    for (word, folder) in [("was", &answer.was), ("is", &answer.is)] {
        let (path, digest) = (Plain(&folder.folder), Plain(&folder.digest));
        writeln!(out, "<dt>{word}</dt><dd><div><code>{path}</code></div><code>{digest}</code></dd>")?;
    }
    let asked = counted(answer.asked, "question", "questions");
    let otherwise = answer.differences.len();
    writeln!(
        out,
        "</dl>\n<p class=\"legend\">{otherwise} of {asked} answered otherwise.</p>\n</header>\n<main>"
    )?;
    if !answer.rules.is_empty() {
        write_rules(out, &answer.rules)?;
    }
    for one in answer.by_whom() {
        let Some(first) = one.first() else { continue };
        let environment = first.environment.as_ref().map(|name| format!(" → {name}")).unwrap_or_default();
        let who = Plain(format!("{}{environment}", first.name));
        writeln!(out, "<section>\n<h2>{who}</h2>\n<div class=\"scroll\">\n<table>\n<thead>")?;
        writeln!(
            out,
            "<tr><th scope=\"col\">change</th><th scope=\"col\">what</th><th scope=\"col\">was</th><th \
             scope=\"col\">is</th></tr>\n</thead>\n<tbody>"
        )?;
        for ((change, was, is), group) in groups(one) {
            let class = match change {
                Turn::Permitted => "allowed",
                Turn::Denied => "denied",
                Turn::Circumstances | Turn::Rules => "depends",
            };
            write!(out, "<tr><td class=\"cell {class}\">{}</td><td>", change.words())?;
            for one in group {
                write!(out, "<div>{} <code>{}</code></div>", one.action.as_str(), Plain(&one.resource))?;
            }
            writeln!(out, "</td><td>{}</td><td>{}</td></tr>", Plain(was), Plain(is))?;
        }
        writeln!(out, "</tbody>\n</table>\n</div>\n</section>")?;
    }
    end(out)
}

fn write_rules(out: &mut String, rules: &[ChangedRule]) -> fmt::Result {
    writeln!(out, "<section>\n<h2>Rules</h2>\n<dl class=\"facts\">")?;
    for ChangedRule { id, change, place, reason, .. } in rules {
        let (_, word) = mark(*change);
        let (id, place, reason) = (Plain(id), Plain(place), Plain(reason));
        writeln!(out, "<dt>{word} <code>{id}</code></dt><dd>{reason} <code>{place}</code></dd>")?;
    }
    writeln!(out, "</dl>\n</section>")
}
