//! The moments at which the clocks of a time zone show a day.
//!
//! These moments are not always one span that begins at midnight. Clocks may skip midnight (Santiago, Beirut), or a
//! whole day (Apia, 30 December 2011). Where clocks are put back a minute after midnight (St. John's until 2011), a day
//! begins, is interrupted by the last hour of the day before, and goes on.

use chrono::{DateTime, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};

use super::Zone;
use crate::search::Span;

/// How far from midnight in UTC a day can begin. Clocks of a zone differ from UTC by 16 hours at most, and changed by at
/// most one day at once.
const WINDOW: TimeDelta = TimeDelta::hours(48);
/// How far apart the offset of a zone is looked up. No zone has two changes within this time.
const STEP: TimeDelta = TimeDelta::minutes(30);

/// The moments at which the zone's clocks show a day from `first` on, and before `after`. A missing bound is open.
/// The spans are in order, and do not touch each other. Empty if no clock shows these days.
pub(super) fn shown(zone: Zone, first: Option<NaiveDate>, after: Option<NaiveDate>) -> Vec<Span> {
    let from = first.map_or_else(|| vec![Span::default()], |first| since(zone, first));
    let until = after.map_or_else(|| vec![Span::default()], |after| gaps(&since(zone, after)));
    let both = from.iter().flat_map(|from| until.iter().map(|until| from.and(*until)));
    both.filter(|span| span.from.is_none() || span.to.is_none() || span.from < span.to).collect()
}

/// The time between the spans, before the first, and after the last. The spans are in order.
fn gaps(spans: &[Span]) -> Vec<Span> {
    let begins = std::iter::once(None).chain(spans.iter().map(|span| span.to));
    let ends = spans.iter().map(|span| span.from).chain([None]);
    let gaps = begins.zip(ends).enumerate().map(|(n, (from, to))| (n, Span { from, to }));
    // An open span has no gap at its open side.
    gaps.filter(|(n, gap)| (*n == 0 || gap.from.is_some()) && (*n == spans.len() || gap.to.is_some())).map(|(_, gap)| gap).collect()
}

/// The moments at which the zone's clocks show this day or a later one.
fn since(zone: Zone, day: NaiveDate) -> Vec<Span> {
    let midnight = day.and_time(NaiveTime::MIN).and_utc();
    let mut spans = Vec::<Span>::new();
    for Period { from, to, offset } in periods(zone, midnight - WINDOW, midnight + WINDOW) {
        let begin = from.max(midnight - offset);
        if to.is_some_and(|to| begin >= to) {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.to == Some(begin) => last.to = to,
            Some(_) | None => spans.push(Span { from: Some(begin), to }),
        }
    }
    spans
}

/// A time during which the offset of a zone does not change.
struct Period {
    from: DateTime<Utc>,
    /// `None` for the last one.
    to: Option<DateTime<Utc>>,
    offset: TimeDelta,
}

fn periods(zone: Zone, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Period> {
    let mut periods = vec![Period { from, to: None, offset: offset(zone, from) }];
    let mut at = from;
    while at < to {
        let next = at + STEP;
        let offset = offset(zone, next);
        if let Some(last) = periods.last_mut()
            && last.offset != offset
        {
            let change = change(zone, at, next);
            last.to = Some(change);
            periods.push(Period { from: change, to: None, offset });
        }
        at = next;
    }
    periods
}

/// The second at which the offset changes. It is not the same at both ends.
fn change(zone: Zone, mut before: DateTime<Utc>, mut after: DateTime<Utc>) -> DateTime<Utc> {
    let old = offset(zone, before);
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if offset(zone, middle) == old { before = middle } else { after = middle }
    }
    after
}

