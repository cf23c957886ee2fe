//! Circumstances in as few words as they take: what makes no difference is not named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::values::{DAY, Values};
use crate::policy::Weekday;

/// Circumstances; what is not said makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct When {
    /// Who runs the host; `somebody` stands for all whom no rule names.
    pub operator: Option<String>,
    /// Whether the commit was verified in the environment that goes before.
    pub verified_before: Option<bool>,
    /// Who approved.
    pub approvers: Approved,
    /// At one of these times; empty where the time makes no difference.
    pub times: Vec<Window>,
}

/// Who approved, by role; nothing where it makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approved {
    /// Names; `somebody` stands for all whom no rule names.
    pub supervisor: Option<Vec<String>>,
    /// Likewise.
    pub operator: Option<Vec<String>>,
}

/// A stretch of some days, in the configured time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Window {
    /// On these days; empty for all of them.
    pub weekdays: Vec<Weekday>,
    /// The first minute, `16:00`.
    pub from: String,
    /// The minute after the last one; `24:00` is midnight.
    pub until: String,
}

/// Places in [`Values`]: operator, weekday, minute, verified, and the two kinds of approvers.
type Place = [usize; 6];
const WEEKDAY: usize = 1;
const MINUTE: usize = 2;

/// For each of `answers` answers the circumstances in which `table` has it.
pub(super) fn whens(values: &Values, table: &[(Place, usize)], answers: usize) -> Vec<Vec<When>> {
    let matters: Vec<bool> = (0..6).map(|dimension| matters(table, dimension)).collect();
    // What makes no difference is the same everywhere.
    let plain = |place: &Place| {
        let mut place = *place;
        place.iter_mut().zip(&matters).for_each(|(at, matters)| *at *= usize::from(*matters));
        place
    };
    let of = |answer: usize| -> Vec<When> {
        if matters.iter().all(|matters| !matters) {
            return Vec::new();
        }
        let mut moments: BTreeMap<Place, BTreeSet<(usize, usize)>> = BTreeMap::new();
        for (place, _) in table.iter().filter(|(_, told)| *told == answer) {
            let mut apart = plain(place);
            let moment = (apart[WEEKDAY], apart[MINUTE]);
            (apart[WEEKDAY], apart[MINUTE]) = (0, 0);
            moments.entry(apart).or_default().insert(moment);
        }
        let all_days = if matters[WEEKDAY] { values.weekdays.len() } else { 1 };
        let all_minutes = if matters[MINUTE] { values.minutes.len() } else { 1 };
        let when = |(place, moments): (Place, BTreeSet<(usize, usize)>)| {
            let [operator, _, _, verified, supervisor, approving] = place;
            let names = |sets: &[BTreeSet<String>], at: usize, dimension: usize| {
                matters[dimension].then(|| sets[at].iter().cloned().collect())
            };
            When {
                operator: matters[0].then(|| values.operators[operator].clone()),
                verified_before: matters[3].then(|| values.verified[verified]),
                approvers: Approved {
                    supervisor: names(&values.supervisors, supervisor, 4),
                    operator: names(&values.approving_operators, approving, 5),
                },
                times: if moments.len() == all_days * all_minutes {
                    Vec::new()
                } else {
                    windows(values, &moments, matters[WEEKDAY], matters[MINUTE])
                },
            }
        };
        moments.into_iter().map(when).collect()
    };
    (0..answers).map(of).collect()
}

/// Whether two circumstances that differ in nothing but `dimension` are answered differently.
fn matters(table: &[(Place, usize)], dimension: usize) -> bool {
    let mut seen: BTreeMap<Place, usize> = BTreeMap::new();
    table.iter().any(|(place, answer)| {
        let mut rest = *place;
        rest[dimension] = 0;
        *seen.entry(rest).or_insert(*answer) != *answer
    })
}

/// First minutes, and the minutes after the last ones.
type Stretches = Vec<(u16, u16)>;

/// Moments as stretches, days with the same ones together.
fn windows(
    values: &Values,
    moments: &BTreeSet<(usize, usize)>,
    by_day: bool,
    by_minute: bool,
) -> Vec<Window> {
    let mut days: Vec<(Stretches, Vec<Weekday>)> = Vec::new();
    for (day, weekday) in values.weekdays.iter().enumerate().take(if by_day { 7 } else { 1 }) {
        let mut stretches: Stretches = Vec::new();
        for (_, minute) in moments.range((day, 0)..=(day, usize::MAX)) {
            let (from, until) = if by_minute {
                (values.minutes[*minute], values.minutes.get(minute + 1).copied().unwrap_or(DAY))
            } else {
                (0, DAY)
            };
            match stretches.last_mut() {
                Some(last) if last.1 == from => last.1 = until,
                _ => stretches.push((from, until)),
            }
        }
        if stretches.is_empty() {
            continue;
        }
        match days.iter_mut().find(|(same, _)| *same == stretches) {
            Some((_, weekdays)) => weekdays.push(*weekday),
            None => days.push((stretches, vec![*weekday])),
        }
    }
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = |(stretches, weekdays): (Stretches, Vec<Weekday>)| {
        let weekdays = if by_day { weekdays } else { Vec::new() };
        stretches.into_iter().map(move |(from, until)| Window {
            weekdays: weekdays.clone(),
            from: clock(from),
            until: clock(until),
        })
    };
    days.into_iter().flat_map(window).collect()
}

/// `friday 16:00–24:00`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { weekdays, from, until } = self;
        let whole = from == "00:00" && until == "24:00";
        if weekdays.is_empty() {
            return write!(f, "{from}–{until}");
        }
        let (first, last) = (weekdays.first().copied(), weekdays.last().copied());
        let place = |day: Option<Weekday>| Weekday::ALL.iter().position(|one| Some(*one) == day);
        let in_a_row = place(last).zip(place(first)).map(|(last, first)| last - first + 1);
        match (weekdays.as_slice(), in_a_row) {
            ([first, .., last], Some(row)) if row == weekdays.len() && row > 2 => {
                write!(f, "{} to {}", first.as_str(), last.as_str())?;
            }
            (days, _) if days.len() > 3 => {
                let others = Weekday::ALL.iter().filter(|day| !days.contains(day));
                let others: Vec<_> = others.map(|day| day.as_str()).collect();
                write!(f, "every day but {}", others.join(" and "))?;
            }
            (days, _) => {
                let days: Vec<_> = days.iter().map(|day| day.as_str()).collect();
                f.write_str(&days.join(" and "))?;
            }
        }
        if whole { Ok(()) } else { write!(f, " {from}–{until}") }
    }
}

/// `friday 16:00–24:00, nobody approved`.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.times.is_empty() {
            parts.push(self.times.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        }
        parts.extend(self.verified_before.map(|verified| {
            let not = if verified { "" } else { "not " };
            format!("{not}verified where it is tried first")
        }));
        let Approved { supervisor, operator } = &self.approvers;
        let nobody = |names: &Option<Vec<String>>| names.as_ref().is_some_and(Vec::is_empty);
        if nobody(supervisor) && nobody(operator) {
            parts.push("nobody approved".to_owned());
        } else {
            for (role, names) in [("supervisor", supervisor), ("operator", operator)] {
                parts.extend(names.as_ref().map(|names| match names.as_slice() {
                    [] => format!("nobody approved as {role}"),
                    names => format!("{} approved as {role}", names.join(" and ")),
                }));
            }
        }
        parts.extend(self.operator.as_ref().map(|operator| format!("run by {operator}")));
        f.write_str(&parts.join(", "))
    }
}
