//! Numbers as people read them, for tables.

pub(super) use periscope_documents::bytes_in_words as bytes;

/// How much of `whole` is not `left`, in percent; nothing without a whole.
pub(super) fn used_percent(whole: u64, left: u64) -> String {
    match whole.saturating_sub(left).saturating_mul(100).checked_div(whole) {
        Some(percent) => format!("{percent}%"),
        None => "-".to_owned(),
    }
}

/// Milliseconds as seconds with one decimal.
pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{}", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{bytes, seconds, used_percent};

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1024, "1.0 KiB")]
    #[case(1_600_000, "1.5 MiB")]
    #[case(133_143_986_176, "124.0 GiB")]
    #[case(u64::MAX, "1638.3 PiB")]
    fn sizes(#[case] size: u64, #[case] expected: &str) {
        assert_eq!(bytes(size), expected);
    }

    #[test]
    fn shares_and_times() {
        assert_eq!(used_percent(200, 50), "75%");
        assert_eq!(used_percent(0, 0), "-");
        assert_eq!(seconds(12_345), "12.3");
    }
}
