//! `log`: a line of the plugin for the operator and the journal.

use super::bindings::deploy::consumer::log::Host;
use super::{Guest, Refusal};

/// Longest line, in characters; the rest is left out and said so.
const LONGEST: usize = 500;

impl Host for Guest {
    fn info(&mut self, message: String) -> wasmtime::Result<()> {
        if self.log_left == 0 {
            return Ok(());
        }
        let mut line: String = message.chars().take(LONGEST).flat_map(char::escape_debug).collect();
        if message.chars().nth(LONGEST).is_some() {
            line.push('…');
        }
        self.log_left = self.log_left.saturating_sub(line.len());
        let gate = self.gate().map_err(|refusal| match refusal {
            Refusal::Broken(why) => wasmtime::Error::msg(why),
            Refusal::Halt(halt) => wasmtime::Error::new(halt),
            Refusal::Told(error) => wasmtime::Error::new(error),
        })?;
        gate.say(&line).map_err(wasmtime::Error::new)?;
        if self.log_left == 0 {
            self.gate()
                .ok()
                .map(|gate| gate.say("(the plugin logs more than limits.log-bytes; the rest is left out)"));
        }
        Ok(())
    }
}
