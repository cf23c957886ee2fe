//! Pages for a browser: each is one file, asks nobody for anything, runs nothing, and says every answer in words, never only in
//! a colour.

use std::fmt::{self, Display, Write};
use std::path::Path;

use crate::console;
use crate::fault::Fault;
use crate::file::write_whole;

const STYLE: &str = include_str!("page.css");

/// Text that a browser shows as it is.
pub struct Plain<T>(pub T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

/// Everything before the header; `about` is what the page is about.
pub fn begin(out: &mut String, heading: &str, about: &str) -> fmt::Result {
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    // Whatever a name or a reason says, nothing is fetched and nothing is run.
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    let title = Plain(format_args!("{heading}: {about}"));
    writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>")?;
    writeln!(out, "<header>\n<h1>{heading}</h1>\n<dl class=\"facts\">")
}

/// Everything after the main part.
pub fn end(out: &mut String) -> fmt::Result {
    writeln!(out, "</main>\n</body>\n</html>")
}

/// Writes one that is there whole or not at all, and says so.
///
/// # Errors
/// A usage fault that names the file.
pub fn save(file: &Path, page: &str) -> Result<(), Fault> {
    write_whole(file, console::safe(page, false).as_bytes()).map_err(|error| {
        Fault::usage(
            "policy-page",
            format!("{} cannot be written: {error}", file.display()),
            "name a file in a folder that you may write to with --html",
        )
    })?;
    console::notice(&format!("written to {}", file.display()));
    Ok(())
}
