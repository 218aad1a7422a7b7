//! Times of log lines, to the nanosecond; does not know time zones beyond the offset that a line carries.
//!
//! Every line of every log has one, so reading it is written out by hand: a general parser takes several times as long.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970 (UTC), from the year 1677 to 2262. Serialised as RFC 3339 text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "Timestamp", into = "Timestamp")]
pub struct UnixNanos(i64);

impl UnixNanos {
    /// That many nanoseconds after the start of 1970.
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nanoseconds since the start of 1970.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time, as container runtimes write it (Go's `RFC3339Nano`): up to nine digits of a second,
    /// `Z` or an offset. Nothing when it is not one, or lies beyond the years that fit.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // 2006-01-02T15:04:05, with punctuation where it belongs.
        let (head, tail) = text.split_first_chunk::<19>()?;
        if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::" {
            return None;
        }
        let year = two(head, 0)? * 100 + two(head, 2)?;
        let (month, day) = (two(head, 5)?, two(head, 8)?);
        let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanos, zone) = fraction(tail)?;
        let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
        seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Self)
    }
}

/// The number that two digits at `at` make.
fn two(text: &[u8; 19], at: usize) -> Option<i64> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// The nanoseconds after the second, and what follows them.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let mut nanos = 0;
    let mut len = 0;
    while let Some(digit) = digits
        .get(len)
        .map(|byte| byte.wrapping_sub(b'0'))
        .filter(|digit| *digit < 10)
    {
        if len == 9 {
            return None;
        }
        nanos = nanos * 10 + i64::from(digit);
        len += 1;
    }
    let missing = u32::try_from(9 - len).ok()?;
    (len > 0).then(|| (nanos * 10_i64.pow(missing), &digits[len..]))
}

/// The seconds by which the written time is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let [
                h1 @ b'0'..=b'2',
                h2 @ b'0'..=b'9',
                b':',
                m1 @ b'0'..=b'5',
                m2 @ b'0'..=b'9',
            ] = rest
            else {
                return None;
            };
            let [h1, h2, m1, m2] = [h1, h2, m1, m2].map(|digit| i64::from(digit - b'0'));
            let seconds = (h1 * 10 + h2) * 3600 + (m1 * 10 + m2) * 60;
            (h1 * 10 + h2 < 24).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days from the start of 1970 to a date of the Gregorian calendar. Years are counted from March, so that the day that
/// leap years add is the last of one.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March on have 31, 30, 31, 30, 31 days, twice, and so on: 153 in five.
    let before_month = (153 * month + 2) / 5;
    // 719,468 days from the first of March of year 0 to 1970.
    Some(before_year + before_month + day - 1 - 719_468)
}

impl From<UnixNanos> for Timestamp {
    fn from(time: UnixNanos) -> Self {
        Self::from_nanosecond(i128::from(time.0)).expect("64 bits of nanoseconds lie within the years -9999 to 9999")
    }
}

/// The time is beyond the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the time does not fit into 64 bits of nanoseconds")]
pub struct OutOfRange;

impl TryFrom<Timestamp> for UnixNanos {
    type Error = OutOfRange;

    fn try_from(time: Timestamp) -> Result<Self, OutOfRange> {
        i64::try_from(time.as_nanosecond()).map(Self).map_err(|_| OutOfRange)
    }
}

impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Timestamp::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nine_digits("2026-11-20T20:10:33.123456789Z", Some(1_795_205_433_123_456_789))]
    #[case::trailing_zeros_left_out("2026-11-20T20:10:33.12Z", Some(1_795_205_433_120_000_000))]
    #[case::no_fraction("2026-11-20T20:10:33Z", Some(1_795_205_433_000_000_000))]
    #[case::east("2026-11-20T21:10:33.5+01:00", Some(1_795_205_433_500_000_000))]
    #[case::west("2026-11-20T12:40:33.5-07:30", Some(1_795_205_433_500_000_000))]
    #[case::leap_day("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000_000))]
    #[case::no_leap_day("2026-02-29T00:00:00Z", None)]
    #[case::no_leap_day_in_1900("1900-02-29T00:00:00Z", None)]
    #[case::before_1970("1969-12-31T23:59:59.9Z", Some(-100_000_000))]
    #[case::no_zone("2026-11-20T20:10:33", None)]
    #[case::empty_fraction("2026-11-20T20:10:33.Z", None)]
    #[case::ten_digits("2026-11-20T20:10:33.1234567891Z", None)]
    #[case::hour_24("2026-11-20T24:10:33Z", None)]
    #[case::month_13("2026-13-20T20:10:33Z", None)]
    #[case::blank("2026-11-20 20:10:33Z", None)]
    #[case::too_late("2300-01-01T00:00:00Z", None)]
    #[case::more("2026-11-20T20:10:33Z ", None)]
    #[case::signed("+026-11-20T20:10:33Z", None)]
    #[case::empty("", None)]
    fn times(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(UnixNanos::parse(text.as_bytes()).map(UnixNanos::get), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(nanos: i64) {
            let time = UnixNanos::new(nanos);
            prop_assert_eq!(UnixNanos::parse(time.to_string().as_bytes()), Some(time));
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<UnixNanos>(&json).unwrap(), time);
        }

        #[test]
        fn it_agrees_with_a_general_parser(
            text in "(1[6-9]|2[0-4])[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])",
        ) {
            let general = text.parse::<Timestamp>().ok().and_then(|time| UnixNanos::try_from(time).ok());
            prop_assert_eq!(UnixNanos::parse(text.as_bytes()), general);
        }

        #[test]
        fn any_bytes_are_taken(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            UnixNanos::parse(&text);
        }
    }
}
