//! The time that a line says it was written at. Clocks and boots are not its business: a line that counts seconds since
//! the boot has no time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use memchr::memmem;

/// A line may be newer than the start of the run; a date without a year that is later than this is of last year.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Where in a line of JSON its time is looked for, besides the end.
const MAX_SEARCH: usize = 1024;
/// What the time is called in lines of JSON, by zap, logrus, docker, klog and others. The first one that is there
/// counts.
const JSON_NAMES: [&str; 4] = ["\"time\":\"", "\"ts\":\"", "\"timestamp\":\"", "\"@timestamp\":\""];
/// The same for seconds since 1970.
const JSON_EPOCHS: [&str; 1] = ["\"ts\":"];
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The time at the start of a line, or in the fields of a line of JSON. Where a line names no zone it is UTC, as on the
/// nodes of AKS; where it names no year, it is the year that puts it before `started`.
pub(crate) fn of_line(line: &[u8], started: Timestamp) -> Option<Timestamp> {
    let line = line.strip_prefix(b"[").unwrap_or(line);
    match line.first()? {
        b'0'..=b'9' => with_year(line),
        b'{' => in_json(line),
        b'I' | b'W' | b'E' | b'F' if is_klog(line) => of_klog(line, started),
        b'A'..=b'S' => of_syslog(line, started),
        b't' => with_year(line.strip_prefix(b"time=\"").or_else(|| line.strip_prefix(b"time="))?),
        _ => None,
    }
}

/// Whether a text begins as klog's do: level, month and day, time.
pub(crate) fn is_klog(text: &[u8]) -> bool {
    let Some([level, date @ .., colon]) = text.get(..9) else {
        return false;
    };
    let [m0, m1, d0, d1, space, h0, h1] = date else {
        return false;
    };
    matches!(level, b'I' | b'W' | b'E' | b'F')
        && [m0, m1, d0, d1, h0, h1].into_iter().all(u8::is_ascii_digit)
        && *space == b' '
        && *colon == b':'
}

fn number(text: &[u8], at: usize, len: usize) -> Option<i16> {
    let digits = text.get(at..at + len)?;
    digits.iter().try_fold(0_i16, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0'))
    })
}

fn small(text: &[u8], at: usize) -> Option<i8> {
    number(text, at, 2).and_then(|two| i8::try_from(two).ok())
}

/// `20:19:15.123456`, with or without the fraction: hour, minute, second, nanosecond, and where it ends.
fn clock(text: &[u8], at: usize) -> Option<(i8, i8, i8, i32, usize)> {
    let (hour, minute, second) = (small(text, at)?, small(text, at + 3)?, small(text, at + 6)?);
    if text.get(at + 2) != Some(&b':') || text.get(at + 5) != Some(&b':') {
        return None;
    }
    let mut end = at + 8;
    let mut nanos = 0;
    if matches!(text.get(end), Some(b'.' | b',')) {
        let mut unit = 100_000_000;
        end += 1;
        while let Some(digit) = text.get(end).filter(|digit| digit.is_ascii_digit()) {
            nanos += i32::from(digit - b'0') * unit;
            unit /= 10;
            end += 1;
        }
    }
    // A leap second has no place on the axis.
    Some((hour, minute, second.min(59), nanos, end))
}

/// RFC 3339 and what is near it: a blank or slashes, a comma for the fraction, no zone.
fn with_year(text: &[u8]) -> Option<Timestamp> {
    let (year, month, day) = (number(text, 0, 4)?, small(text, 5)?, small(text, 8)?);
    if !matches!(
        (text.get(4)?, text.get(7)?, text.get(10)?),
        (b'-', b'-', b'T' | b' ') | (b'/', b'/', b' ')
    ) {
        return None;
    }
    let (hour, minute, second, nanos, end) = clock(text, 11)?;
    let zone = zone(text.get(end..)?);
    let time = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
    zone.to_timestamp(time).ok()
}

/// `Z`, `+01:00` or `+0100`; UTC when there is none.
fn zone(text: &[u8]) -> Offset {
    let seconds = || {
        let sign = match text.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let minutes_at = if text.get(3) == Some(&b':') { 4 } else { 3 };
        let (hours, minutes) = (small(text, 1)?, small(text, minutes_at)?);
        Offset::from_seconds(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)).ok()
    };
    seconds().unwrap_or(Offset::UTC)
}

fn of_klog(text: &[u8], started: Timestamp) -> Option<Timestamp> {
    let (hour, minute, second, nanos, _) = clock(text, 6)?;
    without_year(small(text, 1)?, small(text, 3)?, (hour, minute, second, nanos), started)
}

/// `Nov 20 20:19:15` and `Nov  2 20:19:15` (RFC 3164, section 4.1.2).
fn of_syslog(text: &[u8], started: Timestamp) -> Option<Timestamp> {
    let month = MONTHS.iter().position(|month| text.starts_with(month))?;
    let day = match text.get(4)? {
        b' ' => number(text, 5, 1).and_then(|day| i8::try_from(day).ok())?,
        _ => small(text, 4)?,
    };
    let (hour, minute, second, nanos, _) = clock(text, 7)?;
    without_year(
        i8::try_from(month).ok()? + 1,
        day,
        (hour, minute, second, nanos),
        started,
    )
}

