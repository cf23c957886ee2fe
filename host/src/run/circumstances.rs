//! The circumstances of a run, as policy sees them.

use crate::names::Environment;
use crate::policy::{Approvers, Context, Weekday};

/// What policy is told of this moment, and of who runs the host.
#[must_use]
pub fn circumstances(
    zone: &jiff::tz::TimeZone,
    operator: &str,
    environment: Option<&Environment>,
    verified_before: bool,
) -> Context {
    let now = jiff::Timestamp::now().to_zoned(zone.clone());
    Context {
        environment: environment.cloned(),
        operator: operator.to_owned(),
        weekday: weekday(now.weekday()),
        minute_of_day: u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0),
        verified_before,
        approvers: Approvers::default(),
    }
}

fn weekday(day: jiff::civil::Weekday) -> Weekday {
    use jiff::civil::Weekday as Day;
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}
