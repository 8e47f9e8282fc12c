//! Parses days, months and years in the user's time zone.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};

use super::Mistake;
use crate::search::Span;

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
/// The most that clocks skip when they are put forward at midnight.
const SKIPPED_AT_MOST: TimeDelta = TimeDelta::hours(2);

impl Clock {
    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }

    /// The first moment of a day. If clocks skip midnight, it is the moment to which they skip.
    fn begin(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        let midnight = day.and_time(NaiveTime::MIN);
        let begin = self.zone.from_local_datetime(&midnight).earliest();
        begin.or_else(|| self.zone.from_local_datetime(&(midnight + SKIPPED_AT_MOST)).earliest()).map(|at| at.with_timezone(&Utc))
    }
}

/// The time from the first moment of a day, month or year to its end.
pub(super) fn days(value: &str, clock: &Clock) -> Result<Span, Mistake> {
    let (first, after) = first_and_after(&value.to_lowercase(), clock).ok_or(Mistake::NoDate)?;
    let (from, to) = (clock.begin(first).ok_or(Mistake::NoDate)?, clock.begin(after).ok_or(Mistake::NoDate)?);
    Ok(Span { from: Some(from), to: Some(to) })
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
