//! The table at the end.

use std::fmt;
use std::time::Duration;

use crate::sample::Samples;

/// Everything that was measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    what: String,
    median: Duration,
    spread: (Duration, Duration),
    against: Option<(Duration, f64)>,
    goal: String,
    met: Option<bool>,
}

impl Table {
    /// A figure, with a goal that is a duration.
    pub fn within(&mut self, what: &str, samples: &Samples, goal: Duration) {
        let met = samples.median() <= goal;
        self.push(what, samples, None, format!("≤ {}", shown(goal)), Some(met));
    }

    /// A figure without a goal.
    pub fn figure(&mut self, what: &str, samples: &Samples) {
        self.push(what, samples, None, String::new(), None);
    }

    /// A figure beside another, without a goal.
    pub fn beside(&mut self, what: &str, samples: &Samples, other: &Samples) {
        self.push(what, samples, Some(other), String::new(), None);
    }

    /// A figure beside what it is compared with.
    pub fn against(&mut self, what: &str, samples: &Samples, other: &Samples, goal: &str, met: bool) {
        self.push(what, samples, Some(other), goal.to_owned(), Some(met));
    }

    /// A line below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn push(
        &mut self,
        what: &str,
        samples: &Samples,
        other: Option<&Samples>,
        goal: String,
        met: Option<bool>,
    ) {
        self.rows.push(Row {
            what: what.to_owned(),
            median: samples.median(),
            spread: samples.spread(),
            against: other.map(|other| (other.median(), samples.ratio(other))),
            goal,
            met,
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |cells: [&str; 7]| {
            let [what, median, least, most, against, ratio, goal] = cells;
            format!("{what:<52} {median:>9} {least:>9} {most:>9} {against:>9} {ratio:>6}  {goal}")
        };
        writeln!(f, "{}", line(["", "median", "min", "max", "against", "ratio", "goal"]))?;
        for row in &self.rows {
            let (against, ratio) = row
                .against
                .map_or_else(Default::default, |(against, ratio)| (shown(against), format!("{ratio:.2}")));
            let met = row.met.map_or("", |met| if met { ": met" } else { ": MISSED" });
            let cells = [
                &row.what,
                &shown(row.median),
                &shown(row.spread.0),
                &shown(row.spread.1),
                &against,
                &ratio,
                &format!("{}{met}", row.goal),
            ];
            writeln!(f, "{}", line(cells.map(String::as_str)).trim_end())?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}

/// Three digits, in the unit that fits.
pub fn shown(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    let (value, unit) = if us < 1e3 {
        (us, "µs")
    } else if us < 1e6 {
        (us / 1e3, "ms")
    } else {
        (us / 1e6, "s")
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}
