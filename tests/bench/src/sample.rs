//! Samples of a duration, and of two sides in turn.

use std::time::{Duration, Instant};

use crate::Result;

/// Runs that are not counted, first: they fill caches.
pub const WARM_UP: usize = 2;

/// What was measured of one side.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Counts one more.
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The shortest and the longest.
    pub fn spread(&self) -> (Duration, Duration) {
        (self.0.iter().min().copied().unwrap_or_default(), self.0.iter().max().copied().unwrap_or_default())
    }

    /// The median of the quotients with `other`, pair by pair.
    pub fn ratio(&self, other: &Self) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        let mut ratios: Vec<f64> = pairs.map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// `count` samples of `work`, which says itself how long it took.
pub fn alone(count: usize, mut work: impl FnMut() -> Result<Duration>) -> Result<Samples> {
    for _ in 0..WARM_UP {
        work()?;
    }
    (0..count).map(|_| work()).collect::<Result<_>>().map(Samples)
}

/// `count` samples of each side, in turn: A B A B.
pub fn paired(
    count: usize,
    mut a: impl FnMut() -> Result<Duration>,
    mut b: impl FnMut() -> Result<Duration>,
) -> Result<(Samples, Samples)> {
    let [first, second] = in_turn(count, || Ok([a()?, b()?]))?;
    Ok((first, second))
}

/// `count` samples of each of several sides; `round` takes one of each.
pub fn in_turn<const SIDES: usize>(
    count: usize,
    mut round: impl FnMut() -> Result<[Duration; SIDES]>,
) -> Result<[Samples; SIDES]> {
    let mut sides = [const { Samples(Vec::new()) }; SIDES];
    for number in 0..count + WARM_UP {
        let samples = round()?;
        if number >= WARM_UP {
            sides.iter_mut().zip(samples).for_each(|(side, sample)| side.push(sample));
        }
    }
    Ok(sides)
}

/// How long `work` takes.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}
