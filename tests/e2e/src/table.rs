//! Many runs in one text, one line each, so that a reviewer sees all of them at once.

use std::fmt::Write;

use crate::Run;

/// What begins the part of a message that the engine chose: another release of it has other words.
const ENGINES_WORDS: [&str; 2] = ["the Docker engine says: ", "the Docker engine answered 500: "];

/// What the host adds to them.
const OUR_WORDS: [&str; 4] = ["; check that", "; the activation was", "; could not be", "; the name "];

/// A table of runs: `row | exit | decision | code | retryable | step | error`.
#[derive(Debug)]
pub struct Table {
    text: String,
    hidden: Vec<(String, String)>,
}

impl Default for Table {
    fn default() -> Self {
        let text = "row | exit | decision | code | retryable | step | error\n".to_owned();
        Self { text, hidden: Vec::new() }
    }
}

impl Table {
    /// What differs between runs and machines is shown as something else.
    pub fn hide(&mut self, found: impl Into<String>, shown: impl Into<String>) {
        self.hidden.push((found.into(), shown.into()));
    }

    /// A line that begins a group of rows.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n{text}");
    }

    /// One run.
    pub fn row(&mut self, name: &str, commit: &str, run: &Run) {
        let report = run.json();
        for output in [&run.stdout, &run.stderr] {
            let raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!output.contains(raw), "{name}: what came from outside is escaped: {output:?}");
        }
        assert_eq!(report["ok"], run.code == 0, "{name}: {run:?}");
        let mut error = String::new();
        if run.code != 0 {
            assert_eq!(report["error"]["retryable"], report["retryable"], "{name}: {run:?}");
            error = run.text("/error/message").trim().replace('\n', " / ");
        }
        let cells = [
            name,
            &run.code.to_string(),
            &run.text("/decision"),
            or_none(&run.text("/error/code")),
            &report["retryable"].to_string(),
            or_none(&run.text("/error/step")),
            or_none(&self.shown(&error.replace(commit, "[commit]"))),
        ]
        .join(" | ");
        let _ = writeln!(self.text, "{cells}");
    }

    /// A line of its own about the run above it.
    pub fn remark(&mut self, commit: &str, text: &str) {
        let shown = self.shown(&text.replace(commit, "[commit]"));
        let _ = writeln!(self.text, "    {shown}");
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn shown(&self, text: &str) -> String {
        let mut text =
            self.hidden.iter().fold(text.to_owned(), |text, (found, shown)| text.replace(found, shown));
        for words in ENGINES_WORDS {
            if let Some(start) = text.find(words).map(|at| at + words.len()) {
                // What the host adds itself begins after a semicolon or on the next line.
                let end = text[start..].find(" / ").map_or(text.len(), |at| start + at);
                let end = OUR_WORDS
                    .iter()
                    .filter_map(|ours| text[start..end].find(ours))
                    .min()
                    .map_or(end, |at| start + at);
                text.replace_range(start..end, "[its words]");
            }
        }
        ids(&columns(&digests(&text)))
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Where a parser stopped depends on the sizes that stand in a document.
fn columns(text: &str) -> String {
    let mut parts = text.split(" column ");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let _ = write!(shown, " column …{}", part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    shown
}

/// Digests depend on how the sample was compiled.
fn digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hex = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        let rest = if hex == 64 { &part[64..] } else { part };
        let _ = write!(shown, "sha256:{}{rest}", if hex == 64 { "…" } else { "" });
    }
    shown
}

/// Containers have another id in every run, and engines of another release speak another version of their protocol.
fn ids(text: &str) -> String {
    let hex = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
    let mut shown = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(hex) {
        let length = rest[start..].find(|c| !hex(c)).unwrap_or(rest.len() - start);
        shown.push_str(&rest[..start]);
        shown.push_str(if matches!(length, 12 | 64) { "[id]" } else { &rest[start..start + length] });
        rest = &rest[start + length..];
    }
    shown.push_str(rest);
    let mut parts = shown.split("/v1.");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| shown + "/v1.…" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}
