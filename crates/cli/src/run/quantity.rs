//! Sizes, spans and points in time as people write them.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// Units of sizes: decimal and binary, the longest ending first.
const UNITS: &[(&str, u64)] = &[
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("t", 1_000_000_000_000),
    ("b", 1),
];

/// Reads a size in bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(ending, unit)| Some((lower.strip_suffix(ending)?, *unit)))
        .unwrap_or((lower.as_str(), 1));
    let bytes = number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .filter(|b| *b > 0);
    bytes.ok_or_else(|| format!("invalid size {text:?}: expected a number above 0 with a unit, as 500MB or 2GiB"))
}

/// Reads a span of time.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let parsed = text.trim().parse::<Span>().ok();
    let duration = parsed.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("invalid span {text:?}: expected a number above 0 with a unit, as 90s, 10m or 7d"))
}

/// Reads a point in time, or a span back from `now`.
pub(crate) fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.trim().parse::<Timestamp>() {
        return Ok(time);
    }
    let back = span(text).ok().and_then(|span| SignedDuration::try_from(span).ok());
    back.and_then(|back| now.checked_sub(back).ok()).ok_or_else(|| {
        format!("invalid time {text:?}: expected a time as 2026-11-20T20:00:00Z or a span back from now as 24h or 7d")
    })
}

/// A size for people.
pub(crate) fn show_size(bytes: u64) -> String {
    let steps = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match steps.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = u128::from(bytes) * 10 / (1_u128 << shift);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::{show_size, since, size, span};
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case("1", Some(1))]
    #[case("500MB", Some(500_000_000))]
    #[case("2GiB", Some(2 << 30))]
    #[case("64Mi", Some(64 << 20))]
    #[case(" 3 kb ", Some(3_000))]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("1.5GB", None)]
    #[case("much", None)]
    #[case("99999999999TB", None)]
    fn sizes(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(size(text).ok(), expected);
    }

    #[rstest]
    #[case("90s", Some(90))]
    #[case("10m", Some(600))]
    #[case("1h30m", Some(5400))]
    #[case("7d", Some(604_800))]
    #[case("0s", None)]
    #[case("-5m", None)]
    #[case("5", None)]
    #[case("soon", None)]
    fn spans(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(span(text).ok(), seconds.map(Duration::from_secs));
    }

    #[test]
    fn since_is_a_time_or_a_span_back() {
        let now = "2026-11-20T20:00:00Z".parse().unwrap();
        assert_eq!(since("24h", now).unwrap().to_string(), "2026-11-19T20:00:00Z");
        assert_eq!(
            since("2026-01-01T00:00:00+01:00", now).unwrap().to_string(),
            "2025-12-31T23:00:00Z"
        );
        assert!(since("yesterday", now).unwrap_err().contains("\"yesterday\""));
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1536, "1.5 KiB")]
    #[case(u64::MAX, "17179869183.9 GiB")]
    fn shown_sizes(#[case] bytes: u64, #[case] expected: &str) {
        assert_eq!(show_size(bytes), expected);
    }
}
