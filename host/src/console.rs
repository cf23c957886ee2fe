//! The terminal: steps as they happen, on standard error.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::gate::Audience;
use crate::operation::Operation;
use crate::progress::{Unwatched, Watcher};
use crate::report::{Mode, Style, step_line, step_part};
use crate::step::Pass;
use crate::step::Step;
use crate::words::{is_shown, plain};

/// Longest note beside a running step, in characters: it stays on one line of 80 columns.
const NOTE: usize = 40;

/// How often a long step says on a plain log that it still goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Prints each step when it ends; on a terminal also while it runs. Of a live run it shows what is done, not the pass that
/// only looked: what that one found is in the report.
pub struct Console {
    mode: Mode,
    style: Style,
    terminal: bool,
    shown: AtomicBool,
}

impl Console {
    /// For a run.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let style = Style { colour: colour_on_stderr(), steps: true };
        Self { mode, style, terminal, shown: AtomicBool::new(false) }
    }

    /// Whether the steps were told as they happened.
    #[must_use]
    pub fn told(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    /// A dry run takes no time: its steps are in the report.
    fn shows(&self, pass: Pass) -> bool {
        match pass {
            Pass::Predicting => false,
            Pass::Observing => self.mode == Mode::Plan,
            Pass::Live => true,
        }
    }
}

impl Audience for Console {
    fn begins(&self, pass: Pass, seq: u32, operation: &Operation) -> Box<dyn Watcher> {
        if !self.terminal {
            let name = operation.name();
            let told = Mutex::new(Instant::now());
            return if pass == Pass::Predicting { Box::new(Unwatched) } else { Box::new(Log { name, told }) };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if pass != Pass::Predicting {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(waiting());
            let looking = if self.shows(pass) { "" } else { "looking: " };
            bar.set_prefix(format!("{seq:>2}  {looking}{}", operation.name()));
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Box::new(Bar(bar))
    }

    fn ended(&self, pass: Pass, step: &Step) {
        if self.shows(pass) {
            self.shown.store(true, Ordering::Relaxed);
            notice(&step_line(&step_part(step, None), self.style));
        }
    }

    fn says(&self, pass: Pass, message: &str) {
        if self.shows(pass) || pass == Pass::Predicting {
            notice(&format!("     {message}"));
        }
    }
}

/// One of several live runs: a line for each step that ended, with the name of the run.
pub struct Named {
    name: String,
    style: Style,
}

impl Named {
    /// For the run of this name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { name, style: Style { colour: colour_on_stderr(), steps: true } }
    }
}

impl Audience for Named {
    fn begins(&self, _: Pass, _: u32, _: &Operation) -> Box<dyn Watcher> {
        Box::new(Unwatched)
    }

    fn ended(&self, pass: Pass, step: &Step) {
        if pass == Pass::Live {
            notice(&format!("{}: {}", self.name, step_line(&step_part(step, None), self.style).trim_start()));
        }
    }

