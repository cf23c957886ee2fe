//! Whoever sits in front of the program: questions to them, and their Ctrl-C.

use std::io::{BufRead, IsTerminal};

use super::Output;
use crate::console;
use crate::fault::Fault;
use crate::progress::{Interrupt, InterruptSender};

/// Whether there is somebody to ask. A reader of JSON gets one document and no question.
pub fn can_ask(output: Output) -> bool {
    output == Output::Text && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether the operator says yes.
pub async fn asked(question: &str) -> Result<bool, Fault> {
    console::prompt(&format!("{question} [y/N] "));
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = read.await.map_err(std::io::Error::other).and_then(|answer| answer);
    let answer = answer.map_err(|error| {
        Fault::usage("usage", format!("the answer cannot be read: {error}"), "say --run-now")
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Ctrl-C, SIGTERM and the end of the terminal's session ask the run to stop; it then leaves things clean and says so.
pub fn listen() -> Interrupt {
    let (sender, interrupt) = Interrupt::pair();
    tokio::spawn(raise(sender));
    interrupt
}

async fn raise(sender: InterruptSender) {
    use tokio::signal::unix::{SignalKind, signal};
    let survives_hangup = ignores_hangup();
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        tracing::warn!("signals cannot be heard; Ctrl-C will end the program at once");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv(), if !survives_hangup => {}
        }
        console::notice("stopping: the current change is finished or taken back first");
        sender.raise();
    }
}

/// Whether whoever started this program wants it to outlive the terminal (`nohup`). Asked before the first signal is
/// listened to, because that replaces the setting.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 is the lowest bit.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
