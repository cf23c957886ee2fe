//! What long work tells while it runs, and how it learns that it should stop.

use tokio::sync::watch;

/// Somebody who watches one operation: a terminal, a log, nobody.
pub trait Watcher: Send + Sync {
    /// `done` of `total` bytes are there; `total` grows as layers become known.
    fn bytes(&self, done: u64, total: u64);
    /// One short line about what is being waited for; replaces the previous one.
    fn note(&self, text: &str);
}

/// Nobody watches.
pub struct Unwatched;

impl Watcher for Unwatched {
    fn bytes(&self, _done: u64, _total: u64) {}
    fn note(&self, _text: &str) {}
}

/// Raised once, by Ctrl-C, SIGTERM or the end of the terminal's session; never lowered.
#[derive(Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// The other end of an [`Interrupt`].
pub struct InterruptSender(watch::Sender<bool>);

impl Interrupt {
    /// A pair of ends.
    #[must_use]
    pub fn pair() -> (InterruptSender, Self) {
        let (sender, receiver) = watch::channel(false);
        (InterruptSender(sender), Self(receiver))
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is raised; for ever if its other end is gone.
    pub async fn raised(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl InterruptSender {
    /// Asks everything that can stop to stop.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}