fn without_year(month: i8, day: i8, (h, m, s, nanos): (i8, i8, i8, i32), started: Timestamp) -> Option<Timestamp> {
    let latest = started.checked_add(AHEAD).ok()?;
    let year = Offset::UTC.to_datetime(latest).year();
    // The day before a leap day's year may have none.
    [year, year - 1].into_iter().find_map(|year| {
        let time = DateTime::new(year, month, day, h, m, s, nanos).ok()?;
        Offset::UTC.to_timestamp(time).ok().filter(|&time| time <= latest)
    })
}

fn in_json(line: &[u8]) -> Option<Timestamp> {
    // Docker's is the last field; what it wraps may have a time too.
    if line.starts_with(b"{\"log\":")
        && let Some(at) = memmem::rfind(line, JSON_NAMES[0].as_bytes())
    {
        return with_year(line.get(at + JSON_NAMES[0].len()..)?);
    }
    let head = line.get(..MAX_SEARCH).unwrap_or(line);
    let after = |name: &str| {
        let at = memmem::find(head, name.as_bytes())? + name.len();
        line.get(at..)
    };
    let spelt = JSON_NAMES.into_iter().find_map(|name| with_year(after(name)?));
    spelt.or_else(|| JSON_EPOCHS.into_iter().find_map(|name| epoch(after(name)?)))
}

/// `1700000000.123`.
fn epoch(text: &[u8]) -> Option<Timestamp> {
    let seconds = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = std::str::from_utf8(text.get(..seconds)?).ok()?;
    Timestamp::from_second(whole.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::of_line;

    #[rstest]
    #[case::journal("2026-11-20T20:19:15.123456+00:00 n kubelet[1]: x", "2026-11-20T20:19:15.123456Z")]
    #[case::journalctl("2026-11-20T20:19:15.123456+0100 n kernel: x", "2026-11-20T19:19:15.123456Z")]
    #[case::cri("2026-11-20T20:19:15.123456789Z stderr F x", "2026-11-20T20:19:15.123456789Z")]
    #[case::cloud_init("2026-11-20 20:19:15,123 - util.py[WARNING]: x", "2026-11-20T20:19:15.123Z")]
    #[case::waagent("2026/11/20 20:19:15.123456 INFO x", "2026-11-20T20:19:15.123456Z")]
    #[case::klog("E1120 20:19:15.123456    1 x.go:1] x", "2026-11-20T20:19:15.123456Z")]
    #[case::klog_of_last_year("E1230 20:19:15.123456    1 x.go:1] x", "2025-12-30T20:19:15.123456Z")]
    #[case::klog_during_the_run("W1122 01:00:00.000000    1 x.go:1] x", "2026-11-22T01:00:00Z")]
    #[case::syslog("Nov 20 20:19:15 n kernel: x", "2026-11-20T20:19:15Z")]
    #[case::syslog_padded("Nov  2 20:19:15 n kernel: x", "2026-11-02T20:19:15Z")]
    #[case::logfmt("time=\"2026-11-20T20:19:15Z\" level=error", "2026-11-20T20:19:15Z")]
    #[case::slog("time=2026-11-20T20:19:15.5Z level=ERROR", "2026-11-20T20:19:15.5Z")]
    #[case::docker(
        r#"{"log":"{\"time\":\"2020-01-01T00:00:00Z\"}\n","stream":"stderr","time":"2026-11-20T20:19:15.1Z"}"#,
        "2026-11-20T20:19:15.1Z"
    )]
    #[case::json(r#"{"level":"error","ts":"2026-11-20T20:19:15.123Z"}"#, "2026-11-20T20:19:15.123Z")]
    #[case::epoch(r#"{"level":"error","ts":1795205955.5,"msg":"x"}"#, "2026-11-20T20:19:15Z")]
    #[case::bracketed("[2026-11-20 20:19:15] x", "2026-11-20T20:19:15Z")]
    fn lines_say_when_they_were_written(#[case] line: &str, #[case] expected: &str) {
        let started = "2026-11-21T14:00:00Z".parse().unwrap();
        assert_eq!(of_line(line.as_bytes(), started), Some(expected.parse().unwrap()));
    }

    #[rstest]
    #[case("")]
    #[case("[  123.456789] x")]
    #[case("Error: x")]
    #[case("2026-13-20T20:19:15Z x")]
    #[case("20261120")]
    #[case("E1120")]
    #[case("E9999 20:19:15.1 x")]
    #[case("{\"a\":1}")]
    #[case("Nov 20")]
    #[case("-- Boot 0123 --")]
    fn others_do_not(#[case] line: &str) {
        assert_eq!(of_line(line.as_bytes(), "2026-11-21T14:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn a_leap_day_is_found_in_the_leap_year() {
        let started = "2028-03-01T00:00:00Z".parse().unwrap();
        let leap = of_line(b"Feb 29 01:00:00 n x", started).unwrap();
        assert_eq!(leap.to_string(), "2028-02-29T01:00:00Z");
    }
}