    fn says(&self, pass: Pass, message: &str) {
        if pass == Pass::Live {
            notice(&format!("{}: {message}", self.name));
        }
    }
}

/// One running step; the line goes away when the step has ended.
struct Bar(ProgressBar);

impl Watcher for Bar {
    fn bytes(&self, done: u64, total: u64) {
        if self.0.length() != Some(total) {
            self.0.set_style(bytes());
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }

    fn note(&self, text: &str) {
        self.0.set_message(plain(text, NOTE));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// One running step where there is no terminal: a line now and then, so that nobody thinks it hangs.
struct Log {
    name: &'static str,
    told: Mutex<Instant>,
}

impl Log {
    fn tell(&self, what: impl FnOnce() -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= SIGN_OF_LIFE {
            *told = Instant::now();
            notice(&format!("  … {}: {}", self.name, what()));
        }
    }
}

impl Watcher for Log {
    fn bytes(&self, done: u64, total: u64) {
        self.tell(|| format!("{} of {}", HumanBytes(done), HumanBytes(total)));
    }

    fn note(&self, text: &str) {
        self.tell(|| text.to_owned());
    }
}

/// A line on the terminal about what a command waits for, gone when it has come. Where there is no terminal there is none.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Begins to wait.
    #[must_use]
    pub fn begin() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(waiting());
        bar.set_prefix("waiting for");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// For this.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.chars().take(NOTE).collect::<String>());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn waiting() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix:<26} {elapsed:>4}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bytes() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix:<18} {bar:16} {bytes}/{total_bytes} {bytes_per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A question on standard error; the answer stands on the same line.
pub fn prompt(question: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(safe(question, colour_on_stderr()).as_bytes()).and_then(|()| terminal.flush());
}

/// A line on standard error. Nothing can be done about a standard error that is gone.
pub fn notice(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", safe(line, colour_on_stderr()));
}

/// Text as a terminal may get it: line breaks stay, and where colour is wanted this program's own few colours; all else
/// that is not shown as itself is escaped. Whatever comes from outside is escaped where it comes in; this is the door
/// that all text leaves by, so that nobody can forget it.
#[must_use]
pub fn safe(text: &str, colour: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c| c != '\n' && !is_shown(c)) {
        let (shown, hidden) = rest.split_at(at);
        safe.push_str(shown);
        if let Some(paint) = paint(hidden).filter(|_| colour) {
            safe.push_str(paint);
            rest = &hidden[paint.len()..];
        } else {
            let mut chars = hidden.chars();
            safe.extend(chars.next().into_iter().flat_map(char::escape_debug));
            rest = chars.as_str();
        }
    }
    safe + rest
}

/// The colour that `text` begins with, if it is one that this program, its trace or its command line uses: weights,
/// italics, underline and plain colours. None of them hides anything.
fn paint(text: &str) -> Option<&str> {
    let codes = &text.strip_prefix("\x1b[")?;
    let (codes, _) = codes.split_once('m')?;
    let known =
        |code: &str| matches!(code, "0" | "1" | "2" | "3" | "4" | "31" | "32" | "33" | "34" | "35" | "36");
    codes.split(';').all(known).then(|| &text[.."\x1b[m".len() + codes.len()])
}

/// Standard error for the trace: one event is one line, whatever its fields hold.
#[derive(Debug, Default)]
pub struct Trace;

impl Write for Trace {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text).replace('\n', "\\n");
        notice(&line);
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// Whether standard error is a terminal that takes colour.
#[must_use]
pub fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && colour_wanted()
}

/// Whether the operator takes colour at all.
#[must_use]
pub fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether standard output is a terminal that takes colour.
#[must_use]
pub fn colour_on_stdout() -> bool {
    std::io::stdout().is_terminal() && colour_wanted()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a terminal obeys: C0, C1, the two ways to begin a command, a title, directions, nothing to see.
    const HOSTILE: &str = "a\r\x08\x1b[2J\x1b]0;t\x07\x1b]8;;u\x1b\\\u{9b}31m\u{9d}\u{202e}\u{2066}\u{200b}\u{feff}\u{7f}\tb\nc";

    #[test]
    fn nothing_that_a_terminal_obeys_passes_with_colour_or_without() {
        for colour in [false, true] {
            let safe = safe(HOSTILE, colour);
            assert!(safe.chars().all(|c| c == '\n' || is_shown(c)), "{safe:?}");
            assert_eq!(safe.lines().count(), 2, "line breaks stay");
        }
        for hidden in ["\x1b[8m", "\x1b[31;8m", "\x1b[38;5;0m", "\x1b[7m", "\x1b[m", "\x1b[31", "\x1b[1K"] {
            assert!(!safe(hidden, true).contains('\x1b'), "{hidden:?}");
        }
    }

    #[test]
    fn own_colours_pass_where_colour_is_wanted_only() {
        let own = "\x1b[1;31merror\x1b[0m é ✓";
        assert_eq!(safe(own, true), own);
        assert_eq!(safe(own, false), "\\u{1b}[1;31merror\\u{1b}[0m é ✓");
    }
}
