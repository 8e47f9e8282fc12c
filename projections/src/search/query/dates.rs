//! Parses days, months and years in the user's time zone.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};

use super::local_days::shown;
use super::{Filter, Mistake};

/// A time zone of the IANA database.
pub type Zone = chrono_tz::Tz;

/// The current time and the time zone of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Now.
    pub now: DateTime<Utc>,
    /// The time zone in which days begin.
    pub zone: Zone,
}

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
/// The length of the months' short names.
const SHORT_NAME_BYTES: usize = 3;

impl Clock {
    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }
}

/// The time at which the clocks of the zone show a day, month or year.
pub(super) fn during(value: &str, clock: &Clock) -> Result<Filter, Mistake> {
    let (first, after) = days(value, clock)?;
    Ok(Filter::During(shown(clock.zone, Some(first), Some(after))))
}

/// The time before a day, month or year.
pub(super) fn before(value: &str, clock: &Clock) -> Result<Filter, Mistake> {
    let (first, _) = days(value, clock)?;
    Ok(Filter::During(shown(clock.zone, None, Some(first))))
}

/// The time after a day, month or year.
pub(super) fn after(value: &str, clock: &Clock) -> Result<Filter, Mistake> {
    let (_, after) = days(value, clock)?;
    Ok(Filter::During(shown(clock.zone, Some(after), None)))
}

/// The first day of a day, month or year, and the first day after it.
fn days(value: &str, clock: &Clock) -> Result<(NaiveDate, NaiveDate), Mistake> {
    first_and_after(&value.to_lowercase(), clock).ok_or(Mistake::NoDate)
}

fn first_and_after(value: &str, clock: &Clock) -> Option<(NaiveDate, NaiveDate)> {
    match value {
        "today" => day(clock.today()),
        "yesterday" => day(clock.today().pred_opt()?),
        _ => named_month(value, clock.today()).or_else(|| numbered(value)),
    }
}

/// The last month with this name that has begun.
fn named_month(name: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let is_named = |month: &&str| *month == name || (name.len() == SHORT_NAME_BYTES && month.starts_with(name));
    let number = u32::try_from(MONTHS.iter().position(is_named)? + 1).ok()?;
    let year = if number <= today.month() { today.year() } else { today.year() - 1 };
    month(year, number)
}

/// `2024-03-05`, `2024-03` or `2024`.
fn numbered(value: &str) -> Option<(NaiveDate, NaiveDate)> {
    let mut parts = value.split('-').map(number);
    let year = i32::try_from(parts.next()??).ok().filter(|year| (1_000..=9_998).contains(year))?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, _, _) => Some((NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year + 1, 1, 1)?)),
        (Some(number), None, _) => month(year, number?),
        (Some(month), Some(number), None) => day(NaiveDate::from_ymd_opt(year, month?, number?)?),
        (Some(_), Some(_), Some(_)) => None,
    }
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn month(year: i32, number: u32) -> Option<(NaiveDate, NaiveDate)> {
    let first = NaiveDate::from_ymd_opt(year, number, 1)?;
    Some((first, first.checked_add_months(Months::new(1))?))
}

fn day(day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    Some((day, day.checked_add_days(Days::new(1))?))
}