fn offset(zone: Zone, at: DateTime<Utc>) -> TimeDelta {
    TimeDelta::seconds(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into())
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Days};
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a day")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn on(zone: Zone, day: NaiveDate) -> Vec<Span> {
        shown(zone, Some(day), day.checked_add_days(Days::new(1)))
    }

    fn contains(spans: &[Span], at: DateTime<Utc>) -> bool {
        spans.iter().any(|span| span.contains(at))
    }

    #[test]
    fn a_day_without_midnight_begins_when_the_clocks_show_it() {
        for (zone, first, begin) in [
            (Zone::America__Santiago, day(2024, 9, 8), "2024-09-08T04:00:00Z"),
            (Zone::America__Havana, day(2024, 3, 10), "2024-03-10T05:00:00Z"),
            (Zone::Asia__Beirut, day(2024, 3, 31), "2024-03-30T22:00:00Z"),
            (Zone::Africa__Cairo, day(2024, 4, 26), "2024-04-25T22:00:00Z"),
            (Zone::America__Sao_Paulo, day(2018, 11, 4), "2018-11-04T03:00:00Z"),
            (Zone::Asia__Tehran, day(2021, 3, 22), "2021-03-21T20:30:00Z"),
        ] {
            let [span] = on(zone, first)[..] else { panic!("{zone}") };
            assert_eq!(span.from, Some(at(begin)), "{zone}");
            assert_eq!(span.to.expect("an end") - at(begin), TimeDelta::hours(23), "{zone}");
        }
    }

    #[test]
    fn a_day_that_the_clocks_skip_is_empty_and_its_neighbours_touch() {
        for (zone, skipped) in [
            (Zone::Pacific__Apia, day(2011, 12, 30)),
            (Zone::Pacific__Fakaofo, day(2011, 12, 30)),
            (Zone::Pacific__Kwajalein, day(1993, 8, 21)),
            (Zone::Pacific__Kiritimati, day(1994, 12, 31)),
        ] {
            assert_eq!(on(zone, skipped), [], "{zone}");
            let [before] = on(zone, skipped.pred_opt().expect("a day"))[..] else { panic!("{zone}") };
            let [after] = on(zone, skipped.succ_opt().expect("a day"))[..] else { panic!("{zone}") };
            assert_eq!(before.to, after.from, "{zone}");
        }
    }

    #[test]
    fn a_day_that_is_interrupted_has_two_parts() {
        let parts = on(Zone::America__St_Johns, day(2010, 11, 7));
        assert_eq!(parts.len(), 2);
        assert!(contains(&parts, at("2010-11-07T02:30:30Z")), "half a minute after the first midnight");
        assert!(!contains(&parts, at("2010-11-07T03:00:00Z")), "the last hour of the day before is repeated");
        assert!(contains(&parts, at("2010-11-07T03:30:00Z")), "the second midnight");
        let before = shown(Zone::America__St_Johns, None, Some(day(2010, 11, 7)));
        assert!(contains(&before, at("2010-11-07T03:00:00Z")) && !contains(&before, at("2010-11-07T02:30:30Z")));
    }

    #[test]
    fn gaps_are_between_spans_and_outside_them() {
        let span = |from: &str, to: &str| Span { from: Some(at(from)), to: Some(at(to)) };
        let (one, two) = (span("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"), span("2024-01-03T00:00:00Z", "2024-01-04T00:00:00Z"));
        let around = gaps(&[one, two]);
        assert_eq!(around[1], Span { from: one.to, to: two.from });
        assert_eq!((around[0].to, around[2].from, around.len()), (one.from, two.to, 3));
        assert_eq!(gaps(&[]), [Span::default()]);
        assert_eq!(gaps(&[Span::default()]), []);
    }

    /// Each minute around every change of every zone within twenty years would take minutes, so the moments are random.
    /// Half of them are close to a change.
    fn moment() -> impl Strategy<Value = (Zone, DateTime<Utc>)> {
        let zone = select(chrono_tz::TZ_VARIANTS.to_vec());
        let second = at("1985-01-01T00:00:00Z").timestamp()..at("2037-01-01T00:00:00Z").timestamp();
        (zone, second, prop::bool::ANY, -90_000_i64..90_000).prop_map(|(zone, second, is_near, apart)| {
            let from = DateTime::from_timestamp(second, 0).expect("a time");
            let changes = if is_near { periods(zone, from, from + TimeDelta::days(200)) } else { Vec::new() };
            let change = changes.first().and_then(|period| period.to);
            (zone, change.map_or(from, |change| change + TimeDelta::seconds(apart)))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn a_moment_is_found_by_exactly_the_day_that_the_clock_showed((zone, moment) in moment()) {
            let showed = moment.with_timezone(&zone).date_naive();
            for apart in -2..=2 {
                let day = showed + TimeDelta::days(apart);
                prop_assert_eq!(contains(&on(zone, day), moment), apart == 0, "{} {} on {}", zone, moment, day);
                prop_assert_eq!(contains(&shown(zone, None, Some(day)), moment), showed < day, "{} {} before {}", zone, moment, day);
                prop_assert_eq!(contains(&shown(zone, Some(day), None), moment), showed >= day, "{} {} from {}", zone, moment, day);
            }
            let month = showed.with_day(1).expect("a day");
            prop_assert!(contains(&shown(zone, Some(month), month.checked_add_months(chrono::Months::new(1))), moment));
        }
    }
}
