//! What binds a run to a plan holds for every plugin: thousands of them, each a real component that does something else as
//! soon as it is answered otherwise, are planned in one drawn world and run in another one.
//!
//! Engine, gate, policies, recordings, plan files and journal are the real ones; `tests/guests/gambler` is the component.

#[path = "../../../../tests/guests/gambler/src/dice.rs"]
mod dice;
mod game;
mod table;
mod world;

use game::Game;
use table::Table;

/// How many plugins: as many commits.
const GUESTS: usize = 2000;

/// What came of the guests.
#[derive(Debug, Default)]
struct Counts {
    guests: usize,
    /// Runs whose plan came from a file.
    planned: usize,
    /// Changes that reached a far side, without those that took one back.
    changes: usize,
    /// Guests that made several.
    several: usize,
    undone: usize,
    diverged: usize,
    /// Of those: after a change was made.
    diverged_late: usize,
    stale: usize,
    denied: usize,
    /// Changed something, and were told everything as it was planned.
    told_the_same: usize,
}

impl Counts {
    fn add(self, other: &Self) -> Self {
        Self {
            guests: self.guests + other.guests,
            planned: self.planned + other.planned,
            changes: self.changes + other.changes,
            several: self.several + other.several,
            undone: self.undone + other.undone,
            diverged: self.diverged + other.diverged,
            diverged_late: self.diverged_late + other.diverged_late,
            stale: self.stale + other.stale,
            denied: self.denied + other.denied,
            told_the_same: self.told_the_same + other.told_the_same,
        }
    }
}

/// Every guest whose number has the remainder `hand`.
fn played(hand: usize, hands: usize) -> Counts {
    let table = Table::laid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let numbers = (hand..GUESTS).step_by(hands);
    numbers.fold(Counts::default(), |counts, number| {
        counts.add(&runtime.block_on(Game::drawn(&table, number).play()))
    })
}

#[test]
fn random_generated_guests_that_branch_on_every_answer_never_perform_a_change_outside_their_plan() {
    let hands = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let counts = std::thread::scope(|threads| {
        let hands: Vec<_> = (0..hands).map(|hand| threads.spawn(move || played(hand, hands))).collect();
        hands.into_iter().fold(Counts::default(), |counts, hand| {
            counts.add(&hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    });
    let Counts {
        guests,
        planned,
        changes,
        several,
        undone,
        diverged,
        diverged_late,
        stale,
        denied,
        told_the_same,
    } = counts;
    println!(
        "{guests} guests: {changes} changes done, {diverged} divergences refused, {stale} stale \
         ({planned} bound to a saved plan; {several} made several changes, {diverged_late} were refused after a change, \
         {undone} changes taken back, {told_the_same} told the same as planned, {denied} denied by policy)"
    );
    assert_eq!(guests, GUESTS);
    for count in [planned, changes, several, undone, diverged, diverged_late, stale, denied, told_the_same] {
        assert!(count > 100, "there is nothing to see: {count}");
    }
}
