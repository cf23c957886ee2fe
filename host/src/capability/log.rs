//! `log`: a line of the plugin for the operator and the journal.

use super::bindings::deploy::consumer::log::Host;
use super::{Guest, Refusal};
use crate::words::plain;

/// Longest line, in characters; the rest is left out and said so.
const LONGEST: usize = 500;
/// What a line costs at least, in bytes: it has a row in the journal and a place on the screen, however short it is.
const LEAST: usize = 64;
/// Said once, instead of everything beyond the limit.
const TOO_MUCH: &str = "(the plugin logs more than limits.log-bytes; the rest is left out)";

impl Host for Guest {
    fn info(&mut self, message: String) -> wasmtime::Result<()> {
        if self.log_left == 0 {
            return Ok(());
        }
        let line = plain(&message, LONGEST);
        self.log_left = left(self.log_left, &line);
        self.outside_time(|guest| guest.say(&line)).map_err(|refusal| match refusal {
            Refusal::Broken(why) => wasmtime::Error::msg(why),
            Refusal::Halt(halt) => wasmtime::Error::new(halt),
            Refusal::Told(error) => wasmtime::Error::new(error),
        })
    }
}

impl Guest {
    fn say(&mut self, line: &str) -> Result<(), Refusal> {
        let spent = self.log_left == 0;
        let gate = self.gate()?;
        gate.say(line)?;
        if spent {
            gate.say(TOO_MUCH)?;
        }
        Ok(())
    }
}

/// What may still be logged after `line`, in bytes.
fn left(before: usize, line: &str) -> usize {
    before.saturating_sub(line.len().max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_is_not_free() {
        assert_eq!(left(1000, ""), 1000 - LEAST);
        assert_eq!(left(1000, &"x".repeat(900)), 100);
        assert_eq!(left(10, ""), 0);
    }
}
