//! What `ssh` said, kept for as long as it may explain something. It is written by the other side too, so it is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::words::plain;

/// Lines that are kept.
const LINES: usize = 100;
/// Longest line that is kept, in bytes.
const LONGEST: usize = 2 << 10;
/// Longest part of a line that a message repeats, in characters.
const SHOWN: usize = 300;
/// What begins a line that explains nothing to a person.
const DETAIL: &str = "debug1: ";
/// And the one of them that is of use.
const HOST_KEY: &str = "Server host key: ";

/// The last lines of an error output, with the number of those before them.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    gone: usize,
    host_key: Option<String>,
}

impl Heard {
    /// Takes in all of `from`, to its end.
    pub async fn listen(&self, mut from: impl AsyncRead + Unpin) {
        let mut line = Vec::new();
        let mut piece = Vec::with_capacity(LONGEST);
        while from.read_buf(&mut piece).await.is_ok_and(|read| read > 0) {
            for byte in piece.drain(..) {
                match byte {
                    b'\n' => self.push(&std::mem::take(&mut line)),
                    _ if line.len() < LONGEST => line.push(byte),
                    _ => {}
                }
            }
        }
        if !line.is_empty() {
            self.push(&line);
        }
    }

    fn push(&self, line: &[u8]) {
        let mut kept = self.kept();
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if let Some(detail) = line.strip_prefix(DETAIL) {
            // The first one: before that the other side has no voice.
            if let (Some(key), None) = (detail.strip_prefix(HOST_KEY), &kept.host_key) {
                kept.host_key = Some(plain(key, SHOWN));
            }
            return;
        }
        kept.lines.push_back(line);
        if kept.lines.len() > LINES {
            kept.lines.pop_front();
            kept.gone += 1;
        }
    }

    /// The key that the other side proved to have: type and fingerprint.
    #[must_use]
    pub fn host_key(&self) -> Option<String> {
        self.kept().host_key.clone()
    }

    /// How many lines there were so far.
    #[must_use]
    pub fn count(&self) -> usize {
        let kept = self.kept();
        kept.gone + kept.lines.len()
    }

    /// The lines after the first `count`, as far as they are kept.
    #[must_use]
    pub fn since(&self, count: usize) -> Vec<String> {
        let kept = self.kept();
        kept.lines.iter().skip(count.saturating_sub(kept.gone)).cloned().collect()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last line that says something, escaped and cut.
#[must_use]
pub fn last(lines: &[String]) -> Option<String> {
    lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty()).map(shown)
}

/// A line as messages repeat it.
#[must_use]
pub fn shown(line: &str) -> String {
    plain(line.trim(), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_last_lines_and_the_beginnings_of_long_ones_are_kept() {
        let heard = Heard::default();
        let text = (0..250).map(|n| format!("line {n}\r\n")).collect::<Vec<_>>().concat();
        heard.listen(text.as_bytes()).await;
        assert_eq!(heard.count(), 250);
        assert_eq!(heard.since(248), ["line 248", "line 249"]);
        assert_eq!(heard.since(0).len(), LINES);
        assert_eq!(heard.since(0).first().map(String::as_str), Some("line 150"));
        heard.listen(vec![b'x'; 1 << 20].as_slice()).await;
        assert_eq!(heard.since(250).first().map(String::len), Some(LONGEST));
        assert_eq!(heard.since(251), [""; 0]);
    }

    #[test]
    fn what_is_repeated_is_plain() {
        let lines = ["a\u{1b}[2J".to_owned(), "  ".to_owned(), String::new()];
        assert_eq!(last(&lines), Some("a\\u{1b}[2J".to_owned()));
        assert_eq!(last(&[]), None);
    }
}
